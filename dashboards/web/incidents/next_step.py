"""What happens next to an incident that nobody takes: which level, who of it, and when. As the store has it planned."""

from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from dashboards.web.incidents.house import House
from sereno.incident import IncidentRecord, Rung
from sereno.oncall import Copy, Roster
from sereno.oncall.feed import FeedError, shifts, window
from sereno.store.oncall import FeedRow, feeds, overrides, place_of
from sereno.store.tables import steps

_LOOK_BACK_US = 3_600_000_000
Outcome = Literal["next", "again", "held", "page"]


class Planned(msgspec.Struct, frozen=True):
    """What of a stored step this page needs (`alerting/escalation/step.py` writes it)."""

    what: str
    due_us: int
    state: str = "pending"
    round: int = 1
    waits: tuple[tuple[int, int], ...] = ()
    paged: tuple[int, ...] = ()
    episode: int = 0


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """`next`: that level is called then; `again`: all begins anew with the first; `held`: something hushes it."""

    outcome: Outcome
    due_us: int
    level: str
    people: tuple[str, ...]
    waiting: str  # the level whose time runs


def next_step(connection: Connection, record: IncidentRecord, house: House) -> NextStep | None:
    """The step that is planned for it; None where nothing more will happen by itself."""
    row = connection.execute(
        select(steps.c.body)
        .where(steps.c.incident == record.number, steps.c.state.in_(("pending", "held")))
        .order_by(steps.c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    step = msgspec.json.decode(row.body, type=Planned)
    rungs = record.rungs
    if step.state == "held":
        return NextStep(outcome="held", due_us=step.due_us, level="", people=(), waiting="")
    roster = _roster(connection, house, step.due_us)
    if step.what not in {"escalated", "repaged"} or not step.waits or not rungs:
        level = rungs[0] if rungs else None
        people = roster.duty(level, step.due_us).people if level else ()
        return NextStep(
            outcome="page", due_us=step.due_us, level=level.level if level else "", people=people, waiting=""
        )
    now = min(step.waits[0][0], len(rungs) - 1)
    found = _after(rungs, now, roster, step.due_us)
    if found is None:
        found = rungs[0]
        outcome: Outcome = "again"
    else:
        outcome = "next"
    people = roster.duty(found, step.due_us).people
    return NextStep(outcome=outcome, due_us=step.due_us, level=found.level, people=people, waiting=rungs[now].level)


def _after(rungs: tuple[Rung, ...], level: int, roster: Roster, at_us: int) -> Rung | None:
    """The next level that is manned then."""
    return next((rung for rung in rungs[level + 1 :] if roster.duty(rung, at_us).open), None)


def _roster(connection: Connection, house: House, at_us: int) -> Roster:
    zone = house.zone
    if house.desk is None:
        return Roster(zone=zone)
    wanted = {name: rota for name, rota in house.desk.rotas.items() if rota.icalendar is not None}
    known = feeds(connection) if wanted else {}
    copies = {
        name: _copy(known.get(name), rota.icalendar or "", rota.timezone or zone, at_us)
        for name, rota in wanted.items()
    }
    return Roster(house.desk, zone, overrides(connection, at_us - _LOOK_BACK_US), copies)


def _copy(row: FeedRow | None, place: str, zone: str, at_us: int) -> Copy:
    if row is None or row.copy is None or row.place != place_of(place):
        return Copy()
    try:
        return Copy(shifts=shifts(row.copy, zone, *window(at_us)), checked_us=row.read_us)
    except FeedError as error:
        return Copy(error=str(error))
