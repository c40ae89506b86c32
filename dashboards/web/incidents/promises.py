"""The promises of an incident as people read them: due when, in whose time, by which calendar, how they stand."""

from collections.abc import Iterator
from itertools import groupby

import msgspec

from dashboards.web.incidents.house import House
from dashboards.web.words import Words
from sereno.contract import Version
from sereno.incident import Clock, IncidentRecord

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES = 1_440


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One clock; `calendar` are its hours in words, `zone` where they and its due instant are read."""

    customer: str | None
    contract: str
    clock: str
    priority: str
    severity: str | None
    state: str
    due_us: int
    zone: str
    calendar: str
    calendar_name: str
    ended_us: int | None
    late_us: int  # how long after its due instant it ended
    warned_us: int | None
    agreed: bool
    open_now: bool  # its calendar is open: the clock counts


def promises(record: IncidentRecord, house: House, words: Words, now_us: int) -> list[Promise]:
    """Running ones first, the next due before the others."""
    found = [_promise(clock, record, house, words, now_us) for clock in record.clocks]
    order = {"running": 0, "paused": 1, "missed": 2, "met": 3}
    return sorted(found, key=lambda one: (order[one.state], one.due_us, one.customer or "", one.clock))


def _promise(clock: Clock, record: IncidentRecord, house: House, words: Words, now_us: int) -> Promise:
    contract = house.contracts.get(clock.contract)
    version = contract.at(record.opened_us) if contract is not None else None
    zone = version.timezone if version is not None else house.zone
    rule = version.clock(record.kind, clock.clock, clock.priority) if version is not None else None
    return Promise(
        customer=clock.customer, contract=clock.contract, clock=clock.clock, priority=clock.priority,
        severity=clock.severity, state=clock.state, due_us=clock.due_us, zone=zone,
        calendar=hours(version, _name(version, record, clock), words) if version is not None else "",
        calendar_name=_name(version, record, clock), ended_us=clock.ended_us,
        late_us=max(0, (clock.ended_us or 0) - clock.due_us), warned_us=clock.warned_us, agreed=clock.agreed,
        open_now=rule is None or clock.agreed or rule.calendar.is_open(now_us),
    )  # fmt: skip


def _name(version: Version | None, record: IncidentRecord, clock: Clock) -> str:
    if version is None:
        return ""
    shape = getattr(getattr(version.clocks, record.kind), clock.clock)
    return str(shape.calendar) if shape is not None else ""


def hours(version: Version, name: str, words: Words) -> str:
    """`Mon–Fri 07:30–12:30, 14:00–18:00, without holidays (CO)`."""
    shape = version.calendars.get(name)
    if shape is None:
        return ""
    if shape.week is None:
        return words.text("24 hours, every day")
    parts = [f"{days} {_spans(spans)}" for days, spans in _runs(shape.week, words) if spans]
    if shape.holidays is not None:
        parts.append(words.text("without holidays ({place})", place=shape.holidays))
    return "; ".join(parts)


def _runs(
    week: tuple[tuple[tuple[int, int], ...], ...], words: Words
) -> Iterator[tuple[str, tuple[tuple[int, int], ...]]]:
    """Days that follow one another with the same hours."""
    for spans, group in groupby(range(7), key=lambda day: week[day]):
        days = list(group)
        first, last = (words.text(f"day:{_DAYS[day]}") for day in (days[0], days[-1]))
        yield (first if len(days) == 1 else f"{first}–{last}"), spans


def _spans(spans: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{_time(begins)}–{_time(ends)}" for begins, ends in spans)


def _time(minute: int) -> str:
    return "24:00" if minute == _DAY_MINUTES else f"{minute // 60:02d}:{minute % 60:02d}"
