"""The worst streams of captures, with their series: what pictures and reports are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import Any, TypeAlias

from probes.media.analysis import Analysis
from probes.media.pictures.panel import Stream
from probes.media.pictures.series import series_of, window_for
from probes.media.pictures.words import Words
from probes.media.remarks import is_one_way, worst_first

Fields: TypeAlias = Mapping[str, Any]


@dataclass
class Totals:
    """Figures of all streams, also of those that are not shown."""

    streams: int = 0
    packets: int = 0
    lost: int = 0
    expected: int = 0
    one_way: int = 0
    captured_twice: int = 0
    unrated: int = 0
    below_fair: int = 0
    worst_mos: float | None = None
    start: str | None = None
    end: str | None = None

    def add(self, fields: Fields) -> None:
        """Count a stream."""
        self.streams += 1
        self.packets += fields["packets"]
        self.lost += fields["lost"]
        self.expected += fields["expected"]
        self.one_way += is_one_way(fields)
        self.captured_twice += fields["captured_twice"]
        mos = fields["mos_lq"]
        if mos is None:
            self.unrated += 1
        else:
            self.worst_mos = mos if self.worst_mos is None else min(mos, self.worst_mos)
            self.below_fair += mos < FAIR
        self.start = fields["start"] if self.start is None else min(self.start, fields["start"])
        self.end = fields["end"] if self.end is None else max(self.end, fields["end"])

    @property
    def loss_ratio(self) -> float | None:
        """Of all packets together."""
        return self.lost / self.expected if self.expected else None


FAIR = 4.0  # G.107 annex B: below it some users are dissatisfied


@dataclass
class Gallery:
    """Keeps what is to be shown while captures pass by, the worst streams first; the rest is only counted."""

    most_listed: int
    most_drawn: int
    least_window: int = 1
    totals: Totals = field(default_factory=Totals)
    listed: list[dict[str, Any]] = field(default_factory=list)  # the first `most_drawn` have their `seconds`

    def take(self, analysis: Analysis) -> None:
        """Look at all streams of a capture; keep those that may be among the worst."""
        here = nsmallest(self.most_listed, self._seen(analysis), key=lambda kept: kept[0])
        for place, (_, index, fields) in enumerate(here):
            fields["file"] = str(analysis.path)
            if place < self.most_drawn:
                width = window_for(fields["duration_seconds"], self.least_window)
                fields["seconds"] = analysis.stream(index, width)["seconds"]
                fields["window"] = width
        self.listed = sorted([*self.listed, *(fields for *_, fields in here)], key=worst_first)[: self.most_listed]
        for fields in self.listed[self.most_drawn :]:
            fields.pop("seconds", None)

    def _seen(self, analysis: Analysis) -> "Any":
        for index in range(analysis.count):
            fields = analysis.stream(index)
            self.totals.add(fields)
            yield worst_first(fields), index, fields


def titled(fields: Fields, words: Words, *, number: int | None = None, named: bool = False) -> Stream:
    """A stream with what is written above it."""
    codec = fields["codec"] or words.text("type {number}", number=fields["payload_type"])
    place = f"{number}. " if number is not None else ""
    file = f"{file_name(fields, words)}: " if named else ""
    mos = words.number(fields["mos_lq"], 2)
    about = (
        f"{codec} · {fields['ssrc']}",
        f"MOS-LQ {mos}",
        words.text("loss {ratio}", ratio=words.percent(fields["loss_ratio"])),
        words.text("{count} packets", count=words.number(fields["packets"])),
        words.text("from {time}", time=words.moment(fields["start"])),
    )
    title = f"{place}{file}{fields['src']} → {fields['dst']}"
    marks = _marks(fields, words) if fields["mos_lq"] is not None else ()
    return Stream(title, about, marks, series_of(fields, fields["window"]))


def file_name(about: Fields, words: Words) -> str:
    """A capture's name, without its folders."""
    return words.text("standard input") if about["file"] == "-" else Path(about["file"]).name


def _marks(fields: Fields, words: Words) -> tuple[str, ...]:
    """What to know before this MOS is set beside another's."""
    wideband = fields["mos_scale"] == "wideband"
    said = (wideband and words.text("wideband"), fields["mos_provisional"] and words.text("provisional"))
    return tuple(mark for mark in said if mark)
