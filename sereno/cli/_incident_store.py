"""What the commands on incidents, problems and activities read from the store, and how they ask for an act."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sereno.incident import IncidentRecord, incident_json

if TYPE_CHECKING:
    from sereno.store.commands import Outcome

HIGHEST = 2**63 - 1  # what a database can count to


def read(
    data: Path | None, database: str | None, states: Collection[str] | None, number: int | None = None
) -> tuple[list[IncidentRecord], str]:
    """(incidents, the zone that people read the clock in)."""
    from sereno.instance import open_store
    from sereno.store.desk import incidents

    if number is not None and number > HIGHEST:
        return [], "UTC"
    store = open_store(data, database)
    try:
        with store.read() as connection:
            return incidents(connection, states=states, number=number), zone_of(connection)
    finally:
        store.dispose()


def zone_of(connection: Any) -> str:
    """The zone of the topology that was accepted last; where it names none, that of the desk's contract."""
    import msgspec
    from sqlalchemy import select

    from sereno.contract import load_contract
    from sereno.errors import SerenoError
    from sereno.store.tables import topologies

    row = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).first()
    if row is None:
        return "UTC"
    zone = str(msgspec.json.decode(row.topology).get("timezone") or "UTC")
    if zone != "UTC" or not row.desk:
        return zone
    beside = Path(row.beside) if row.beside else None
    try:
        return load_contract(msgspec.json.decode(row.desk)["contract"], beside=beside).versions[-1].timezone
    except SerenoError:  # its file is gone: the incidents are still there to be read
        return zone


def asked(
    verb: str, number: int | None, by: str | None, data: Path | None, database: str | None,
    arguments: Mapping[str, object], key: str = "number",
) -> "tuple[Outcome, int | None]":  # fmt: skip
    """What became of an order, and the number of what it is about: what it made, where it made something."""
    from sereno.cli._inbox import outcome_of

    given = {name: value for name, value in arguments.items() if value not in (None, [])}
    if number is not None:
        given[key] = number
    outcome = outcome_of(data, database, verb, given, by)
    return outcome, outcome.number if outcome.number is not None else number


def act(
    verb: str, number: int | None, by: str | None, data: Path | None, database: str | None, as_json: bool,
    **arguments: object,
) -> None:  # fmt: skip
    """Ask for it, and print what became of it; without a number, of what it made."""
    outcome, made = asked(f"incident.{verb}", number, by, data, database, arguments)
    if as_json:
        records, _ = read(data, database, None, made)
        print_json({"incidents": [incident_json(record) for record in records]})
    elif outcome.number is not None:
        print(f"Incidente {made}: registrado.")
    else:
        print(f"Incidente {made}: {outcome.text}.{_still_open(verb, made, data, database)}")


def _still_open(verb: str, number: int | None, data: Path | None, database: str | None) -> str:
    """A confirmation that closes nothing yet says what it waits for."""
    if verb != "confirm":
        return ""
    from alerting.acts.ending import uncategorised

    options = [
        f"--{name}" for record in read(data, database, {"resolved"}, number)[0] for name in uncategorised(record)
    ]
    return f" No se cierra todavía: falta {' y '.join(options)}." if options else ""


def print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
