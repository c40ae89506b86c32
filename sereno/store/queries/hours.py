"""Past hours of measures that alarms compare with: last week's median, the same hour of last week."""

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import Connection, delete, select, text

from sereno.alarms.hour import Hour
from sereno.store.tables import measure_hours

_SAVE = text(
    "INSERT INTO measure_hours (element, measure, hour_us, body) VALUES (:element, :measure, :hour_us, :body) "
    "ON CONFLICT (element, measure, hour_us) DO UPDATE SET body = excluded.body"
)
_json = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(dict[str, float]).decode


def save_hours(connection: Connection, hours: Iterable[Hour], forget_before_us: int) -> None:
    """Writes hours that ended, over what a collector before us knew of them; the oldest go."""
    rows = [
        {
            "element": one.element,
            "measure": one.measure,
            "hour_us": one.hour_us,
            "body": _json({"value": one.value, "samples": one.samples}).decode(),
        }
        for one in hours
    ]
    if rows:
        connection.execute(_SAVE, rows)
        connection.execute(delete(measure_hours).where(measure_hours.c.hour_us < forget_before_us))


def hours_since(connection: Connection, from_us: int) -> Iterator[Hour]:
    """Every hour that began at `from_us` or later."""
    found = select(measure_hours).where(measure_hours.c.hour_us >= from_us).order_by(measure_hours.c.hour_us)
    for row in connection.execute(found):
        body = _read(row.body)
        yield Hour(row.element, row.measure, row.hour_us, body["value"], round(body["samples"]))
