"""Somebody is on call now, and can be reached."""

from collections.abc import Iterator

import msgspec

from sereno.desk import Desk
from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient
from sereno.errors import SerenoError


class OnCall(msgspec.Struct, frozen=True, kw_only=True):
    """`now`: the people of each level that is manned at this instant; `mute`: people whom no channel can reach."""

    levels: int
    now: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...] = ()
    mute: tuple[tuple[str, str], ...] = ()


def look(patient: Patient) -> OnCall | None:
    """The roster of this instant; None without a desk."""
    from sereno.contract import load_contract
    from sereno.oncall import Copy, Roster, rungs_of
    from sereno.oncall.feed import FeedError, shifts, window
    from sereno.store.oncall import feeds, overrides, place_of
    from sereno.store.queries.outbox import ways

    desk = patient.desk()
    if desk is None:
        return None
    now_us = patient.clock.now_us()
    contract = load_contract(desk.contract, patient.beside())
    zone = contract.at(now_us).timezone
    roster = Roster(desk, zone)
    read, failing = {}, set[str]()
    try:
        with patient.store().read() as connection:
            roster.overrides, read = overrides(connection, now_us), feeds(connection)
            failing = {one.channel for one in ways(connection, list(desk.channels)) if one.failing}
    except SerenoError:
        read = {}  # no store yet: the files alone say who is on call
    for name, rota in desk.rotas.items():
        row = read.get(name)
        if rota.icalendar is None or row is None or row.copy is None or row.place != place_of(rota.icalendar):
            continue
        try:
            spelt = shifts(row.copy, rota.timezone or zone, *window(now_us))
        except FeedError as error:
            roster.copies[name] = Copy(error=str(error))
        else:
            roster.copies[name] = Copy(shifts=spelt, checked_us=row.read_us, error=row.error)
    duties = [(rung, roster.duty(rung, now_us)) for rung in rungs_of(desk, contract, now_us)]
    return OnCall(
        levels=len(desk.levels),
        now=tuple((rung.level, duty.people) for rung, duty in duties if duty.open or rung.pages),
        notes=tuple(duty.note.format(**duty.note_values) for _, duty in duties if duty.note is not None),
        mute=tuple(_mute(desk, failing)),
    )  # fmt: skip


def _mute(desk: Desk, failing: set[str]) -> Iterator[tuple[str, str]]:
    for name, person in desk.people.items():
        if failing.issuperset(person.channels):
            yield name, ", ".join(person.channels)


def judge(found: OnCall | None) -> Iterator[Finding]:
    """Nobody on call at three in the morning is found out at three in the morning."""
    if found is None:
        return
    if not found.levels:
        yield warning("the desk has no levels: nobody is paged, everybody is told at once or nobody",
                      "write `levels:` with people or a rota (docs/escalation.md)")  # fmt: skip
    for level, people in found.now:
        if not people:
            yield broken("nobody is on call at level {level} now", "fill its rota, or stand in: sereno oncall override "
                         "--level {level} --person NAME --to T", level=level)  # fmt: skip
    for note in found.notes:
        yield warning("{note}", "look at the calendar's address; the level's own people stand in meanwhile", note=note)
    for person, channels in found.mute:
        yield broken("nothing reaches them: no channel of theirs delivers ({channels})", "mend the channel, or give "
                     "them another one", f"person {person}", channels=channels)  # fmt: skip
    if found.now and all(people for _, people in found.now) and not found.notes and not found.mute:
        yield ok("on call now: {names}", names="; ".join(f"{level} {', '.join(people)}" for level, people in found.now))


QUESTION = Question(name="oncall", title="On call", look=look, judge=judge)
