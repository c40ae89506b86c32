"""`sereno ledger`: the sealed days of availability: verify the chain, list it, take out a day to check by hand."""

import json
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.ledger import seal
from collector.ledger.check import Verdict, verify
from collector.ledger.seal import Fault
from sereno.cli._progress import Progress
from sereno.clock import SystemClock, from_datetime, iso, parse_instant
from sereno.errors import SerenoError, UsageError
from sereno.instance import open_store
from sereno.store import Store
from sereno.store.commands import collector_alive
from sereno.store.queries import seals

app = typer.Typer(no_args_is_help=True, add_completion=False)
_PATIENCE_SECONDS = 5.0
_AGAIN_SECONDS = 0.5

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class NoSealError(SerenoError):
    """There is no such seal."""

    exit_code = 1


@app.command("verify")
def verify_(
    from_: Annotated[str | None, typer.Option("--from", help="Days from this instant on; all without it.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Days before this instant.")] = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Check the chain of seals and every sealed row; exit status 1, and the first day, where something does not fit."""
    from_us = _instant("--from", from_) if from_ else None
    to_us = _instant("--to", to) if to else None
    if from_us is not None and to_us is not None and from_us >= to_us:
        raise UsageError(f"--from {from_} is not before --to {to}; give a window that ends after it begins")
    store = open_store(data, database)
    try:
        found = _patiently(store, from_us, to_us)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps(_verdict_json(found), ensure_ascii=False))
    else:
        _show(found)
    if found.faults:
        raise typer.Exit(1)


@app.command("seals")
def seals_(data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """The chain: which days are sealed, when, by which hash, and what was revised."""
    store = open_store(data, database)
    try:
        with store.read() as connection:
            chain = seals.seals(connection)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"seals": [_seal_json(one) for one in chain]}, ensure_ascii=False))
    elif not chain:
        print("Ningún día sellado todavía: cada día UTC se sella 24 h después de terminar.")
    for one in () if as_json else chain:
        revised = f"  revisa {one.revises}: {one.note}" if one.revises is not None else ""
        print(
            f"{one.id:>5}  {seal.day_name(one.day_us)}  {one.rows:>6} filas  {iso(one.sealed_us)}  {one.hash}{revised}"
        )


@app.command()
def export(
    day: Annotated[str, typer.Option("--day", help="A UTC day, such as 2026-10-31.")],
    number: Annotated[int | None, typer.Option("--seal", help="An earlier seal of that day; else the last.")] = None,
    data: Data = None, database: Database = None,
) -> None:  # fmt: skip
    """Print exactly the bytes that a day's seal hashes: `… | sha256sum` is the seal's hash."""
    day_us = _day(day)
    store = open_store(data, database)
    try:
        with store.read() as connection:
            mine = [one for one in seals.seals(connection) if one.day_us == day_us and number in (None, one.id)]
            if not mine:
                which = f"seal {number} of {day}" if number is not None else f"seal of {day}"
                raise NoSealError(f"there is no {which}; `sereno ledger seals` lists them")
            rows = seals.rows_of(connection, day_us, mine[-1].upto)
    finally:
        store.dispose()
    sys.stdout.flush()
    sys.stdout.buffer.write(seal.canonical(mine[-1], rows))
    sys.stdout.buffer.flush()


def _patiently(store: Store, from_us: int | None, to_us: int | None) -> Verdict:
    """While a collector is taking in late results, a day's rows are for seconds newer than its seal."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with store.read() as connection, Progress("días") as progress:
            found = verify(connection, SystemClock().now_us(), from_us, to_us, progress)
        passing = found.faults and all(fault.what == seal.CHANGED for fault in found.faults)
        if not passing or time.monotonic() > deadline or not collector_alive(store):
            return found
        time.sleep(_AGAIN_SECONDS)


def _instant(flag: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _day(text: str) -> int:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--day {text!r} is not a date; write one such as 2026-10-31") from None
    return from_datetime(datetime(found.year, found.month, found.day, tzinfo=UTC))


def _verdict_json(found: Verdict) -> dict[str, Any]:
    return {
        "intact": not found.faults,
        "days": found.days,
        "seals": found.seals,
        "rows": found.rows,
        "last_hash": found.last.hash if found.last is not None else None,
        "faults": [
            {"day": None if one.day_us is None else seal.day_name(one.day_us), "seal": one.seal, "what": one.what}
            for one in _in_order(found.faults)
        ],
        "unsealed": [seal.day_name(day_us) for day_us in found.unsealed],
    }


def _seal_json(one: seals.Seal) -> dict[str, Any]:
    return {
        "seal": one.id, "day": seal.day_name(one.day_us), "rows": one.rows, "upto": one.upto, "hash": one.hash,
        "previous": one.previous, "sealed": iso(one.sealed_us), "revises": one.revises, "note": one.note,
    }  # fmt: skip


def _in_order(faults: list[Fault]) -> list[Fault]:
    """The first day that does not fit comes first."""
    return sorted(faults, key=lambda one: (one.day_us or 0, one.seal or 0))


def _show(found: Verdict) -> None:
    for one in _in_order(found.faults):
        day = "la cadena" if one.day_us is None else seal.day_name(one.day_us)
        print(f"✕ {day} (sello {one.seal}): {one.what}")
    if not found.faults:
        print(f"✓ {found.days} días sellados, {found.rows} filas: la cadena de {found.seals} sellos es íntegra.")
    if found.last is not None:
        print(f"  último sello: {found.last.id}, {seal.day_name(found.last.day_us)}, {found.last.hash}")
    if found.unsealed:
        days = ", ".join(seal.day_name(day_us) for day_us in found.unsealed[:8])
        print(f"  sin sellar todavía ({len(found.unsealed)}): {days}")
