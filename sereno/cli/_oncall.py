"""What `sereno oncall` answers: the roster of a desk at an instant, and what the auditor finds."""

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from alerting.escalation.auditor import look, words
from alerting.escalation.feeds import fetched
from alerting.escalation.roster_source import RosterSource
from alerting.letters.times import moment
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US, SystemClock, iso, parse_instant
from sereno.contract import load_contract
from sereno.desk import load_desk
from sereno.incident import Rung
from sereno.instance import open_store
from sereno.oncall import Copy, Duty, Roster, rungs_of
from sereno.oncall.feed import FeedError, shifts, window
from sereno.store import Store

_NOBODY = "No hay nadie a quien avisar: escriba people y levels en desk.yaml."
_BY = {"override": "relevo", "rota": "turno", "feed": "calendario", "people": "nivel"}


def answer(at_us: int, desk: Path | None, data: Path | None, database: str | None) -> dict[str, Any]:
    """The JSON of `sereno oncall show`."""
    return told(at_us, *(_of_file(desk, at_us) if desk is not None else _of_store(data, database, at_us)))


def told(at_us: int, roster: Roster, rungs: tuple[Rung, ...]) -> dict[str, Any]:
    """A roster at an instant."""
    everybody = list(roster.desk.people) if roster.desk is not None else []
    return {
        "at": iso(at_us),
        "timezone": roster.zone,
        "levels": [_level(roster, rung, at_us) for rung in rungs],
        "everybody": [] if rungs else everybody,
        "feeds": [_feed(name, copy) for name, copy in sorted(roster.copies.items())],
    }


def _of_file(path: Path, at_us: int) -> tuple[Roster, tuple[Rung, ...]]:
    desk = load_desk(path)
    contract = load_contract(desk.contract, path)
    roster = Roster(desk, contract.at(at_us).timezone)
    read_feeds(roster, at_us, window(at_us))
    return roster, rungs_of(desk, contract, at_us)


def read_feeds(roster: Roster, at_us: int, span: tuple[int, int]) -> None:
    """The shifts of every feed in a span of time, as they are read now, into the roster."""
    for name, rota in (roster.desk.rotas if roster.desk is not None else {}).items():
        if rota.icalendar is not None:
            roster.copies[name] = _copy(rota.icalendar, rota.timezone or roster.zone, at_us, span)


def _copy(place: str, zone: str, at_us: int, span: tuple[int, int]) -> Copy:
    try:
        return Copy(shifts=shifts(asyncio.run(fetched(place)), zone, *span), checked_us=at_us)
    except FeedError as error:
        return Copy(error=str(error))


def _of_store(data: Path | None, database: str | None, at_us: int) -> tuple[Roster, tuple[Rung, ...]]:
    store = open_store(data, database)
    try:
        return rostered(store, at_us)
    finally:
        store.dispose()


def rostered(store: Store, at_us: int) -> tuple[Roster, tuple[Rung, ...]]:
    """The roster of a store's desk, and its levels at an instant."""
    from sereno.cli._inbox import stored_machine

    machine = stored_machine(store)
    with store.read() as connection:
        RosterSource().refresh(connection, machine.escalation.roster, at_us)
    return machine.escalation.roster, machine.escalation.rungs_at(at_us)


def _level(roster: Roster, rung: Rung, at_us: int) -> dict[str, Any]:
    duty, later = roster.duty(rung, at_us), roster.next_duty(rung, at_us)
    return {
        "level": rung.level,
        "open": duty.open,
        "people": list(duty.people),
        "by": duty.by,
        "until": _iso(duty.until_us),
        "next": None if later is None else _next(later),
        "ack_seconds": rung.ack_us / SECOND_US,
        "pages": list(rung.pages),
        "note": say(DESK_LANGUAGE, duty.note, **duty.note_values) if duty.note is not None else None,
    }


def _next(later: Duty) -> dict[str, Any]:
    return {"people": list(later.people), "by": later.by, "from": _iso(later.from_us), "until": _iso(later.until_us)}


def _feed(name: str, copy: Copy) -> dict[str, Any]:
    return {"rota": name, "read": _iso(copy.checked_us), "error": copy.error, "shifts": len(copy.shifts)}


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)


def lines(found: dict[str, Any]) -> Iterator[str]:
    """For people, by the clock of the desk."""
    local = functools.partial(on_the_wall, zone=found["timezone"])
    if not found["levels"]:
        who = ", ".join(found["everybody"])
        yield f"Sin niveles: se avisa a todos a la vez ({who})." if who else _NOBODY
    for one in found["levels"]:
        closed = "" if one["open"] else "  (cerrado a esta hora)"
        until = f" hasta {local(one['until'])}" if one["until"] is not None else ""
        after = ""
        if one["next"] is not None:
            after = f"; después {', '.join(one['next']['people'])} desde {local(one['next']['from'])}"
        yield f"{one['level']}: {', '.join(one['people'])} ({_BY[one['by']]}){until}{after}{closed}"
        if one["note"] is not None:
            yield f"  {one['note']}"
    for one in found["feeds"]:
        if one["error"] is not None:
            copy = local(one["read"]) if one["read"] is not None else "ninguna"
            yield f"Calendario de {one['rota']}: {one['error']} (última copia: {copy})"


def zone_of_store(data: Path | None, database: str | None) -> str:
    """The zone in which the desk's times are told."""
    return _of_store(data, database, SystemClock().now_us())[0].zone


def on_the_wall(at: str, zone: str) -> str:
    """An instant of the JSON by the clock on the wall."""
    return moment(parse_instant(at), DESK_LANGUAGE, zone)


def audited(data: Path | None, database: str | None) -> dict[str, Any]:
    """The JSON of `sereno oncall audit`."""
    from sereno.cli._inbox import stored_machine

    now_us = SystemClock().now_us()
    store = open_store(data, database)
    try:
        roster = stored_machine(store).escalation.roster
        desk = roster.desk
        with store.read() as connection:
            found = look(connection, tuple(desk.people) if desk is not None else (), now_us)
    finally:
        store.dispose()
    rows = [{**msgspec.to_builtins(one), "due": _iso(one.due_us), "text": words(one, roster.zone)} for one in found]
    for row in rows:
        row.pop("due_us", None)
    return {"at": iso(now_us), "findings": rows}
