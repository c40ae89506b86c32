"""`sereno incidents`: what the desk works on, and what people do to it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.clock import SECOND_US, SystemClock, iso
from sereno.errors import UsageError
from sereno.incident import ACTIVE, PRIORITIES, STATES, IncidentRecord, incident_json

app = typer.Typer(no_args_is_help=True, add_completion=False)

_HIGHEST = 2**63 - 1  # what a database can count to

Number = Annotated[int, typer.Argument(help="The incident's number.", show_default=False)]
Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who does it; the user's name otherwise.", show_default=False)]
Note = Annotated[str | None, typer.Option("--note", help="Words for the timeline.", show_default=False)]


@app.command("list")
def list_(
    data: Data = None,
    database: Database = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these; repeatable.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed and merged ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open and resolved incidents, the gravest first."""
    wanted = _states(state, every)
    records = sorted(_read(data, database, wanted), key=_gravity)
    if as_json:
        _print_json({"incidents": [incident_json(record) for record in records]})
    elif not records:
        print("Ningún incidente.")
    else:
        for record in records:
            print(_line(record))


@app.command()
def show(number: Number, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """One incident whole, with its clocks and timeline."""
    records = _read(data, database, None, number)
    if not records:
        _unknown(number)
    if as_json:
        _print_json({"incidents": [incident_json(record) for record in records]})
        return
    for text in _whole(records[0]):
        print(text)


@app.command()
def ack(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """First response: somebody has it."""
    _act("ack", number, by, data, database, as_json, note=note)


@app.command()
def start(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Work on it has begun."""
    _act("start", number, by, data, database, as_json, note=note)


@app.command()
def assign(
    number: Number, to: Annotated[str, typer.Option("--to", help="Who has it now.")], by: By = None, note: Note = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give it to somebody."""
    _act("assign", number, by, data, database, as_json, to=to, note=note)


@app.command()
def note(
    number: Number, text: Annotated[str | None, typer.Argument(help="The note.", show_default=False)] = None,
    by: By = None, words: Note = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """A line in its timeline."""
    _act("note", number, by, data, database, as_json, note=text or words)


@app.command()
def resolve(
    number: Number, by: By = None, note: Note = None,
    category: Annotated[str | None, typer.Option("--category", help="What kind of fault.")] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="What it was, in words.")] = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It is over. Refused while anything of it is still down."""
    _act("resolve", number, by, data, database, as_json, note=note, category=category, cause=cause)


@app.command()
def close(
    number: Number, by: By = None, note: Note = None,
    category: Annotated[str | None, typer.Option("--category", help="What kind of fault.")] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="What it was, in words.")] = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Confirmed and done with; only a resolved one."""
    _act("close", number, by, data, database, as_json, note=note, category=category, cause=cause)


@app.command()
def reopen(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """It was not over."""
    _act("reopen", number, by, data, database, as_json, note=note)


@app.command()
def pause(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Stop the solution clock after a question to the customer; never on what the monitor opened."""
    _act("pause", number, by, data, database, as_json, note=note)


@app.command()
def resume(
    number: Number, by: By = None, note: Note = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The customer answered: the clock goes on."""
    _act("resume", number, by, data, database, as_json, note=note)


# -- how ---------------------------------------------------------------------------------------------------------------


def _act(
    verb: str, number: int, by: str | None, data: Path | None, database: str | None, as_json: bool, **arguments: object
) -> None:
    from sereno.cli._inbox import ask

    given = {name: value for name, value in arguments.items() if value is not None}
    text = ask(data, database, f"incident.{verb}", {"number": number, **given}, by)
    if as_json:
        _print_json({"incidents": [incident_json(record) for record in _read(data, database, None, number)]})
    else:
        print(f"Incidente {number}: {text}.")


def _read(
    data: Path | None, database: str | None, states: list[str] | None, number: int | None = None
) -> list[IncidentRecord]:
    from sereno.instance import open_store
    from sereno.store.desk import incidents

    if number is not None and number > _HIGHEST:
        return []
    store = open_store(data, database)
    try:
        with store.read() as connection:
            return incidents(connection, states=states, number=number)
    finally:
        store.dispose()


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


def _line(record: IncidentRecord) -> str:
    from alerting.lifecycle import STATE_WORDS
    from alerting.words import grade

    state = STATE_WORDS[record.state]
    return f"{record.number:>5}  {grade(record):<11} {state:<12} {iso(record.opened_us)}  {record.title}"


def _whole(record: IncidentRecord) -> list[str]:
    now_us = SystemClock().now_us()
    lines = [_line(record), f"       causa: {record.cause.kind} {record.cause.name}; desde {iso(record.since_us)}"]
    if record.customers:
        lines.append("       clientes: " + ", ".join(f"{name} ({grade})" for name, grade in record.customers.items()))
    if record.symptoms:
        lines.append("       síntomas: " + ", ".join(f"{one.alarm} {one.name}" for one in record.symptoms))
    words = {"running": "corre", "paused": "en pausa", "met": "cumplido", "missed": "incumplido"}
    for clock in record.clocks:
        left = (clock.due_us - now_us) // SECOND_US
        rest = f", faltan {left // 60} min" if clock.state == "running" and left > 0 else ""
        who = clock.customer or "mesa"
        lines.append(
            f"       reloj {clock.clock} {who} ({clock.contract}): {iso(clock.due_us)} {words[clock.state]}{rest}"
        )
    lines += [f"       {iso(entry.at_us)}  {entry.who}: {entry.what}" for entry in record.timeline]
    return lines


def _print_json(document: dict[str, Any]) -> None:
    import json

    print(json.dumps(document, ensure_ascii=False, indent=2))
