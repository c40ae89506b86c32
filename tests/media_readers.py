"""The C readers of captures and the plain Python ones behind one face."""

import io
from typing import Protocol

import numpy as np

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


def row(reader: Reader) -> np.void:
    (only,) = reader.meter.snapshot()
    return only


def counted(facts: CaptureFacts) -> dict[str, int]:
    """What of the facts is not zero."""
    names = ("packets", "fragments", "not_udp", "damaged", "snapped", "unread", "untimed")
    return {name: getattr(facts, name) for name in names if getattr(facts, name)}
