"""`sereno availability`: how much of a window a scope was up, and what that proves."""

import json
from pathlib import Path
from typing import Annotated

import typer

from collector.availability import Figures
from collector.measure import measure
from sereno.clock import SECOND_US, parse_instant
from sereno.errors import UsageError
from sereno.instance import open_store

app = typer.Typer(add_completion=False)
_WORDS = {"met": "cumplida", "missed": "incumplida", "not_provable": "no demostrable", None: "sin objetivo"}


@app.command()
def availability(
    scope: Annotated[str, typer.Option("--scope", help="service, site:X, sbc:X, core:X, path:S/C or customer:X.")],
    from_: Annotated[str, typer.Option("--from", help="Beginning, ISO 8601 with offset.")],
    to: Annotated[str, typer.Option("--to", help="End (not included).")],
    recompute: Annotated[
        bool, typer.Option("--recompute", help="From the results alone, not from the ledger.")
    ] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Availability of a scope in a window: low, observed, high; met, missed or not provable."""
    from_us, to_us = _instant("--from", from_), _instant("--to", to)
    if from_us >= to_us:
        raise UsageError(f"--from {from_} is not before --to {to}; give a window that ends after it begins")
    store = open_store(data, database)
    try:
        found = measure(store, scope, from_us, to_us, recompute=recompute)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        _show(found)


def _instant(flag: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _show(found: Figures) -> None:
    def ratio(value: float | None) -> str:
        return "—" if value is None else f"{value:.6%}"

    print(f"{found.scope}: {ratio(found.observed)} observada ({ratio(found.low)} a {ratio(found.high)})")
    for label, value in (
        ("caída", found.down_us),
        ("excluido", found.excluded_us),
        ("desconocido", found.unknown_us),
        ("total", found.total_us),
    ):
        print(f"  {label:<12} {value / SECOND_US:>16,.3f} s")
    target = "" if found.target_ppm is None else f" (objetivo {found.target_ppm / 10_000:.4f} %)"
    outages = "caída" if found.outages == 1 else "caídas"
    bound = f"cota del muestreo {found.bound_us / SECOND_US:.3f} s"
    print(f"  {_WORDS[found.verdict]}{target}; {found.outages} {outages}, {bound}")
