"""Everything that one incident's page shows, read in one go; the same for the page and for its live pieces."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from dashboards.web import queries
from dashboards.web.incidents.acts import ACTS, offered
from dashboards.web.incidents.evidence import Exhibit, Vitrine
from dashboards.web.incidents.filters import elements_of
from dashboards.web.incidents.house import House
from dashboards.web.incidents.listing import WAITING
from dashboards.web.incidents.next_step import NextStep, next_step
from dashboards.web.incidents.promises import Promise, promises
from dashboards.web.incidents.sight import Sight, seen
from dashboards.web.incidents.story import Story, milestones, reason_of, story
from dashboards.web.words import Words
from sereno.clock import SECOND_US, iso
from sereno.contract.report import missing
from sereno.incident import ACTIVE, Guide, IncidentRecord, decode_record
from sereno.incident.reading import titled, witnessed
from sereno.incident.told import made_of
from sereno.problem import ProblemRecord
from sereno.store.desk_messages import messages_of
from sereno.store.tables import incidents, problems

MOST_EARLIER = 6
_AROUND_US = 60 * SECOND_US
_SCOPES = ("path", "sbc", "core", "site", "probe")


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """Another incident, in a line."""

    number: int
    title: str
    state: str
    opened_us: int
    lasted_us: int | None


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """What this one has to do with."""

    problem: ProblemRecord | None = None
    merged_into: int | None = None
    split_from: int | None = None
    merged: tuple[Brief, ...] = ()
    split: tuple[Brief, ...] = ()
    earlier: tuple[Brief, ...] = ()

    @property
    def any(self) -> bool:
        return self != Related()


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as somebody sees it."""

    record: IncidentRecord
    title: str
    evidence: str
    guide: Guide | None
    guide_language: str
    promises: tuple[Promise, ...]
    next: NextStep | None
    story: Story
    exhibits: tuple[Exhibit, ...]
    related: Related
    offered: tuple[str, ...]
    forensics: str
    paths: tuple[str, ...]  # those of its elements
    lacks: tuple[str, ...]  # of the report
    uncategorised: tuple[str, ...]
    house: House
    now_us: int

    @property
    def waiting(self) -> bool:
        return self.record.state in WAITING

    @property
    def open(self) -> bool:
        return self.record.state in ACTIVE


def whole(
    connection: Connection, number: int, sight: Sight, house: House, words: Words, now_us: int, vitrine: Vitrine,
    *, oldest: bool = False,
) -> Whole | None:  # fmt: skip
    """The incident with this number; None where there is none, or none that is his business."""
    record = queries.incident(connection, number)
    if record is None or not sight.sees(record):
        return None
    shown = seen(record, sight, house.topology, words)
    topology = house.topology
    told = (
        story(connection, record, house, words, now_us, oldest=oldest) if sight.whole
        else milestones(shown, messages_of(connection, number=number), words)
    )  # fmt: skip
    language = words.language if words.language in record.guide else "es"
    guide = shown.guide.get(language)
    return Whole(
        record=shown,
        title=titled(shown, words.language),
        evidence=_seen(shown, words),
        guide=guide,
        guide_language=language,
        promises=tuple(promises(shown, house, words, now_us)),
        next=next_step(connection, record, house) if sight.whole and record.state in ACTIVE else None,
        story=told,
        exhibits=vitrine.of(connection, record, topology, words) if topology is not None and sight.whole else (),
        related=_related(connection, record, words) if sight.whole else Related(),
        offered=tuple(act.verb for act in ACTS if offered(act, record)) if sight.acts else (),
        forensics=_forensics(record, now_us),
        paths=_paths(record, house),
        lacks=_lacks(record, house) if sight.whole else (),
        uncategorised=_uncategorised(record),
        house=house,
        now_us=now_us,
    )


def _seen(record: IncidentRecord, words: Words) -> str:
    """The evidence in a line: our own words of it with their reasons spelt out, others' as they are."""
    parts = []
    written = witnessed(record, words.language).split("; ")
    for kept, part in zip((record.evidence or "").split("; "), written, strict=False):
        found = made_of(kept)
        if found is not None and found[0] == "reason {reason}":
            parts.append(_measured(found[1]["reason"], words))
        elif found is not None and found[0] == "answered by {who}":
            parts.append(words.text(f"answered:{found[1]['who']}"))
        else:
            parts.append(part)
    return "; ".join(parts)


def _measured(reason: str, words: Words) -> str:
    """A reason in words; an alarm on a measurement says what was measured."""
    figures = any(letter.isdigit() for letter in reason) and " " in reason
    return words.text("measured: {figures}", figures=reason) if figures else reason_of(reason, words)


def _forensics(record: IncidentRecord, now_us: int) -> str:
    ends = max(filter(None, (record.resolved_us, record.opened_us))) if record.state not in ACTIVE else now_us
    window = f"from={_short(record.since_us - _AROUND_US)}&to={_short(ends + _AROUND_US)}"
    cause = record.cause
    about = f"{cause.kind}={cause.name}" if cause.kind in _SCOPES else f"incident={record.number}"
    return f"/forensics?{window}&{about}"


def _short(at_us: int) -> str:
    return iso(at_us)[:19] + "Z"


def _paths(record: IncidentRecord, house: House) -> tuple[str, ...]:
    if house.topology is None:
        return ()
    about = elements_of(record)
    named = {name for kind, name in about if kind == "path"}
    wide = {name for kind, name in about if kind in {"core", "sbc"}}
    return tuple(
        path.name for path in house.topology.paths() if path.name in named or path.sbc in wide or path.core in wide
    )


def _lacks(record: IncidentRecord, house: House) -> tuple[str, ...]:
    """What its contracts still ask for of a report that a person registered."""
    if record.opened_by in {"sereno", "ledger"} or record.complete_us is not None or record.state not in ACTIVE:
        return ()
    contracts = [house.contract_of(name) for name in record.customers] or [house.desk_contract]
    versions = [contract.at(record.opened_us) for contract in contracts if contract is not None]
    return tuple(dict.fromkeys(name for version in versions for name in missing(version, record)))


def _uncategorised(record: IncidentRecord) -> tuple[str, ...]:
    if record.class_ == "monitor" or record.state != "resolved":
        return ()
    wanted = {"category": record.category}
    if record.kind == "incident":
        wanted["cause"] = record.closing_cause
    return tuple(name for name, value in wanted.items() if value is None)


# -- what else there is ------------------------------------------------------------------------------------------------


def _related(connection: Connection, record: IncidentRecord, words: Words) -> Related:
    columns = incidents.c
    same = select(incidents).where(
        columns.cause_kind == record.cause.kind, columns.cause_name == record.cause.name,
        columns.number < record.number, columns.state != "merged",
    )  # fmt: skip
    rows = connection.execute(same.order_by(columns.number.desc()).limit(MOST_EARLIER))
    by_monitor = record.opened_by == "sereno"
    earlier = [one for row in rows if (one := decode_record(row.body)).opened_by == "sereno"] if by_monitor else []
    gone = connection.execute(
        select(incidents).where(columns.state == "merged", columns.body.like(f'%"merged_into":{record.number}%'))
    )
    merged = [one for row in gone if (one := decode_record(row.body)).merged_into == record.number]
    off = connection.execute(
        select(incidents).where(columns.number > record.number, columns.body.like(f'%"split_from":{record.number}%'))
    )
    split = [one for row in off if (one := decode_record(row.body)).split_from == record.number]
    return Related(
        problem=_problem(connection, record.problem),
        merged_into=record.merged_into,
        split_from=record.split_from,
        merged=_briefs(merged, words),
        split=_briefs(split, words),
        earlier=_briefs(earlier, words),
    )


def _briefs(records: Sequence[IncidentRecord], words: Words) -> tuple[Brief, ...]:
    return tuple(
        Brief(
            number=one.number, title=titled(one, words.language), state=one.state, opened_us=one.opened_us,
            lasted_us=one.resolved_us - one.since_us if one.resolved_us is not None else None,
        )
        for one in records
    )  # fmt: skip


def _problem(connection: Connection, number: int | None) -> ProblemRecord | None:
    if number is None:
        return None
    body: Any = connection.execute(select(problems.c.body).where(problems.c.number == number)).scalar()
    return None if body is None else msgspec.json.decode(body, type=ProblemRecord)
