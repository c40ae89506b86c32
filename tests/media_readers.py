"""The C readers of captures and the plain Python ones behind one face."""

import io
from typing import Protocol

from probes.media.capture import CaptureFacts, feed_capture
from probes.media.meter import StreamMeter
from probes.media.reference import ReferenceMeter
from probes.media.reference_capture import feed_capture as feed_reference


class Reader(Protocol):
    @property
    def meter(self) -> "StreamMeter | ReferenceMeter": ...

    def feed(self, data: bytes) -> CaptureFacts:
        """Meter a capture."""


class C:
    def __init__(self) -> None:
        self.meter = StreamMeter()

    def feed(self, data: bytes) -> CaptureFacts:
        return feed_capture(io.BytesIO(data), self.meter, "made")


class Plain:
    def __init__(self) -> None:
        self.meter = ReferenceMeter()

    def feed(self, data: bytes) -> CaptureFacts:
        return feed_reference(self.meter, data, "made")


BOTH = (C, Plain)
