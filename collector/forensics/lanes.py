"""A window at a glance: the states of its elements, what of their results was not well, what people did."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from sqlalchemy import Connection

from collector.forensics import records
from collector.forensics.case import Case
from collector.forensics.entry import Entry
from sereno.answers.cases import Lane, Mark, Picture, Span
from sereno.clock import SECOND_US
from sereno.store.queries import forensics_records as kept
from sereno.store.queries import forensics_slices as slices
from sereno.verdict import VERDICT

SLICES = 60
_ALL = 24  # so many lanes are shown whatever they say; of more, those that say something
_MOST = 48
_DECIDED_US = 120 * SECOND_US  # a verdict is said some time after what it is about
_MEASURED = frozenset({"path", "sbc"})

Element = tuple[str, str]


def picture(connection: Connection, case: Case, now_us: int) -> Picture:
    """The window in slices; what lies ahead of now is left white."""
    return _Painter(connection, case, now_us).picture()


class _Painter:
    def __init__(self, connection: Connection, case: Case, now_us: int) -> None:
        self._connection, self._case = connection, case
        self._from_us, self._to_us = case.from_us, case.to_us
        self._until_us = max(self._from_us, min(case.to_us, now_us))
        self._slices = max(1, min(SLICES, (self._to_us - self._from_us) // SECOND_US))

    def picture(self) -> Picture:
        kinds = {kind: place for place, (kind, _) in enumerate(reversed(self._case.elements()))}
        elements = sorted(self._case.elements(), key=lambda one: (-kinds[one[0]], _natural(one[1])))
        said = self._said(elements)
        measured = [name for kind, name in elements if kind in _MEASURED]
        window = slices.Slices(self._from_us, self._to_us, self._slices)
        probes = self._case.selection.probes
        odd = slices.odd(self._connection, window, frozenset(measured), probes)
        every = [self._lane(element, said.get(element, []), odd) for element in elements]
        shown = every if len(every) <= _ALL else [one for one in every if not _steady(one)]
        worst = sorted(range(len(shown)), key=lambda place: (_mildness(shown[place]), place))[:_MOST]
        kept_lanes = [shown[place] for place in sorted(worst)]
        seen = slices.seen(
            self._connection, window, [one.name for one in kept_lanes if one.kind in _MEASURED], probes, self._until_us
        )
        return Picture(
            from_us=self._from_us, to_us=self._to_us, slices=self._slices,
            lanes=tuple(_with_seen(one, seen.get(one.name)) for one in kept_lanes),
            steady=len(every) - len(shown), dropped=len(shown) - len(kept_lanes), marks=tuple(self._marks()),
        )  # fmt: skip

    def _said(self, elements: Collection[Element]) -> Mapping[Element, list[tuple[int, str, str | None]]]:
        """(since, state, reason) of each element, in order; what was said before the window first."""
        wanted = set(elements)
        found: dict[Element, list[tuple[int, str, str | None]]] = defaultdict(list)
        for kind, name in elements:
            row = kept.said_before(self._connection, kind, name, VERDICT, self._from_us)
            if row is not None:
                found[kind, name].append((self._from_us, row.state, row.reason))
        for row in kept.changes(self._connection, self._from_us, self._to_us + _DECIDED_US):
            if row.what == VERDICT and (row.kind, row.name) in wanted:
                listed = found[row.kind, row.name]
                begin = max(row.since_us, listed[-1][0] if listed else self._from_us)
                if begin < self._to_us:
                    listed.append((begin, row.state, row.reason))
        return found

    def _lane(
        self, element: Element, said: Sequence[tuple[int, str, str | None]], odd: Mapping[str, slices.Odd]
    ) -> Lane:
        kind, name = element
        first_us = self._case.coverage.first_us
        begin = [(self._from_us, "unknown", "no_data")] if not said or said[0][0] > self._from_us else []
        if first_us is None and self._case.coverage.first_run_us is None:
            said, begin = [], [(self._from_us, "unknown", "no_data")]
        moments = [*begin, *said, (self._until_us, "", None)]
        spans = [
            Span(from_us=one[0], to_us=after[0], state=one[1], reason=one[2])
            for one, after in pairwise(moments)
            if after[0] > one[0]
        ]
        counts = odd.get(name) if kind in _MEASURED else None
        return Lane(
            kind=kind, name=name, spans=tuple(_joined(spans)), failed=counts.failed if counts else (),
            late=counts.late if counts else (),
        )  # fmt: skip

    def _marks(self) -> Iterator[Mark]:
        case = self._case
        for number, record in sorted(case.records.items()):
            over = record.resolved_us if record.resolved_us is not None else self._until_us
            yield Mark(
                at_us=max(record.since_us, self._from_us), to_us=min(over, self._to_us), kind="incident",
                text=record.title, number=number,
            )  # fmt: skip
        connection, from_us, to_us = self._connection, self._from_us, self._to_us
        for row in kept.works(connection, from_us, to_us):
            if case.selection.concerns(row.scope_kind, row.scope_name) or row.scope_kind in {"service", "customer"}:
                ended = row.to_us if row.cancelled_us is None else row.cancelled_us
                begin, end = max(row.from_us, from_us), min(ended, to_us)
                if begin < end:
                    yield Mark(at_us=begin, to_us=end, kind="maintenance", text=row.scope_name, number=row.id)
        for row in kept.isolated(connection, from_us, to_us):
            if case.selection.concerns("sbc", row.sbc):
                end = min(row.to_us, to_us) if row.to_us is not None else self._until_us
                yield Mark(at_us=max(row.from_us, from_us), to_us=end, kind="isolation", text=row.sbc)
        service = case.world.newest.service
        instants: list[Entry] = [
            *records.of_topologies(case.topologies, from_us, to_us),
            *records.of_leaders(kept.leaders(connection, from_us, to_us), service),
        ]
        for probe in case.probes:
            instants += records.of_probe(kept.probe_words(connection, probe, from_us, to_us), from_us)
        for entry in sorted(instants, key=lambda one: one.key):
            yield Mark(at_us=entry.at_us, to_us=None, kind=entry.kind, text=entry.element)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Neighbours of one state and reason are one."""
    found: list[Span] = []
    for one in spans:
        last = found[-1] if found else None
        if last is not None and (last.state, last.reason) == (one.state, one.reason):
            found[-1] = Span(from_us=last.from_us, to_us=one.to_us, state=one.state, reason=one.reason)
        else:
            found.append(one)
    return found


def _with_seen(lane: Lane, seen: Sequence[bool] | None) -> Lane:
    if lane.kind not in _MEASURED or seen is None:
        return lane
    return Lane(kind=lane.kind, name=lane.name, spans=lane.spans, failed=lane.failed, late=lane.late, seen=tuple(seen))


def _natural(name: str) -> list[tuple[int, str]]:
    """`sbc-2` before `sbc-10`."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]{1,9})", name)]


def _mildness(lane: Lane) -> int:
    """What is down comes before what is degraded, and that before what is not known."""
    states = {one.state for one in lane.spans}
    if "down" in states or any(lane.failed):
        return 0
    return 1 if states & {"degraded", "maintenance"} or any(lane.late) else 2


def _steady(lane: Lane) -> bool:
    return not any(lane.failed) and not any(lane.late) and all(one.state == "up" for one in lane.spans)


__all__ = ["SLICES", "picture"]
