"""What correlation needs of a store, and no more: failing results, the good ones beside them, who was looked at.

It must say the same as all results of the window would; a test holds that.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal

import msgspec
from sqlalchemy import Connection

from collector.forensics.correlate import Correlation, Seen, correlate
from collector.forensics.samples import GOOD, lane_of, standing
from collector.verdicts.samples import Timing
from sereno.clock import SECOND_US
from sereno.store.queries import forensics as stored
from sereno.store.queries.forensics import Mark, ResultRow, Series
from sereno.topology.model import Topology

LOOK_BACK_US = 600 * SECOND_US  # how a series was when the window began
_LONE = 200  # single failures of a series that are looked at one by one
_LEAST_US = 180 * SECOND_US  # in which every series shows itself, or longer where a check is rarer
_RARELY_US = 60 * SECOND_US  # between two results of a check that is no voice check

Told = Callable[[int], None]
Lane = tuple[Series, str]


class _Track(msgspec.Struct):
    """How far the bad results of one lane have been understood."""

    phase: Literal["well", "bad", "down", "done"] = "well"
    last: Mark | None = None  # bad
    lone: int = 0


class Observer:
    """Reads a window once, in the order of time, and asks for neighbours where it must."""

    def __init__(self, connection: Connection, topology: Topology, from_us: int, to_us: int) -> None:
        self._connection, self._topology = connection, topology
        self._from_us, self._to_us = from_us, to_us
        self._every_us = dict(Timing(topology).every_us)
        self._tracks: dict[Lane, _Track] = {}

    def correlation(self, clocks: dict[str, int], told: Told | None = None) -> Correlation:
        """What changed first, over everything that was measured. `told` hears how far reading has come."""
        seen = [*self._failing(told), *self._present(self._from_us)]
        found = correlate(seen, self._topology, self._from_us, self._to_us, clocks)
        if not found.first:
            return found
        seen += self._present(min(one.high_us for one in found.first))  # who was looked at meanwhile?
        return correlate(seen, self._topology, self._from_us, self._to_us, clocks)

    # -- bad results, and what decides about them ---------------------------------------------------------------------

    def _failing(self, told: Told | None) -> Iterator[Seen]:
        for row in stored.odd(self._connection, None, None, self._from_us, self._to_us):
            if told is not None:
                told(row.at_us)
            lane = Series(row.element, row.probe, row.check), lane_of(row.body)
            track = self._tracks.setdefault(lane, _Track())
            if track.last is None or track.last.at_us != row.at_us:  # else the late answer of the same transaction
                yield from (_seen(lane, one) for one in self._bad(lane, track, _mark(row)))
        for lane, track in self._tracks.items():
            if track.phase == "down" and track.last is not None:
                yield from (_seen(lane, one) for one in islice(self._after(lane, track.last.at_us, self._to_us), 2))

    def _bad(self, lane: Lane, track: _Track, mark: Mark) -> list[Mark]:
        """One more bad result of a lane: the results that decide about it."""
        last, track.last = track.last, mark
        if track.phase == "done":
            return []
        if track.phase == "well" or last is None:
            return self._begins(lane, track, mark)
        if mark.at_us - last.at_us <= self._gap_us(lane):
            return []
        if track.phase == "bad":
            return self._begins(lane, track, mark)
        between = list(islice(self._after(lane, last.at_us, mark.at_us), 2))
        if len(between) > 1 and all(map(_good, between)):
            track.phase = "done"
            return between
        return []

    def _begins(self, lane: Lane, track: _Track, mark: Mark) -> list[Mark]:
        previous = self._before(lane, mark.at_us)
        if previous is None or not _good(previous):
            track.phase = "bad"
            return [mark] if previous is None else [previous, mark]
        after = next(self._after(lane, mark.at_us, self._to_us), None)
        if after is not None and not _good(after):
            track.phase = "down"
        elif track.lone < _LONE:
            track.phase, track.lone = "well", track.lone + 1
        else:
            track.phase = "done"
        return [previous, mark] if after is None else [previous, mark, after]

    def _gap_us(self, lane: Lane) -> int:
        return self._every_us.get(lane[0].check, _RARELY_US) * 3 // 2

    # -- neighbours ---------------------------------------------------------------------------------------------------

    def _before(self, lane: Lane, at_us: int) -> Mark | None:
        """The transaction before an instant; of two results of one (its late answer is the second) the first."""
        series, name = lane
        found: Mark | None = None
        for one in stored.before(self._connection, series, at_us, self._from_us - LOOK_BACK_US):
            if lane_of(one.body) != name:
                continue
            if found is not None and one.at_us != found.at_us:
                break
            found = one
        return found

    def _after(self, lane: Lane, at_us: int, to_us: int) -> Iterator[Mark]:
        """Transactions after an instant, each by its first result."""
        series, name = lane
        last_us = at_us
        for one in stored.after(self._connection, series, at_us, to_us):
            if one.at_us != last_us and lane_of(one.body) == name:
                last_us = one.at_us
                yield one

    # -- who was looked at --------------------------------------------------------------------------------------------

    def _present(self, begin_us: int) -> Iterator[Seen]:
        """The first results of every lane from an instant on."""
        span_us = max(_LEAST_US, 5 * max(self._every_us.values()) // 2)
        end_us = min(begin_us + span_us, self._to_us)
        found: dict[Lane, list[Mark]] = {}
        for lane, mark in self._block(begin_us, end_us):
            marks = found.setdefault(lane, [])
            if not _enough(marks) and (not marks or marks[-1].at_us != mark.at_us):
                marks.append(mark)
        for lane, marks in found.items():
            if lane in self._tracks and not _enough(marks):
                for one in self._after(lane, marks[-1].at_us, self._to_us):
                    marks.append(one)
                    if _enough(marks):
                        break
            yield from (_seen(lane, one) for one in marks)

    def _block(self, begin_us: int, end_us: int) -> Iterable[tuple[Lane, Mark]]:
        for row in stored.window(self._connection, None, None, begin_us, end_us):
            yield (Series(row.element, row.probe, row.check), lane_of(row.body)), _mark(row)
        for run in stored.runs_window(self._connection, None, None, begin_us, end_us):
            lane = Series(run.element, run.probe, run.check), lane_of(run.body)
            for mark in stored.marks_of(run, begin_us, end_us):
                yield lane, mark


def _enough(marks: list[Mark]) -> bool:
    """Each stands beside its true neighbour: two do, but for a good one after a bad one, which needs its own next."""
    return len(marks) > 1 and (_good(marks[-2]) or not _good(marks[-1]))


def _good(mark: Mark) -> bool:
    return standing(mark.outcome, mark.reason) == GOOD


def _mark(row: ResultRow) -> Mark:
    return Mark(row.at_us, row.boot, row.seq, row.outcome, row.reason, row.body)


def _seen(lane: Lane, mark: Mark) -> Seen:
    series, name = lane
    return Seen(
        element=series.element, probe=series.probe, check=series.check, lane=name, at_us=mark.at_us, boot=mark.boot,
        seq=mark.seq, said=standing(mark.outcome, mark.reason), reason=mark.reason,
    )  # fmt: skip
