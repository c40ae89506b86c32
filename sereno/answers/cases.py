"""How forensics is asked by pages and the API: a window of the store about something, and what it tells in pieces.

Nothing here is without a bound: a piece says where it ends and how the next one is asked for.
"""

from typing import Literal, Protocol

import msgspec

ONLY = ("changes", "failures")
Only = Literal["changes", "failures"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for; at most one of the names. An incident brings its own window."""

    from_us: int | None = None
    to_us: int | None = None
    path: str | None = None
    sbc: str | None = None
    core: str | None = None
    site: str | None = None
    probe: str | None = None
    target: str | None = None
    incident: int | None = None
    checks: frozenset[str] | None = None
    only: str | None = None


class Sift(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of a timeline are wanted; empty: all. `outcomes` are ok, late, failed, invalid."""

    outcomes: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    text: str = ""
    events: bool = True  # what is no result
    results: bool = True
    newest: bool = False  # from the end of the window backwards
    folded: bool = True  # equal results of a check are one line, counted


class Source(msgspec.Struct, frozen=True):
    """Where a result is stored."""

    probe: str
    boot: str
    seq: int


class Onset(msgspec.Struct, frozen=True, kw_only=True):
    """One series that began to fail: after `low_us`, not later than `at_us`."""

    wave: Literal["first", "later", "unordered"]
    at_us: int
    low_us: int
    recovered_us: int | None
    element: str
    probe: str
    check: str
    said: str
    why: str
    source: Source


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline, in the reader's words; a run of equal results is one, counted."""

    at_us: int
    kind: str
    said: str  # ok, late, failed, invalid; of a verdict its state; else the entry's word
    glyph: str
    text: str
    element_kind: str
    element: str
    to_us: int | None = None
    count: int = 1
    check: str | None = None
    source: Source | None = None  # of one result
    messages: int = 0
    seconds: int = 0
    incident: int | None = None


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the timeline. `next` None: nothing follows; else it was read up to `read_us`."""

    lines: tuple[Line, ...]
    next: str | None
    read_us: int
    entries: int  # how many were read for it


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """The same unfolded, each entry as in `sereno forensics --ndjson`."""

    lines: tuple[bytes, ...]
    next: str | None
    read_us: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, what is not here and why, what changed first."""

    from_us: int
    to_us: int
    kind: str
    name: str
    incident: int | None
    title: str | None
    zone: str
    first_us: int | None  # the store's first and last result at all
    last_us: int | None
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    compared_us: int  # up to where was compared: before `to_us` where too much failed
    onsets: tuple[Onset, ...]
    beside: tuple[Line, ...]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A state from one instant to another."""

    from_us: int
    to_us: int
    state: str
    reason: str | None = None


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One element over the window: what was said of it, and how many of its results were not well in each slice."""

    kind: str
    name: str
    spans: tuple[Span, ...]
    failed: tuple[int, ...] = ()
    late: tuple[int, ...] = ()
    seen: tuple[bool, ...] = ()  # whether anything was measured of it in the slice; empty: nobody measures it as such


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people or programs did, at an instant or for a while."""

    at_us: int
    to_us: int | None
    kind: str  # incident, maintenance, isolation, topology, leader, probe
    text: str
    number: int | None = None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The window at a glance, in slices of one length."""

    from_us: int
    to_us: int
    slices: int
    lanes: tuple[Lane, ...]
    steady: int  # lanes that are not shown: up all the time
    dropped: int  # and those for which there was no room
    marks: tuple[Mark, ...]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All of a page at once, from one snapshot."""

    head: Head
    picture: Picture
    lines: Lines


class Cases(Protocol):
    """Answers from one snapshot of the store each; UsageError for what there is not, in one line."""

    def look(self, asked: Asked, sift: Sift, language: str, now_us: int, after: str | None = None) -> Look:
        """Head, picture and one piece of the timeline: the first one, or the one `after` a place."""

    def lines(self, asked: Asked, sift: Sift, language: str, now_us: int, after: str | None = None) -> Lines:
        """The next piece of the timeline."""

    def entries(self, asked: Asked, after: str | None, limit: int, now_us: int) -> Entries:
        """Entries as JSON; fewer than `limit` is not the end, `next` None is."""


__all__ = [
    "ONLY",
    "Asked",
    "Cases",
    "Entries",
    "Head",
    "Lane",
    "Line",
    "Lines",
    "Look",
    "Mark",
    "Only",
    "Onset",
    "Picture",
    "Sift",
    "Source",
    "Span",
]
