"""What late results changed of the past, at the desk: no alarm, no clock, no page.

An outage that was over before anybody knew of it becomes one incident, opened when it was found and resolved already:
its `resolved` is the end of the outage. One message tells of it. Where an incident of its time knows of it already,
that one gets a line in its timeline instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from alerting import clocks, words
from alerting.book import MONITOR
from alerting.causes import Group, Key, View, below, gravity
from alerting.guides import guide
from alerting.machine import AlarmState
from alerting.reconcile import Reconciler
from alerting.words import DESK_LANGUAGE, grade, say
from sereno.alarms import Alarms
from sereno.incident import Element, IncidentRecord, Symptom
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change

LEDGER = "ledger"  # who opened it: nothing that happens now reopens it
_LINES = 3  # changes that one timeline line spells out


class Span(msgspec.Struct, frozen=True):
    """An element was down, by results that came too late to be heard."""

    kind: str
    name: str
    from_us: int
    to_us: int
    reason: str | None = None


class Revised(msgspec.Struct, frozen=True):
    """The ledger says something else of an element now."""

    kind: str
    name: str
    from_us: int
    to_us: int
    was: str
    became: str


class Found(msgspec.Struct, frozen=True):
    """The facts of a `ledger_revised` change."""

    note: str
    outages: list[Span] = []
    changes: list[Revised] = []


def take(desk: Reconciler, topology: Topology, alarms: Alarms, change: Change, now_us: int) -> None:
    """Write down what the ledger found."""
    found = msgspec.convert(change.facts, Found)
    noted: set[int] = set()
    for cluster in _together(found.outages):
        states = {state.key: state for state in _states(alarms, cluster)}
        view = View(topology, alarms, states.values())
        for group in view.groups():
            noted.add(_group(desk, topology, view, group, states, alarms, found.note, now_us))
    _lines(desk, found, noted, now_us)


def _together(outages: Iterable[Span]) -> list[list[Span]]:
    """Outages that overlap in time, or follow each other at once: they may have one cause."""
    found: list[list[Span]] = []
    end_us = 0
    for one in sorted(outages, key=lambda one: (one.from_us, one.kind, one.name)):
        if found and one.from_us <= end_us:
            found[-1].append(one)
        else:
            found.append([one])
        end_us = max(end_us, one.to_us) if len(found[-1]) > 1 else one.to_us
    return found


def _states(alarms: Alarms, outages: Iterable[Span]) -> list[AlarmState]:
    """The alarms that would have fired, had anybody known; an element's longest outage speaks for it."""
    found: dict[Key, AlarmState] = {}
    for one in sorted(outages, key=lambda one: one.from_us - one.to_us):
        for name, alarm in alarms.watching(one.kind, VERDICT):
            if alarm.bad("down") and one.to_us - one.from_us >= alarm.for_us:
                state = AlarmState(
                    alarm=name, kind=one.kind, name=one.name, phase="firing", bad_since_us=one.from_us,
                    bad_at_us=one.from_us, first_since_us=one.from_us, good_since_us=one.to_us, reason=one.reason,
                )  # fmt: skip
                found.setdefault(state.key, state)
    return list(found.values())


def _group(
    desk: Reconciler, topology: Topology, view: View, group: Group, states: Mapping[Key, AlarmState], alarms: Alarms,
    note: str, now_us: int,
) -> int:  # fmt: skip
    """The incident of one cause: one of its time that knows of it, else a new one. Its number."""
    mine = [states[key] for key in group.members]
    begin_us = min(state.bad_since_us for state in mine)
    end_us = max(state.good_since_us or now_us for state in mine)
    known = _known(desk, topology, group, begin_us, end_us, now_us)
    if known is None:
        return _open(desk, topology, view, group, states, alarms, (begin_us, end_us), note, now_us)
    if known.opened_by != LEDGER and known.since_us <= begin_us and end_us <= _end(known, now_us):
        return known.number  # all of it was known at the time
    line = say(
        DESK_LANGUAGE, "found late, of the same time: {kind} {name} down from {begin} to {end}: {note}",
        kind=say(DESK_LANGUAGE, group.cause.kind), name=group.cause.name, note=note,
        begin=desk.moment(begin_us), end=desk.moment(end_us),
    )  # fmt: skip
    ends = {"good_us": max(end_us, known.good_us or 0), "resolved_us": max(end_us, known.resolved_us or 0)}
    more: dict[str, Any] = ends if known.opened_by == LEDGER else {}
    desk.book.put(known, now_us, line, since_us=min(known.since_us, begin_us), **more)
    return known.number


def _known(
    desk: Reconciler, topology: Topology, group: Group, begin_us: int, end_us: int, now_us: int
) -> IncidentRecord | None:
    """The newest incident of that time that has this cause, or one that explains it."""
    of_that_time = [
        record
        for record in desk.book.records.values()
        if record.class_ == group.class_
        and record.state != "merged"
        and record.since_us <= end_us
        and _end(record, now_us) >= begin_us
        and any(cause == group.cause or below(topology, group.cause, cause) for cause in (record.cause, *record.causes))
    ]
    return max(of_that_time, key=lambda record: record.number, default=None)


def _end(record: IncidentRecord, now_us: int) -> int:
    """When its outage was over."""
    return record.resolved_us if record.resolved_us is not None else now_us


def _open(
    desk: Reconciler, topology: Topology, view: View, group: Group, states: Mapping[Key, AlarmState], alarms: Alarms,
    span: tuple[int, int], note: str, now_us: int,
) -> int:  # fmt: skip
    book = desk.book
    lead, urgency, impact, _ = gravity(view, group, states, alarms)
    base = desk.impact.priority(urgency, impact, now_us)
    sites = desk.impact.down_sites(group, states)
    priority = clocks.worst([base, *desk.impact.site_priorities(sites, now_us)])
    title_id, values = words.title(topology, group.cause, group.elements, alarms.alarms[lead], unconfirmed=False)
    number, book.next_number = book.next_number, book.next_number + 1
    symptoms = (Symptom(kind=key[1], name=key[2], alarm=key[0]) for key in group.members)
    record = IncidentRecord(
        number=number, state="resolved", class_=group.class_, priority=priority, priority_peak=priority,
        cause=group.cause, causes=(group.cause,), elements=group.elements, title_id=title_id, title_values=values,
        title=say(DESK_LANGUAGE, title_id, **values), alarm=lead, since_us=span[0], opened_us=now_us, good_us=span[1],
        resolved_us=span[1], resolved_at_us=now_us, evidence=note, opened_by=LEDGER, policy=desk.policy, version=0,
        guide=guide(alarms.alarms[lead]),
        symptoms=tuple(one for one in symptoms if Element(one.kind, one.name) != group.cause),
    )  # fmt: skip
    record = replace(record, customers=desk.impact.customers(record, group, base, sites, {}, now_us))
    record = replace(record, severity=desk.impact.severity(record))
    lines = (
        say(DESK_LANGUAGE, "found late: {title} ({grade}), from {begin} to {end}",
            title=record.title, grade=grade(record), begin=desk.moment(span[0]), end=desk.moment(span[1])),
        say(DESK_LANGUAGE, "the ledger was revised: {note}", note=note),
        say(DESK_LANGUAGE, "resolved: good since {since}", since=desk.moment(span[1])),
        say(DESK_LANGUAGE, "nobody is woken for this"),
    )  # fmt: skip
    record = book.put(record, now_us, *lines, who=MONITOR)
    book.tell(record, "found_late", now_us, "", page=False)
    return number


def _lines(desk: Reconciler, found: Found, noted: set[int], now_us: int) -> None:
    """A line for every incident of that time about an element of which the ledger says something else now."""
    for record in sorted(desk.book.records.values(), key=lambda one: one.number):
        if record.number in noted or record.class_ != "service" or record.state == "merged":
            continue
        own = {record.cause, *record.causes, *record.elements}
        mine = [
            one for one in found.changes
            if Element(one.kind, one.name) in own and one.from_us < _end(record, now_us) and one.to_us > record.since_us
        ]  # fmt: skip
        if mine:
            line = say(DESK_LANGUAGE, "the ledger was revised: {note}", note=f"{_spelt(desk, mine)}; {found.note}")
            desk.book.put(record, now_us, line)


def _spelt(desk: Reconciler, changes: Sequence[Revised]) -> str:
    parts = [f"{one.kind} {one.name} {one.was} → {one.became} {desk.moment(one.from_us)}" for one in changes[:_LINES]]
    more = f" (+{len(changes) - _LINES})" if len(changes) > _LINES else ""
    return ", ".join(parts) + more


__all__ = ["LEDGER", "take"]
