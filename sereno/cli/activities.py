"""`sereno activities`: what contracts oblige the operator to do by a date (SOW)."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.activity import Activity, activity_json
from sereno.cli._incident_options import AsJson, By, Data, Database
from sereno.cli._incident_store import asked, print_json, zone_of

app = typer.Typer(no_args_is_help=True, add_completion=False)

Number = Annotated[int, typer.Argument(help="The activity's number.", show_default=False)]


@app.command("list")
def list_(
    customer: Annotated[str | None, typer.Option("--customer", help="Only this customer's.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Done and cancelled ones too.")] = False,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What is agreed and not done yet, the next due first."""
    from alerting.acts.words import local
    from sereno.clock import SystemClock

    found, zone = _read(data, database)
    now_us = SystemClock().now_us()
    found = [one for one in found if (every or one.waits) and customer in (None, one.customer)]
    found.sort(key=lambda one: (one.due_us, one.id))
    if as_json:
        print_json({"activities": [activity_json(one, now_us) for one in found]})
    elif not found:
        print("Ninguna actividad.")
    for one in found if not as_json else ():
        state = "atrasada" if one.late(now_us) else "a tiempo"
        state = "cancelada" if one.cancelled_us is not None else f"hecha, {state}" if one.done_us is not None else state
        print(f"{one.id:>5}  {one.customer}  {local(one.due_us, zone)}  {state}  {one.what}")


@app.command()
def add(
    customer: Annotated[str, typer.Option("--customer", help="With whom it was agreed.")],
    what: Annotated[str, typer.Option("--what", help="What is to be done.")],
    due: Annotated[str, typer.Option("--due", help="By when: ISO 8601 with offset.")],
    incident: Annotated[int | None, typer.Option("--incident", help="The incident that it came from.")] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Agree on one with a customer."""
    _act("add", None, by, data, database, as_json=as_json, customer=customer, what=what, due=due, incident=incident)


@app.command()
def done(
    number: Number, evidence: Annotated[str, typer.Option("--evidence", help="What shows it.")],
    at: Annotated[str | None, typer.Option("--at", help="When it was done, if not now.", show_default=False)] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It is done, and this shows it."""
    _act("done", number, by, data, database, as_json=as_json, evidence=evidence, at=at)


@app.command()
def cancel(
    number: Number, by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False
) -> None:
    """Both parties let it go."""
    _act("cancel", number, by, data, database, as_json=as_json)


def _act(
    verb: str, number: int | None, by: str | None, data: Path | None, database: str | None, *, as_json: bool,
    **arguments: object,
) -> None:  # fmt: skip
    from sereno.clock import SystemClock

    outcome, made = asked(f"activity.{verb}", number, by, data, database, arguments, key="id")
    if as_json:
        now_us = SystemClock().now_us()
        found = [activity_json(one, now_us) for one in _read(data, database)[0] if one.id == made]
        print_json({"activities": found})
    else:
        print(f"Actividad {made}: {outcome.text}.")


def _read(data: Path | None, database: str | None) -> tuple[list[Activity], str]:
    from alerting.rows import read_activities
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        with store.read() as connection:
            return read_activities(connection), zone_of(connection)
    finally:
        store.dispose()
