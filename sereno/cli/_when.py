"""Instants as people read them at a terminal: in the service's zone, with its offset; today's without the date."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from sereno.clock import to_datetime

if TYPE_CHECKING:
    from sereno.store import Store


def timezone_of(store: "Store") -> str:
    """The zone of the service in force; UTC before the first topology."""
    from sereno.store.queries.ledger import in_force

    with store.read() as connection:
        found = in_force(connection)
    return found[-1].topology.timezone if found else "UTC"


def when(at_us: int, zone: str, now_us: int) -> str:
    """`15:38:43 -06:00`, of another day `21 nov 2026 15:38:43 -06:00`."""
    where = ZoneInfo(zone)
    moment, now = to_datetime(at_us).astimezone(where), to_datetime(now_us).astimezone(where)
    pattern = "HH:mm:ss xxx" if moment.date() == now.date() else "d MMM y HH:mm:ss xxx"
    return format_datetime(moment, pattern, tzinfo=where, locale="es")


__all__ = ["timezone_of", "when"]
