"""`oncall.override` and `oncall.cancel`: somebody else is on call for a while."""

from collections.abc import Callable

from sqlalchemy import Connection, insert, select, update

from alerting.letters.times import moment
from alerting.lifecycle import RefusedError
from alerting.words import DESK_LANGUAGE
from sereno.desk import Desk
from sereno.errors import SerenoError
from sereno.store.commands import Command
from sereno.store.tables import rota_overrides
from sereno.yamlfile import nearest

LONGEST_US = 366 * 86_400_000_000


def handlers(desk: Desk | None, zone: str) -> dict[str, Callable[[Connection, Command, int], str]]:
    """The orders, checked against this desk; `zone` is where its clock hangs."""

    def local(at_us: int) -> str:
        return moment(at_us, DESK_LANGUAGE, zone)

    def override(connection: Connection, command: Command, now_us: int) -> str:
        asked = command.arguments
        level = _known("nivel", str(asked["level"]), [one.name for one in desk.levels] if desk is not None else [])
        person = _known("persona", str(asked["person"]), list(desk.people) if desk is not None else [])
        from_us = now_us if asked.get("from_us") is None else int(asked["from_us"])
        to_us = int(asked["to_us"])
        if to_us <= max(from_us, now_us):
            raise RefusedError(f"el relevo termina ({local(to_us)}) antes de empezar ({local(max(from_us, now_us))})")
        if to_us - from_us > LONGEST_US:
            raise RefusedError("un relevo dura un año a lo sumo; cambie el turno en desk.yaml")
        written = connection.execute(
            insert(rota_overrides).values(
                level=level, person=person, from_us=from_us, to_us=to_us, who=command.who, recorded_us=now_us
            )
        ).inserted_primary_key
        number = written[0] if written else "?"
        return f"relevo {number}: {person} atiende {level} de {local(from_us)} a {local(to_us)}"

    def cancel(connection: Connection, command: Command, now_us: int) -> str:
        number = int(command.arguments["id"])
        row = connection.execute(select(rota_overrides).where(rota_overrides.c.id == number)).first()
        if row is None:
            raise SerenoError(f"no hay ningún relevo {number}; «sereno oncall list» los enumera")
        if row.cancelled_us is not None or row.to_us <= now_us:
            raise RefusedError(f"el relevo {number} ya había terminado")
        done = update(rota_overrides).where(rota_overrides.c.id == number)
        connection.execute(done.values(cancelled_us=now_us))
        return f"relevo {number} cancelado"

    return {"oncall.override": override, "oncall.cancel": cancel}


def _known(kind: str, name: str, names: list[str]) -> str:
    if name not in names:
        there = f"hay {', '.join(names)}{nearest(name, names)}" if names else "desk.yaml no tiene"
        raise SerenoError(f"{kind} {name!r}: no existe; {there}")
    return name
