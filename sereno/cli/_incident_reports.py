"""The verbs of `sereno incidents` that read a report: opening, requesting, completing, grading, splitting."""

from typing import Annotated

import typer

from sereno.cli._incident_options import (
    AsJson,
    By,
    Category,
    Channel,
    Contact,
    Counterpart,
    Customers,
    Data,
    Database,
    Description,
    Direction,
    Extension,
    Impact,
    Note,
    Number,
    Occurred,
    Priority,
    Reporter,
    Sites,
    Title,
    Urgency,
)
from sereno.cli._incident_store import act


def register(app: typer.Typer) -> None:
    """Each verb is a command of the group."""
    app.command("open")(open_)
    for verb in (request, update, priority, split):
        app.command()(verb)


def open_(
    *, title: Title = None, customer: Customers = None, site: Sites = None, channel: Channel = None,
    reporter: Reporter = None, contact: Contact = None, extension: Extension = None, direction: Direction = None,
    counterpart: Counterpart = None, occurred: Occurred = None, description: Description = None,
    category: Category = None, priority: Priority = None, urgency: Urgency = None, impact: Impact = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Register an incident that somebody reports. What its contract still asks for is said, and shown by `show`."""
    act(
        "open", None, by, data, database, as_json, title=title, customer=customer, site=site, channel=channel,
        reporter=reporter, contact=contact, extension=extension, direction=direction, counterpart=counterpart,
        occurred=occurred, description=description, category=category, priority=priority, urgency=urgency,
        impact=impact,
    )  # fmt: skip


def request(
    *, title: Title = None, customer: Customers = None, site: Sites = None, channel: Channel = None,
    reporter: Reporter = None, contact: Contact = None, extension: Extension = None, description: Description = None,
    category: Category = None, priority: Priority = None, urgency: Urgency = None, impact: Impact = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Register a request (requerimiento): nothing is broken, somebody wants something."""
    act(
        "request", None, by, data, database, as_json, title=title, customer=customer, site=site, channel=channel,
        reporter=reporter, contact=contact, extension=extension, description=description, category=category,
        priority=priority, urgency=urgency, impact=impact,
    )  # fmt: skip


def update(
    number: Number, *, title: Title = None, customer: Customers = None, site: Sites = None, channel: Channel = None,
    reporter: Reporter = None, contact: Contact = None, extension: Extension = None, direction: Direction = None,
    counterpart: Counterpart = None, occurred: Occurred = None, description: Description = None,
    category: Category = None, note: Note = None, by: By = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """More of the report. With its last missing field the attention clock begins, where the contract says so."""
    act(
        "update", number, by, data, database, as_json, title=title, customer=customer, site=site, channel=channel,
        reporter=reporter, contact=contact, extension=extension, direction=direction, counterpart=counterpart,
        occurred=occurred, description=description, category=category, note=note,
    )  # fmt: skip


def priority(
    number: Number, *, priority: Priority = None, urgency: Urgency = None, impact: Impact = None, note: Note = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Grade it anew, by name or by urgency and impact; its clocks are counted again."""
    act(
        "priority", number, by, data, database, as_json, priority=priority, urgency=urgency, impact=impact, note=note
    )  # fmt: skip


def split(
    number: Number, *, title: Annotated[str, typer.Option("--title", help="What the new one is about.")],
    customer: Annotated[list[str] | None, typer.Option("--customer", help="Who goes with it; repeatable.")] = None,
    symptom: Annotated[list[str] | None, typer.Option("--symptom", help="Elements that are its symptoms.")] = None,
    description: Description = None, priority: Priority = None, note: Note = None, by: By = None, data: Data = None,
    database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make two of one that holds two matters; the new one counts from the same opening."""
    from sereno.cli._inbox import outcome_of
    from sereno.cli._incident_store import print_json, read
    from sereno.incident import incident_json

    given = {
        "number": number, "title": title, "customer": customer, "symptoms": symptom, "description": description,
        "priority": priority, "note": note,
    }  # fmt: skip
    outcome = outcome_of(
        data, database, "incident.split", {name: value for name, value in given.items() if value}, by
    )  # fmt: skip
    if as_json:
        records, _ = read(data, database, None, outcome.number)
        print_json({"incidents": [incident_json(record) for record in records]})
    else:
        print(f"Incidente {outcome.number}: separado del {number}.")
