"""The levels of a desk as incidents keep them."""

from collections.abc import Sequence

from sereno.contract import Contract
from sereno.contract.calendar import Calendar, Hours
from sereno.desk import Desk
from sereno.desk.people import Level, ack_us, pages_at_once
from sereno.incident import Rung


def rungs_of(desk: Desk | None, contract: Contract | None, at_us: int) -> tuple[Rung, ...]:
    """The levels as they stand at an instant; none where the desk has none."""
    if desk is None:
        return ()
    return tuple(_rung(desk, contract, place, level, at_us) for place, level in enumerate(desk.levels))


def is_open(rung: Rung, at_us: int) -> bool:
    """Somebody mans it at this instant."""
    return Calendar(rung.timezone, rung.week, rung.holidays).is_open(at_us)


def _rung(desk: Desk, contract: Contract | None, place: int, level: Level, at_us: int) -> Rung:
    rota = desk.rotas.get(level.rota or "")
    spare: Sequence[str] = level.people or (rota.people if rota is not None else ())
    version = contract.at(at_us) if contract is not None else None
    week: tuple[Hours, ...] | None = None
    holidays: str | None = None
    if isinstance(level.calendar, str):
        shape = version.calendars.get(level.calendar) if version is not None else None
        week, holidays = (shape.week, shape.holidays) if shape is not None else (None, None)
    elif level.calendar is not None:
        week, holidays = level.calendar.week, level.calendar.holidays
    return Rung(
        level=level.name, people=tuple(spare), ack_us=ack_us(place, level.ack_us), rota=level.rota,
        pages=pages_at_once(place, level.pages), timezone=version.timezone if version is not None else "UTC",
        week=week, holidays=holidays,
    )  # fmt: skip
