"""Applies the inbox: incidents by the machine, maintenance by its table; each command with its outcome, once."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DataError

from alerting import changes
from alerting.acts import knows
from alerting.acts.words import local
from alerting.desk import DeskMachine
from alerting.effects import Effect
from alerting.inbound import HANDLERS as INBOUND
from alerting.lifecycle import RefusedError
from alerting.notices import announce
from alerting.silences import SILENCING
from sereno.errors import SerenoError
from sereno.store.changes import insert_changes
from sereno.store.commands import Command, Outcome, finish, pending
from sereno.store.desk import windows
from sereno.store.tables import isolations, maintenance
from sereno.topology.model import Topology

Handler = Callable[[Connection, Command, int], str]  # what it did, in words; raises SerenoError to refuse


def apply_pending(
    connection: Connection, machine: DeskMachine, handlers: Mapping[str, Handler], now_us: int
) -> tuple[list[Effect], list[Command]]:
    """Everything in the inbox, in order; (what the desk decided, what was done)."""
    effects: list[Effect] = []
    done: list[Command] = []
    for command in pending(connection):
        try:
            outcome, decided = _apply(connection, machine, handlers, command, now_us)
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:  # a poisoned order is refused, once
            words = f"la orden {command.verb} trae argumentos que no se entienden: {error!r}"
            finish(connection, command.id, Outcome(state="refused", text=words, code=2), now_us)
        except DataError as error:
            words = f"la orden {command.verb} trae datos que la base no admite: {str(error.orig).splitlines()[0]}"
            finish(connection, command.id, Outcome(state="refused", text=words, code=2), now_us)
        except SerenoError as error:
            finish(connection, command.id, Outcome(state="refused", text=str(error), code=error.exit_code), now_us)
        else:
            finish(connection, command.id, outcome, now_us)
            effects += decided
            done.append(command)
    return effects, done


def _apply(
    connection: Connection, machine: DeskMachine, handlers: Mapping[str, Handler], command: Command, now_us: int
) -> tuple[Outcome, list[Effect]]:
    """One order: by the machine, by what has the machine beside its rows, or by rows alone."""
    verb, effects = command.verb, list[Effect]()
    if knows(verb) or verb in SILENCING:
        effects = machine.command(verb, command.arguments, command.who, now_us)
        return Outcome(state="done", text="hecho", number=machine.made), effects
    with connection.begin_nested():  # PostgreSQL: what it refuses spoils all that is not set apart
        if verb in INBOUND:
            text, effects = INBOUND[verb](connection, machine, command, now_us)
        elif verb in handlers:
            text = handlers[verb](connection, command, now_us)
            if verb == "maintenance.add" and command.arguments.get("notify"):
                effects = _announce(connection, machine, command, now_us)
        else:
            raise RefusedError(f"no se conoce la orden {verb!r}")
    return Outcome(state="done", text=text), effects


def _announce(connection: Connection, machine: DeskMachine, command: Command, now_us: int) -> list[Effect]:
    """The customers are told of the window that was just recorded."""
    window = windows(connection)[-1]
    what = command.arguments.get("what")
    return announce(machine, window, str(what) if what else None, now_us)


def handlers_for(topology: Topology) -> dict[str, Handler]:
    """The orders that only write a row for the collector, which polls those tables, checked against this topology."""
    return {**_maintenance(topology), **_isolation(topology), "change.record": _change(topology)}


def _change(topology: Topology) -> Handler:
    def write(connection: Connection, command: Command, now_us: int) -> str:
        """A change of the platform that somebody made: the desk reads it like anything that is said."""
        asked = {**command.arguments, "name": command.arguments.get("name") or topology.service}
        kind, name = _scope(topology, asked)
        text = str(asked["what"]).strip()
        if not text:
            raise RefusedError("diga qué se cambió")
        insert_changes(connection, [changes.recorded(kind, name, text, command.who, now_us)])
        return f"cambio en {kind} {name} registrado: {text[: changes.LONGEST]}"

    return write


def _isolation(topology: Topology) -> dict[str, Handler]:
    current = isolations.c.to_us.is_(None)

    def isolate(connection: Connection, command: Command, now_us: int) -> str:
        _, sbc = _scope(topology, {"kind": "sbc", "name": command.arguments["sbc"]})
        if connection.execute(select(isolations.c.id).where(isolations.c.sbc == sbc, current)).first() is not None:
            raise RefusedError(f"el SBC {sbc} ya está aislado")
        connection.execute(insert(isolations).values(sbc=sbc, from_us=now_us, who=command.who))
        return f"SBC {sbc} aislado"

    def heal(connection: Connection, command: Command, now_us: int) -> str:
        _, sbc = _scope(topology, {"kind": "sbc", "name": command.arguments["sbc"]})
        ended = connection.execute(update(isolations).where(isolations.c.sbc == sbc, current).values(to_us=now_us))
        if ended.rowcount == 0:
            raise RefusedError(f"el SBC {sbc} no está aislado")
        return f"SBC {sbc} de vuelta al servicio"

    return {"sbc.isolate": isolate, "sbc.heal": heal}


def _maintenance(topology: Topology) -> dict[str, Handler]:
    """`maintenance.add` and `maintenance.cancel`."""
    zone = topology.timezone

    def add(connection: Connection, command: Command, now_us: int) -> str:
        asked = command.arguments
        kind, name = _scope(topology, asked)
        from_us, to_us = int(asked["from_us"]), int(asked["to_us"])
        if to_us <= from_us:
            raise RefusedError(f"la ventana termina ({local(to_us, zone)}) antes de empezar ({local(from_us, zone)})")
        announced = now_us if asked.get("announced_us") is None else int(asked["announced_us"])
        if announced > now_us:
            raise RefusedError(f"no se puede haber anunciado después de ahora ({local(announced, zone)})")
        written = connection.execute(
            insert(maintenance).values(
                scope_kind=kind,
                scope_name=name,
                from_us=from_us,
                to_us=to_us,
                announced_us=announced,
                critical_fix=bool(asked.get("critical_fix", False)),
                who=command.who,
                recorded_us=now_us,
            )
        ).inserted_primary_key
        return f"mantenimiento {written[0] if written else '?'} de {kind} {name} registrado"

    def cancel(connection: Connection, command: Command, now_us: int) -> str:
        number = int(command.arguments["id"])
        row = connection.execute(select(maintenance).where(maintenance.c.id == number)).first()
        if row is None:
            raise SerenoError(f"no hay ningún mantenimiento {number}; «sereno maintenance list» los enumera")
        if row.cancelled_us is not None:
            raise RefusedError(f"el mantenimiento {number} ya estaba cancelado")
        connection.execute(update(maintenance).where(maintenance.c.id == number).values(cancelled_us=now_us))
        return f"mantenimiento {number} cancelado"

    return {"maintenance.add": add, "maintenance.cancel": cancel}


def _scope(topology: Topology, asked: Mapping[str, Any]) -> tuple[str, str]:
    """The scope, if the topology has it."""
    kind, name = str(asked.get("kind")), str(asked.get("name"))
    known = {
        "service": [topology.service],
        "site": list(topology.sites),
        "core": list(topology.cores),
        "sbc": list(topology.sbcs),
        "path": [path.name for path in topology.paths()],
        "customer": list(topology.customers),
    }
    if kind not in known:
        raise SerenoError(f"{kind}:{name}: no es un ámbito; son {', '.join(known)}")
    if name not in known[kind]:
        there = ", ".join(known[kind]) or "no hay ninguno"
        raise SerenoError(f"{kind}:{name}: no está en la topología; {there}")
    return kind, name
