"""What the store says of alarms now: which hold, which are silenced, and the silences themselves."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from sereno.alarms.silence import Silence
from sereno.store.tables import alarm_states, silences


class Holding(NamedTuple):
    """An alarm that is not idle, on one element."""

    alarm: str
    kind: str
    name: str
    phase: str  # pending | firing | clearing
    since_us: int
    reason: str | None
    flapping: bool
    incident: int | None
    silence: Silence | None

    @property
    def holds(self) -> bool:
        """It has fired and not cleared."""
        return self.phase in {"firing", "clearing"}


def holding(connection: Connection, at_us: int) -> list[Holding]:
    """Every alarm that is not idle, by name."""
    current = [one for one in every_silence(connection) if one.holds(at_us)]
    found = []
    for row in connection.execute(select(alarm_states).order_by(alarm_states.c.alarm, alarm_states.c.name)):
        body: dict[str, Any] = msgspec.json.decode(row.body)
        if body["phase"] == "idle":
            continue
        silence = next((one for one in current if one.matches(row.alarm, row.kind, row.name)), None)
        found.append(
            Holding(
                alarm=row.alarm, kind=row.kind, name=row.name, phase=body["phase"],
                since_us=body["first_since_us"], reason=body.get("reason"), flapping=body.get("flapping", False),
                incident=body.get("incident"), silence=silence,
            )
        )  # fmt: skip
    return found


def every_silence(connection: Connection) -> list[Silence]:
    """All that were ever asked for, by number."""
    rows = connection.execute(select(silences).order_by(silences.c.id)).mappings()
    return [Silence(**row) for row in rows]
