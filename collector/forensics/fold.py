"""Consecutive results that say the same become one line: what, how many, from when to when. Pure, constant memory."""

from collections.abc import Iterable, Iterator

import msgspec

from collector.forensics.entry import Entry
from collector.forensics.samples import Body
from sereno.clock import SECOND_US

_QUIET_US = 5 * SECOND_US  # good results of less than this are not told before an event; they wait for more
_LONG_US = 3_600 * SECOND_US  # an hour of the same is told, and counted anew


class Fold(msgspec.Struct):
    """Results of one check that said the same."""

    check: str
    said: str
    reason: str | None
    code: int | None
    from_us: int
    to_us: int
    count: int = 0
    elements: set[str] = msgspec.field(default_factory=set)
    probes: set[str] = msgspec.field(default_factory=set)
    least_seconds: float | None = None
    most_seconds: float | None = None
    sum_seconds: float = 0.0
    measured: int = 0

    def add(self, entry: Entry, body: Body, probe: str, count: int = 1) -> None:
        """One more, or a run of them."""
        self.count += count
        self.to_us = max(self.to_us, entry.to_us if entry.to_us is not None else entry.at_us)
        self.elements.add(entry.element)
        self.probes.add(probe)
        rtt = body.rtt_seconds
        if entry.kind == "result" and isinstance(rtt, int | float) and 0 <= rtt < 1e6:  # noqa: PLR2004
            self.least_seconds = rtt if self.least_seconds is None else min(self.least_seconds, rtt)
            self.most_seconds = rtt if self.most_seconds is None else max(self.most_seconds, rtt)
            self.sum_seconds += rtt
            self.measured += 1


Shown = Entry | Fold
_Series = tuple[str, str, str, object, object, bool]
_NOTHING = Body()
_Word = tuple[str, str | None, int | None]


def folded(entries: Iterable[Entry]) -> Iterator[Shown]:
    """The timeline for eyes: first results of a kind and what is no result stand alone, equal ones are counted.

    Messages and packets follow only a result that stands alone.
    """
    last: dict[_Series, _Word] = {}
    sent: dict[_Series, int] = {}
    open_: dict[tuple[str, _Word], Fold] = {}
    alone = False
    for entry in entries:
        if entry.kind in {"sip", "rtp"}:
            if alone:
                yield entry
            continue
        if entry.kind not in {"result", "run"}:
            yield from _closed(open_, entry.at_us - _QUIET_US)
            yield entry
            continue
        body: Body = entry.read or _NOTHING
        probe = str(entry.source.get("probe"))
        check = str(entry.facts.get("check"))
        series: _Series = (entry.element, probe, check, _plain(body.address), _plain(body.account), False)
        if sent.get(series) == entry.at_us:  # the late answer of the same transaction
            series = (*series[:5], True)
        else:
            sent[series] = entry.at_us
        word = (entry.what, entry.facts.get("reason"), body.code if isinstance(body.code, int) else None)
        before = last.get(series)
        last[series] = word
        alone = word != before and (before is not None or entry.what != "ok") and entry.kind == "result"
        if alone:
            if before is not None and (check, before) in open_:
                yield open_.pop((check, before))
            yield from _closed(open_, entry.at_us - _QUIET_US)
            yield entry
            continue
        alone = False
        key = (check, word)
        fold = open_.get(key)
        if fold is not None and entry.at_us - fold.from_us > _LONG_US:
            yield open_.pop(key)
            fold = None
        if fold is None:
            fold = open_[key] = Fold(*(check, *word), from_us=entry.at_us, to_us=entry.at_us)
        count = entry.facts.get("count", 1) if entry.kind == "run" else 1
        fold.add(entry, body, probe, count if isinstance(count, int) else 1)
    yield from _closed(open_, None)


def _closed(open_: dict[tuple[str, _Word], Fold], before_us: int | None) -> Iterator[Fold]:
    """Folds are told together, by their beginning, once the oldest is old enough (None: whatever its age)."""
    if not open_ or (before_us is not None and min(fold.from_us for fold in open_.values()) > before_us):
        return
    found = sorted(open_.values(), key=lambda fold: (fold.from_us, fold.check, fold.said))
    open_.clear()
    yield from found


def _plain(value: object) -> object:
    return value if isinstance(value, str) else None
