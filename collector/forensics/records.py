"""Everything but results as entries of the timeline: one function per table, each in the order of the timeline."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Row

from collector.forensics.entry import Entry, Kind, key_of, row
from collector.forensics.selection import Selection
from sereno.clock import iso
from sereno.incident import IncidentRecord
from sereno.store.queries.forensics_records import Hole
from sereno.topology import topology_from_json
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

Given = Iterable[Row[Any]]


def of_changes(rows: Given, selection: Selection) -> Iterator[Entry]:
    """Verdicts and findings, when they were decided; `since` is when it began by the samples."""
    for one in rows:
        facts = loose(one.facts)
        if not _spoken_of(one.kind, one.name, facts, selection):
            continue
        kind: Kind = "verdict" if one.what == VERDICT else "finding"
        shown = {"state": one.state, "since": iso(one.since_us)}
        if one.reason:
            shown["reason"] = one.reason
        yield Entry(
            at_us=one.at_us, kind=kind, element_kind=one.kind, element=one.name,
            what=one.state if kind == "verdict" else one.what, order=row(one.id),
            source={"table": "verdict_changes", "id": one.id, "results": facts.get("results", [])},
            facts=shown | {name: value for name, value in facts.items() if name != "results"},
        )  # fmt: skip


def _spoken_of(kind: str, name: str, facts: Mapping[str, Any], selection: Selection) -> bool:
    if selection.kind == "probe":
        voters = facts.get("voters")
        return (kind, name) == ("probe", selection.name) or (isinstance(voters, dict) and selection.name in voters)
    if kind == "probe":
        return selection.watches(name)
    return selection.concerns(kind, name)


def of_ledger(rows: Given, selection: Selection) -> Iterator[Entry]:
    """Intervals of the ledger; one that late results put aside says by which row."""
    for one in rows:
        if not _spoken_of(one.kind, one.name, {}, selection):
            continue
        facts = {"written": iso(one.written_us)}
        if one.reason:
            facts["reason"] = one.reason
        if one.superseded_by is not None:
            facts["superseded_by"] = one.superseded_by
        if one.interval_us:
            facts["interval_seconds"] = one.interval_us / 1e6
        yield Entry(
            at_us=one.from_us, to_us=one.to_us, kind="ledger", element_kind=one.kind, element=one.name,
            what=one.state, order=row(one.id), source={"table": "ledger", "id": one.id}, facts=facts,
        )  # fmt: skip


def of_revisions(rows: Given, selection: Selection) -> Iterator[Entry]:
    """What late results changed of the past, when it was noted."""
    for one in rows:
        if _spoken_of(one.kind, one.name, {}, selection):
            yield Entry(
                at_us=one.noted_us, kind="revision", element_kind=one.kind, element=one.name, what=one.became,
                order=row(one.id), source={"table": "ledger_revisions", "id": one.id},
                facts={"was": one.was, "became": one.became, "from": iso(one.from_us), "to": iso(one.to_us),
                       "note": one.note},
            )  # fmt: skip


def relevant(records: Iterable[IncidentRecord], selection: Selection) -> dict[int, IncidentRecord]:
    """Incidents whose causes, symptoms or customers are of the selection."""
    if selection.kind == "incident":
        return {one.number: one for one in records if f"{one.number}" == selection.name or _touches(one, selection)}
    return {one.number: one for one in records if _touches(one, selection)}


def _touches(record: IncidentRecord, selection: Selection) -> bool:
    named = [(one.kind, one.name) for one in (*record.elements, *record.causes, record.cause)]
    named += [(one.kind, one.name) for one in (*record.symptoms, *record.faults)]
    if selection.kind == "probe":
        return ("probe", selection.name) in named or any(kind == "monitor" for kind, _ in named)
    return any(_spoken_of(kind, name, {}, selection) for kind, name in named)


def of_incidents(lines: Given, records: Mapping[int, IncidentRecord]) -> Iterator[Entry]:
    """Lines of incidents' timelines: what happened, and who did it."""
    for one in lines:
        record = records.get(one.number)
        if record is not None:
            yield Entry(
                at_us=one.at_us, kind="incident", element_kind=record.cause.kind, element=record.cause.name,
                what=one.what, order=row(one.id), source={"table": "incident_timeline", "id": one.id},
                facts={"number": record.number, "who": one.who, "priority": record.priority, "class": record.class_,
                       "title": record.title, "state": record.state},
            )  # fmt: skip


def of_messages(rows: Given, records: Mapping[int, IncidentRecord]) -> Iterator[Entry]:
    """Notifications: when each was made, and what came of it; nobody's address is in it."""
    for one in rows:
        record = records.get(one.incident)
        if record is None:
            continue
        message = loose(one.message)
        facts: dict[str, Any] = {"number": record.number, "channel": one.channel, "to": one.recipient,
                                 "state": one.state, "attempts": one.attempts}  # fmt: skip
        for name in ("subject", "what", "page"):
            if isinstance(message.get(name), str | bool):
                facts[name] = message[name]
        if one.handed_us is not None:
            facts["handed"] = iso(one.handed_us)
        if one.error:
            facts["error"] = one.error
        yield Entry(
            at_us=one.created_us, kind="notification", element_kind=record.cause.kind, element=record.cause.name,
            what=one.state, order=row(one.id), source={"table": "outbox", "id": one.id}, facts=facts,
        )  # fmt: skip


def of_works(rows: Given, selection: Selection, from_us: int, to_us: int) -> Iterator[Entry]:
    """Maintenance: announced, begun, ended, called off; in the window, each when it was."""
    found = []
    for one in rows:
        if not (_spoken_of(one.scope_kind, one.scope_name, {}, selection) or one.scope_kind in {"service", "customer"}):
            continue
        ended = one.to_us if one.cancelled_us is None else one.cancelled_us
        moments = [("announced", one.recorded_us), ("called off", one.cancelled_us)]
        if one.cancelled_us is None or one.cancelled_us > one.from_us:
            moments += [("begins", one.from_us), ("ends", min(ended, one.to_us))]
        for place, (what, at_us) in enumerate(moments):
            if at_us is not None and from_us <= at_us < to_us and not (what == "ends" and at_us == one.cancelled_us):
                found.append(
                    Entry(
                        at_us=at_us, kind="maintenance", element_kind=one.scope_kind, element=one.scope_name,
                        what=what, order=row(one.id, place), source={"table": "maintenance", "id": one.id},
                        facts={"from": iso(one.from_us), "to": iso(one.to_us), "announced": iso(one.announced_us),
                               "critical_fix": bool(one.critical_fix), "who": one.who},
                    )
                )  # fmt: skip
    return iter(sorted(found, key=key_of))


def of_isolations(rows: Given, selection: Selection, from_us: int, to_us: int) -> Iterator[Entry]:
    """SBCs taken out of service under attack, and back."""
    found = []
    for one in rows:
        if _spoken_of("sbc", one.sbc, {}, selection):
            for place, (what, at_us) in enumerate((("isolated", one.from_us), ("back", one.to_us))):
                if at_us is not None and from_us <= at_us < to_us:
                    found.append(
                        Entry(
                            at_us=at_us, kind="isolation", element_kind="sbc", element=one.sbc, what=what,
                            order=row(one.id, place), source={"table": "isolations", "id": one.id},
                            facts={"who": one.who},
                        )
                    )  # fmt: skip
    return iter(sorted(found, key=key_of))


def of_probe(rows: Given, from_us: int) -> Iterator[Entry]:
    """Coming, going, starting anew, and what a probe wants a person to know; the same word again is none."""
    before: tuple[str, str | None, tuple[str, ...]] | None = None
    for one in rows:
        said = loose(one.body)
        given = said.get("notes")
        notes = tuple(note for note in given if isinstance(note, str)) if isinstance(given, list) else ()
        word = (one.state, one.boot, notes)
        restarted = before is not None and before[1] is not None and one.boot is not None and before[1] != one.boot
        if one.at_us >= from_us and word != before:
            facts: dict[str, Any] = {"boot": one.boot, "notes": list(notes)}
            if restarted:
                facts["boot_before"] = before[1] if before else None
            for name in ("version", "clock_offset_seconds", "clock_error_seconds", "spooled", "dropped"):
                if isinstance(said.get(name), str | int | float):
                    facts[name] = said[name]
            yield Entry(
                at_us=one.at_us, kind="probe", element_kind="probe", element=one.probe,
                what="started" if restarted and one.state == "online" else one.state, order=row(one.id),
                source={"table": "probe_events", "id": one.id},
                facts={name: value for name, value in facts.items() if value not in (None, [])},
            )  # fmt: skip
        before = (word[0], one.boot if one.boot is not None else before[1] if before else None, notes)


def of_holes(found: Iterable[Hole], from_us: int) -> Iterator[Entry]:
    """Results that were made and never stored, where their neighbours say that they belong."""
    entries = []
    for one in found:
        begin = one.after_us if one.after_us is not None else one.before_us
        facts = {"boot": one.boot, "first_seq": one.first, "last_seq": one.last, "count": one.last - one.first + 1,
                 "final": one.final}  # fmt: skip
        entries.append(
            Entry(
                at_us=begin if begin is not None else from_us, to_us=one.before_us, kind="hole", element_kind="probe",
                element=one.probe, what="never came" if one.final else "not here yet",
                order=("", one.probe, one.boot, one.first, 0),
                source={"table": "cursors", "probe": one.probe, "boot": one.boot, "seq": one.first}, facts=facts,
            )
        )  # fmt: skip
    return iter(sorted(entries, key=key_of))


def of_refused(rows: Given, selection: Selection) -> Iterator[Entry]:
    """What was kept aside: garbage, unknown versions, results of another age."""
    for one in rows:
        if selection.watches(one.probe):
            facts = {"boot": one.boot, "seq": one.seq}
            yield Entry(
                at_us=one.arrived_us, kind="quarantine", element_kind="probe", element=one.probe, what=one.why[:300],
                order=row(one.id), source={"table": "quarantine", "id": one.id},
                facts={name: value for name, value in facts.items() if value is not None},
            )  # fmt: skip


def of_leaders(rows: Given, service: str) -> Iterator[Entry]:
    """Who became the one that writes, and after whom."""
    for one in rows:
        facts = {"holder": one.holder, "epoch": one.epoch}
        if one.after:
            facts["after"] = one.after
        yield Entry(
            at_us=one.from_us, kind="leader", element_kind="service", element=service, what="leads",
            order=row(one.epoch), source={"table": "leaderships", "epoch": one.epoch}, facts=facts,
        )  # fmt: skip


def of_topologies(rows: Iterable[Row[Any]], from_us: int, to_us: int) -> Iterator[Entry]:
    """Topologies that came into force in the window, and what each named that the one before did not."""
    before: Topology | None = None
    for one in rows:
        topology = topology_of(one.topology)
        if from_us <= one.from_us < to_us:
            facts: dict[str, Any] = {"hash": one.hash}
            if topology is not None and before is not None:
                facts |= _differences(before, topology)
            name = topology.service if topology is not None else ""
            yield Entry(
                at_us=one.from_us, kind="topology", element_kind="service", element=name, what="in force",
                order=row(one.id), source={"table": "topologies", "id": one.id}, facts=facts,
            )  # fmt: skip
        before = topology or before


def _differences(old: Topology, new: Topology) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for section in ("cores", "sbcs", "sites", "probes", "accounts", "portals", "databases"):
        was, now = getattr(old, section), getattr(new, section)
        for word, names in (
            ("added", now.keys() - was.keys()),
            ("removed", was.keys() - now.keys()),
            ("changed", {name for name in was.keys() & now.keys() if was[name] != now[name]}),
        ):
            found.setdefault(word, []).extend(f"{section}.{name}" for name in sorted(names))
    if old.checks != new.checks:
        found.setdefault("changed", []).append("checks")
    return {word: names for word, names in found.items() if names}


def topology_of(text: str) -> Topology | None:
    """A stored topology; None when this version cannot read it any more."""
    from sereno.errors import SerenoError

    try:
        return topology_from_json(msgspec.json.decode(text))
    except (SerenoError, ValueError):
        return None


def loose(text: str | None) -> dict[str, Any]:
    """A stored JSON object; empty when it is none."""
    try:
        found = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
