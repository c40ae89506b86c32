"""A capture from its file to its report: what `sereno rtp analyze` and the pictures are made of.

Standard library alone, and a stream at a time: neither NumPy nor a dict per stream stands in memory.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from probes.media.built import native
from probes.media.capture import CaptureFacts, Progress, meter_file
from probes.media.meter import Buffer, StreamMeter
from probes.media.payload import Format
from probes.media.report import Labels, stream_pieces


@dataclass(frozen=True)
class Wanted:
    """How captures are to be analysed."""

    plc: bool = True
    provisional: bool = False
    probation: int = 2
    buffer: Buffer = "adaptive"
    buffer_delay_ms: float = 60
    buffer_size_ms: float = 200
    delay_ms: float | None = None  # one way, from mouth to ear
    series: bool = True  # keep the seconds of each stream
    window: int = 1  # seconds of them to an entry in the JSON; 0: none there
    audio: bool = False
    maps: tuple[Format, ...] = ()  # of payload types that no SDP names


class Analysis:
    """One capture, read to its end."""

    def __init__(self, path: Path, wanted: Wanted, progress: Progress | None = None, *, named: bool = False) -> None:
        """Read it; `named`: each stream says its file. CaptureError when nothing of it can be read."""
        self.path, self.wanted = path, wanted
        self.meter = StreamMeter(
            probation=wanted.probation,
            buffer=wanted.buffer,
            series=wanted.series,
            fixed_delay_ms=wanted.buffer_delay_ms,
            fixed_size_ms=wanted.buffer_size_ms,
            audio=wanted.audio,
        )
        self.meter.spill()
        for entry in wanted.maps:
            self.meter.core.map(entry.payload_type, int(entry.kind), entry.clock_rate, int(entry.law))
        mapped = {(0, entry.payload_type): entry.codec for entry in wanted.maps}
        self.facts: CaptureFacts = meter_file(path, self.meter, progress)
        first = f'"file":{json.dumps(str(path))},' if named else ""
        self._report = native.Report(
            self.meter.core,
            Labels({**self.meter.names, **mapped}, self.meter.infos, plc=wanted.plc, provisional=wanted.provisional),
            first=first.encode(),
            window=wanted.window,
            delay_ms=math.nan if wanted.delay_ms is None else wanted.delay_ms,
            fixed_delay_ms=wanted.buffer_delay_ms,
        )
        self.count = self._report.begin()

    def pieces(self) -> Iterator[bytes]:
        """All streams as JSON objects with commas between, in the order of their starts."""
        return stream_pieces(self._report)

    def stream(self, index: int, window: int = 0) -> dict[str, Any]:
        """The fields of a stream by its place in the order of starts; with its series in windows, if asked."""
        fields: dict[str, Any] = json.loads(self._report.stream(index, window))
        return fields

    def about(self) -> dict[str, Any]:
        """The file's own entry in the JSON."""
        counters = self.meter.counters()
        return {
            "file": str(self.path),
            **asdict(replace(self.facts, warning=self.warning())),
            "streams": self.count,
            **counters,
            "rtcp_packets": self.meter.core.rtcp_counters(),
            "error": None,
        }

    def warning(self) -> str | None:
        """What keeps the figures from being the whole truth, in one line."""
        left_out = self.meter.counters()["overflow"]
        said = [self.facts.warning] if self.facts.warning else []
        if left_out:
            said.append(f"{self.path}: {left_out} packets of streams beyond the first 1048576 are not counted")
        return "; ".join(said) or None
