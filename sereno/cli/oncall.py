"""`sereno oncall`: who is on call at each level, now and next; who stands in; did every step happen."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.clock import SystemClock, iso, parse_instant
from sereno.errors import UsageError

app = typer.Typer(invoke_without_command=True, add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who asks for it.", show_default=False)]
At = Annotated[str | None, typer.Option("--at", help="ISO 8601 with offset; now by default.", show_default=False)]
DeskFile = Annotated[Path | None, typer.Option("--desk", help="Read this desk.yaml, and no store.", show_default=False)]


@app.callback()
def root(
    context: typer.Context,
    at: At = None, desk: DeskFile = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Who is on call now and next, who stands in, and whether every step happened."""
    if context.invoked_subcommand is None:
        show(at, desk, data, database, as_json)


@app.command()
def show(
    at: At = None, desk: DeskFile = None, data: Data = None, database: Database = None, as_json: AsJson = False
) -> None:
    """Who is on call at each level, until when, and who follows."""
    from sereno.cli._oncall import answer, lines

    at_us = _instant("--at", at) if at is not None else SystemClock().now_us()
    found = answer(at_us, desk, data, database)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines(found)))


@app.command()
def override(
    level: Annotated[str, typer.Option("--level", help="The level.")],
    person: Annotated[str, typer.Option("--person", help="Who is on call there instead.")],
    end: Annotated[str, typer.Option("--to", help="ISO 8601 with offset.")],
    start: Annotated[str | None, typer.Option("--from", help="ISO 8601 with offset; now by default.")] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Somebody stands in at a level for a while."""
    from sereno.cli._inbox import ask

    from_us = _instant("--from", start) if start is not None else None
    to_us = _instant("--to", end)
    if from_us is not None and to_us <= from_us:
        raise UsageError(f"--from {start} is not before --to {end}; give a time that ends after it begins")
    asked = {"level": level, "person": person, "from_us": from_us, "to_us": to_us}
    text = ask(data, database, "oncall.override", asked, by)
    if as_json:
        _print(_recorded(data, database)[-1:])
    else:
        print(text)


@app.command()
def cancel(
    number: Annotated[int, typer.Argument(help="The override's number.")],
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take an override back."""
    from sereno.cli._inbox import ask

    text = ask(data, database, "oncall.cancel", {"id": number}, by)
    if as_json:
        _print([one for one in _recorded(data, database) if one["id"] == number])
    else:
        print(text)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Past and cancelled ones too.")] = False,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Who stands in, now and later."""
    now = iso(SystemClock().now_us())
    found = [one for one in _recorded(data, database) if every or (one["cancelled"] is None and one["to"] > now)]
    if as_json:
        _print(found)
    elif not found:
        print("Ningún relevo.")
    else:
        from sereno.cli._oncall import on_the_wall, zone_of_store

        zone = zone_of_store(data, database)
        for one in found:
            gone = "  cancelado" if one["cancelled"] is not None else ""
            span = f"{on_the_wall(one['from'], zone)} – {on_the_wall(one['to'], zone)}"
            print(f"{one['id']:>4}  {one['level']}: {one['person']}  {span}  ({one['who']}){gone}")


@app.command()
def audit(data: Data = None, database: Database = None, as_json: AsJson = False) -> int:
    """Did every step happen that was due? Exit status 1 if one did not."""
    from sereno.cli._oncall import audited

    found = audited(data, database)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    elif not found["findings"]:
        print("Todo lo que tocaba ocurrió.")
    else:
        for one in found["findings"]:
            print(one["text"])
    return 1 if found["findings"] else 0


def _instant(option: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _recorded(data: Path | None, database: str | None) -> list[dict[str, Any]]:
    from sereno.instance import open_store
    from sereno.store.oncall import recorded

    store = open_store(data, database)
    try:
        with store.read() as connection:
            rows = recorded(connection)
    finally:
        store.dispose()
    return [
        {
            "id": row.override.id,
            "level": row.override.level,
            "person": row.override.person,
            "from": iso(row.override.from_us),
            "to": iso(row.override.to_us),
            "who": row.who,
            "recorded": iso(row.recorded_us),
            "cancelled": None if row.cancelled_us is None else iso(row.cancelled_us),
        }
        for row in rows
    ]


def _print(found: list[dict[str, Any]]) -> None:
    print(json.dumps({"overrides": found}, ensure_ascii=False, indent=2))
