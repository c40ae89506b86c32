"""`sereno alarms`: what is declared, what holds now, what is silenced; runbooks, schema, silences."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from sereno.alarms.silence import Silence
from sereno.cli import _alarms as told
from sereno.clock import iso, parse_duration, parse_instant
from sereno.errors import UsageError
from sereno.told import alarms as told_alarms

app = typer.Typer(no_args_is_help=True, add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
File = Annotated[Path | None, typer.Option("--alarms", help="An alarms.yaml; else the one in use.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who asks for it.", show_default=False)]
Language = Annotated[str, typer.Option("--language", help="es or en.")]


@app.command("list")
def list_(
    now: Annotated[bool, typer.Option("--now", help="Only what holds now.")] = False,
    alarms: File = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Declared alarms; with a store also what holds now, and every silence."""
    scene = told.scene(alarms, data, database, time.time_ns() // 1_000)
    if as_json:
        print(json.dumps(told_alarms.as_json(scene, now=now), ensure_ascii=False, indent=2))
    else:
        for line in told.lines(scene, now=now):
            print(line)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The alarm's name.")],
    alarms: File = None, language: Language = "es",
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """One alarm: what it watches, what it means, what to do; where it holds now."""
    scene = told.scene(alarms, data, database, time.time_ns() // 1_000)
    alarm = told.declared(scene, name)
    if as_json:
        print(json.dumps(told_alarms.alarm_json(scene, name, alarm), ensure_ascii=False, indent=2))
    else:
        for line in told.alarm_lines(scene, name, alarm, language):
            print(line)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="alarms.yaml", readable=False)], as_json: AsJson = False
) -> None:
    """Check a whole file: keys, measures, scopes, windows. Exit 2 and one line at a fault."""
    from sereno.alarms import ThresholdAlarm, read_alarms

    found = read_alarms(file)
    measured = [name for name, alarm in found.alarms.items() if isinstance(alarm, ThresholdAlarm)]
    if as_json:
        said = {"file": str(file), "valid": True, "alarms": list(found.alarms), "threshold": measured}
        print(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        print(f"{file}: valid; {len(found.alarms)} alarms, {len(measured)} of them on a measure")


@app.command()
def schema() -> None:
    """Print the JSON Schema of alarms.yaml, for editors that complete and check YAML."""
    from sereno.alarms import Alarms
    from sereno.shape import json_schema

    print(json_schema(Alarms))


@app.command()
def measures(as_json: AsJson = False) -> None:
    """What a threshold alarm can measure, of which elements, divided by what."""
    from sereno.alarms import MEASURES
    from sereno.alarms.measures import AGGREGATES

    if as_json:
        rows = {name: {**one._asdict(), "aggregates": AGGREGATES[one.shape]} for name, one in MEASURES.items()}
        print(json.dumps({"measures": rows}, ensure_ascii=False, indent=2))
        return
    for name, one in MEASURES.items():
        print(f"{name:<26}{one.meaning}")
        by = f"; by {', '.join(one.by)}" if one.by else ""
        print(f"{'':<26}{one.unit}; {', '.join(AGGREGATES[one.shape])}; of {', '.join(one.scopes)}{by}")


@app.command()
def runbooks(alarms: File = None, language: Language = "es", data: Data = None, database: Database = None) -> None:
    """Print every alarm's meaning and steps as one Markdown page."""
    from sereno.alarms.describe import runbooks as page

    scene = told.scene(alarms, data, database, time.time_ns() // 1_000)
    print(page(scene.alarms, language), end="")


@app.command()
def silence(
    alarm: Annotated[str | None, typer.Argument(help="The alarm's name; any where none is given.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Of one kind of element: sbc, path…")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Of one element; * and ? stand for letters.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="ISO 8601 with offset; else now.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="ISO 8601 with offset.")] = None,
    length: Annotated[str | None, typer.Option("--for", help="How long instead, such as 2h.")] = None,
    why: Annotated[str, typer.Option("--why", help="The reason, for those who see it later.")] = "",
    *, by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Hear nothing of some alarms for a while: they open nothing and page nobody, and are listed."""
    from sereno.cli._inbox import ask

    from_us = None if start is None else _instant("--from", start)
    if (end is None) == (length is None):
        raise UsageError("a silence needs an end: give --to or --for, one of them")
    begin_us = from_us if from_us is not None else time.time_ns() // 1_000
    to_us = _instant("--to", end) if end is not None else begin_us + _length(length or "")
    asked = {"alarm": alarm, "kind": kind, "name": name, "from_us": from_us, "to_us": to_us, "why": why}
    ask(data, database, "silence.add", asked, by)
    _print(told.silences(data, database)[-1:], as_json=as_json)


@app.command()
def unsilence(
    number: Annotated[int, typer.Argument(help="The silence's number.")],
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End a silence now: what still holds speaks at once."""
    from sereno.cli._inbox import ask

    ask(data, database, "silence.cancel", {"id": number}, by)
    _print([one for one in told.silences(data, database) if one.id == number], as_json=as_json)


def _print(found: list[Silence], *, as_json: bool) -> None:
    if as_json:
        rows = [told_alarms.silence_json(one, time.time_ns() // 1_000) for one in found]
        print(json.dumps({"silences": rows}, ensure_ascii=False, indent=2))
        return
    for one in found:
        if one.cancelled_us is None:
            print(f"Silencio {one.id} de {told.matcher(one)} hasta {iso(one.to_us)}")
        else:
            print(f"Silencio {one.id} terminado")


def _instant(option: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _length(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None
