"""`sereno incidents`: what the desk works on, and what people do to it."""

from typing import Annotated

import typer

from sereno.cli import _incident_acts, _incident_change, _incident_reports
from sereno.cli._incident_options import AsJson, Data, Database, Number
from sereno.cli._incident_store import print_json, read
from sereno.errors import UsageError
from sereno.incident import ACTIVE, PRIORITIES, STATES, IncidentRecord, incident_json

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command("list")
def list_(
    data: Data = None,
    database: Database = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these; repeatable.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed and merged ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open and resolved incidents, the gravest first."""
    from sereno.cli._incident_words import line

    found, zone = read(data, database, _states(state, every))
    records = sorted(found, key=_gravity)
    if as_json:
        print_json({"incidents": [incident_json(record) for record in records]})
    elif not records:
        print("Ningún incidente.")
    else:
        for record in records:
            print(line(record, zone))


@app.command()
def show(number: Number, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """One incident whole, with its clocks and timeline."""
    from sereno.cli._incident_words import whole

    records, zone = read(data, database, None, number)
    if not records:
        _unknown(number)
    if as_json:
        print_json({"incidents": [incident_json(record) for record in records]})
        return
    for text in whole(records[0], zone):
        print(text)


@app.command()
def messages(number: Number, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """What the customer's contacts were told, each with its receipt, and what they answered."""
    from alerting.acts.words import local
    from sereno.cli._incident_words import MESSAGES, harmless
    from sereno.instance import open_store
    from sereno.store.desk_messages import messages_of

    records, zone = read(data, database, None, number)
    if not records:
        _unknown(number)
    store = open_store(data, database)
    try:
        with store.read() as connection:
            found = messages_of(connection, number=number)
    finally:
        store.dispose()
    if as_json:
        print_json({"messages": [one.as_json() for one in found]})
    elif not found:
        print("Ningún mensaje.")
    for one in found if not as_json else ():
        way = "→" if one.direction == "out" else "←"
        told = harmless(" ".join((one.subject or one.body[:80]).split()))
        print(f"{local(one.at_us, zone)}  {way} {one.address or '—'}  {MESSAGES.get(one.kind, one.kind)}: {told}")
        print(f"       {one.delivery()}")


def _states(asked: list[str] | None, every: bool) -> list[str] | None:
    if asked:
        for state in asked:
            if state not in STATES:
                raise UsageError(f"--state {state}: no such state; they are {', '.join(STATES)}")
        return asked
    return None if every else [*ACTIVE, "resolved"]


def _unknown(number: int) -> None:
    from alerting.lifecycle import UnknownIncidentError

    raise UnknownIncidentError(number)


def _gravity(record: IncidentRecord) -> tuple[bool, int, int]:
    return record.state not in ACTIVE, PRIORITIES.index(record.priority), record.number


_incident_acts.register(app)
_incident_reports.register(app)
_incident_change.register(app)

__all__ = ["app"]
