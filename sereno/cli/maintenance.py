"""`sereno maintenance`: announced windows of work."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sereno.clock import parse_instant
from sereno.errors import UsageError
from sereno.store.desk import Window
from sereno.store.desk_messages import Said
from sereno.told.maintenance import window_json

app = typer.Typer(no_args_is_help=True, add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who announces it.", show_default=False)]


@app.command()
def add(
    *,
    scope: Annotated[str, typer.Option("--scope", help="service, site:X, core:X, sbc:X, path:S/C or customer:X.")],
    start: Annotated[str, typer.Option("--from", help="ISO 8601 with offset.")],
    end: Annotated[str, typer.Option("--to", help="ISO 8601 with offset.")],
    announced: Annotated[str | None, typer.Option("--announced", help="When customers were told; else now.")] = None,
    critical_fix: Annotated[bool, typer.Option("--critical-fix", help="Mends a critical platform fault.")] = False,
    notify: Annotated[bool, typer.Option("--notify", help="Mail it to the contacts of every customer of it.")] = False,
    what: Annotated[str | None, typer.Option("--what", help="What is done, for the notice.")] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Announce a window. It silences alarms of its scope; the contract says whether its time is excluded."""
    from sereno.cli._inbox import ask

    kind, _, name = scope.partition(":")
    if not name and kind == "service":
        name = _service(data, database)
    if not name:
        raise UsageError(f"--scope {scope}: write kind:name, such as sbc:sbc-1, or service")
    from_us, to_us = _instant("--from", start), _instant("--to", end)
    if to_us <= from_us:
        raise UsageError(f"--from {start} is not before --to {end}; give a window that ends after it begins")
    arguments = {
        "kind": kind, "name": name, "critical_fix": critical_fix, "from_us": from_us, "to_us": to_us,
        "announced_us": _instant("--announced", announced) if announced else None, "notify": notify, "what": what,
    }  # fmt: skip
    text = ask(data, database, "maintenance.add", arguments, by)
    if as_json:
        same = (kind, name, from_us, to_us)
        windows, notices = _windows(data, database)
        _print([one for one in windows if (one.kind, one.name, one.from_us, one.to_us) == same][-1:], notices)
    else:
        print(text)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Cancelled ones too.")] = False,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Announced windows."""
    windows, notices = _windows(data, database)
    found = [window for window in windows if every or window.cancelled_us is None]
    if as_json:
        _print(found, notices)
    elif not found:
        print("Ningún mantenimiento.")
    else:
        from alerting.acts.words import local

        zone = _zone(data, database)
        for window in found:
            gone = "  cancelado" if window.cancelled_us is not None else ""
            span = f"{local(window.from_us, zone)} – {local(window.to_us, zone)}"
            told = local(window.announced_us, zone)
            print(f"{window.id:>4}  {window.kind}:{window.name}  {span}  anunciado {told}{gone}")
            for one in notices[window.id]:
                print(f"      → {one.address} ({one.customer}): {one.delivery()}")


@app.command()
def cancel(
    number: Annotated[int, typer.Argument(help="The window's number.")],
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take a window back."""
    from sereno.cli._inbox import ask

    text = ask(data, database, "maintenance.cancel", {"id": number}, by)
    if as_json:
        windows, notices = _windows(data, database)
        _print([window for window in windows if window.id == number], notices)
    else:
        print(text)


@app.command()
def isolate(
    sbc: Annotated[str, typer.Argument(help="The SBC.", show_default=False)],
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Mark an SBC as taken out of service under attack: nobody is woken for it, and no time is excluded."""
    _marked("sbc.isolate", sbc, by, data, database, as_json=as_json)


@app.command("return")
def return_(
    sbc: Annotated[str, typer.Argument(help="The SBC.", show_default=False)],
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take the mark away: the SBC is in service again."""
    _marked("sbc.heal", sbc, by, data, database, as_json=as_json)


def _marked(verb: str, sbc: str, by: str | None, data: Path | None, database: str | None, *, as_json: bool) -> None:
    import json

    from sereno.cli._inbox import ask

    text = ask(data, database, verb, {"sbc": sbc}, by)
    print(json.dumps({"sbc": sbc, "isolated": verb == "sbc.isolate"}) if as_json else text)


def _instant(option: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _zone(data: Path | None, database: str | None) -> str:
    from sereno.cli._incident_store import zone_of
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        with store.read() as connection:
            return zone_of(connection)
    finally:
        store.dispose()


def _service(data: Path | None, database: str | None) -> str:
    from sereno.cli._inbox import stored_machine
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        return str(stored_machine(store).topology.service)
    finally:
        store.dispose()


def _windows(data: Path | None, database: str | None) -> tuple[list[Window], dict[int, list[Said]]]:
    """(windows, the notices of each with their receipts)."""
    from sereno.instance import open_store
    from sereno.store.desk import windows
    from sereno.store.desk_messages import messages_of

    store = open_store(data, database)
    try:
        with store.read() as connection:
            found = windows(connection)
            return found, {one.id: messages_of(connection, maintenance=one.id) for one in found}
    finally:
        store.dispose()


def _print(found: list[Window], notices: dict[int, list[Said]]) -> None:
    rows = [window_json(window, notices[window.id]) for window in found]
    print(json.dumps({"maintenance": rows}, ensure_ascii=False, indent=2))
