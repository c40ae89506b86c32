"""`sereno problems`: what recurs, its root cause, and the incidents that it explains."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.cli._incident_options import AsJson, By, Data, Database, Note
from sereno.cli._incident_store import asked, print_json, zone_of
from sereno.problem import ProblemRecord, problem_json

app = typer.Typer(no_args_is_help=True, add_completion=False)

Number = Annotated[int, typer.Argument(help="The problem's number.", show_default=False)]
Incidents = Annotated[list[int] | None, typer.Option("--incident", help="One that it explains; repeatable.")]
Root = Annotated[str | None, typer.Option("--root-cause", help="What it was.", show_default=False)]
Workaround = Annotated[str | None, typer.Option("--workaround", help="What helps meanwhile.", show_default=False)]


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Open problems, oldest first."""
    found, zone = _read(data, database)
    found = [one for one in found if every or one.state == "open"]
    if as_json:
        print_json({"problems": [problem_json(one) for one in found]})
    elif not found:
        print("Ningún problema.")
    for one in found if not as_json else ():
        print(_line(one, zone))


@app.command()
def show(number: Number, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """One problem whole."""
    from alerting.acts.words import local
    from alerting.problems import UnknownProblemError

    found, zone = _read(data, database)
    one = next((one for one in found if one.number == number), None)
    if one is None:
        raise UnknownProblemError(number)
    if as_json:
        print_json({"problems": [problem_json(one)]})
        return
    print(_line(one, zone))
    for label, said in (("causa raíz", one.root_cause), ("solución provisional", one.workaround)):
        if said:
            print(f"       {label}: {said}")
    for entry in one.timeline:
        print(f"       {local(entry.at_us, zone)}  {entry.who}: {entry.what}")


@app.command("open")
def open_(
    title: Annotated[str, typer.Option("--title", help="What it is about.")], incident: Incidents = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Open one by hand, with the incidents that it explains."""
    _act("open", None, by, data, database, as_json=as_json, title=title, incidents=incident)


@app.command()
def link(
    number: Number, incident: Incidents = None, by: By = None, data: Data = None, database: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """These incidents are of it too."""
    _act("link", number, by, data, database, as_json=as_json, incidents=incident)


@app.command()
def note(
    number: Number, root_cause: Root = None, workaround: Workaround = None, note: Note = None, by: By = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write down its root cause, a workaround, or a line."""
    _act("note", number, by, data, database, as_json=as_json, root_cause=root_cause, workaround=workaround, note=note)


@app.command()
def close(
    number: Number, root_cause: Root = None, workaround: Workaround = None, note: Note = None, by: By = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Its root cause is known and mended."""
    _act("close", number, by, data, database, as_json=as_json, root_cause=root_cause, workaround=workaround, note=note)


def _act(
    verb: str, number: int | None, by: str | None, data: Path | None, database: str | None, *, as_json: bool,
    **arguments: object,
) -> None:  # fmt: skip
    outcome, made = asked(f"problem.{verb}", number, by, data, database, arguments)
    if as_json:
        found, _ = _read(data, database)
        print_json({"problems": [problem_json(one) for one in found if one.number == made]})
    else:
        print(f"Problema {made}: {outcome.text}.")


def _read(data: Path | None, database: str | None) -> tuple[list[ProblemRecord], str]:
    from alerting.rows import read_problems
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        with store.read() as connection:
            return read_problems(connection), zone_of(connection)
    finally:
        store.dispose()


def _line(one: ProblemRecord, zone: str) -> str:
    from alerting.acts.words import local

    state = "abierto" if one.state == "open" else "cerrado"
    numbers = ", ".join(str(number) for number in one.incidents) or "—"
    return f"{one.number:>5}  {state:<8} {local(one.opened_us, zone)}  {one.title}  (incidentes: {numbers})"
