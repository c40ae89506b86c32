"""The verbs of `sereno incidents` on one that is there: taking it, working on it, ending it."""

from typing import Annotated

import typer

from sereno.cli._incident_options import AsJson, By, Category, Cause, Data, Database, Note, Number
from sereno.cli._incident_store import act


def register(app: typer.Typer) -> None:
    """Each verb is a command of the group."""
    for verb in (
        ack, start, assign, note, pause, resume, redate, resolve, confirm, close, reopen, merge, tell, answer, survey,
    ):  # fmt: skip
        app.command()(verb)


def ack(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """First response: somebody has it."""
    act("ack", number, by, data, database, as_json, note=note)


def start(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Work on it has begun."""
    act("start", number, by, data, database, as_json, note=note)


def assign(
    number: Number, to: Annotated[str, typer.Option("--to", help="Who has it now.")], by: By = None, note: Note = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give it to somebody."""
    act("assign", number, by, data, database, as_json, to=to, note=note)


def note(
    number: Number, text: Annotated[str | None, typer.Argument(help="The note.", show_default=False)] = None,
    by: By = None, words: Note = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """A line in its timeline."""
    act("note", number, by, data, database, as_json, note=text or words)


def pause(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Stop the solution clock after a question to the customer (--note); never on what the monitor opened."""
    act("pause", number, by, data, database, as_json, note=note)


def resume(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The customer answered: the clock goes on."""
    act("resume", number, by, data, database, as_json, note=note)


def redate(
    number: Number, due: Annotated[str, typer.Option("--due", help="The date agreed: ISO 8601 with offset.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, as the customer was told.")], by: By = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The solution has another date, agreed with the customer: it went to development."""
    act("redate", number, by, data, database, as_json, due=due, reason=reason)


def resolve(
    number: Number, by: By = None, note: Note = None, category: Category = None, cause: Cause = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It is over. Refused while anything of it is still down."""
    act("resolve", number, by, data, database, as_json, note=note, category=category, cause=cause)


def confirm(
    number: Number, by: By = None, note: Note = None, category: Category = None, cause: Cause = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The customer says that it is solved: closes it, once category and cause are on the record."""
    act("confirm", number, by, data, database, as_json, note=note, category=category, cause=cause)


def close(
    number: Number, by: By = None, note: Note = None, category: Category = None, cause: Cause = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Confirmed and done with; only a resolved one, and with category and cause where the contract wants them."""
    act("close", number, by, data, database, as_json, note=note, category=category, cause=cause)


def reopen(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """It was not over."""
    act("reopen", number, by, data, database, as_json, note=note)


def merge(
    number: Number, into: Annotated[int, typer.Option("--into", help="The incident that it is part of.")],
    by: By = None, note: Note = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It is the same as another, which takes over its customers, symptoms and clocks."""
    act("merge", number, by, data, database, as_json, into=into, note=note)


def tell(
    number: Number,
    kind: Annotated[str, typer.Option("--kind", help="opening, progress, question or solution.")] = "progress",
    text: Annotated[str | None, typer.Option("--text", help="What to tell them.", show_default=False)] = None,
    customer: Annotated[list[str] | None, typer.Option("--customer", help="Only these customers; repeatable.")] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """A message to the customer's contacts, by mail; `sereno incidents messages` shows its receipt."""
    act("tell", number, by, data, database, as_json, kind=kind, text=text, customer=customer)


def answer(
    number: Number, text: Annotated[str, typer.Option("--text", help="What the customer said.")],
    sender: Annotated[str | None, typer.Option("--from", help="Who said it.", show_default=False)] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """The customer answered, by whatever way: on the record, and a clock that waited for it goes on."""
    act("answer", number, by, data, database, as_json, text=text, sender=sender)


def survey(
    number: Number, score: Annotated[int, typer.Option("--score", help="From 1 to 5.")],
    comment: Annotated[str | None, typer.Option("--comment", help="In the customer's words.")] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What the customer thought of the service."""
    act("survey", number, by, data, database, as_json, score=score, comment=comment)
