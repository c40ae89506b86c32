"""`sereno availability`: how much of a window a scope was up, and what that proves."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.measure import Report, report
from collector.measure import as_json as told
from sereno.answers.availability import Asked
from sereno.availability import percent
from sereno.cli._days import bar, strip
from sereno.cli._progress import Progress
from sereno.clock import SECOND_US, SystemClock, iso, parse_instant
from sereno.errors import UsageError
from sereno.instance import open_store

app = typer.Typer(add_completion=False)
_WORDS = {"met": "cumplida", "missed": "incumplida", "not_provable": "no demostrable", None: "sin objetivo"}
_SHOWN = 5  # revisions that a person reads at a glance; --json has all


@app.command()
def availability(
    scope: Annotated[str, typer.Option("--scope", help="service, site:X, sbc:X, core:X, path:S/C or customer:X.")],
    from_: Annotated[str | None, typer.Option("--from", help="Beginning, ISO 8601 with offset.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="End (not included).")] = None,
    month: Annotated[
        str | None, typer.Option("--month", help="A calendar month instead, such as 2026-10, in the contract's zone.")
    ] = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="From the results alone; exit status 1 where the ledger differs.")
    ] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Availability of a scope in a window: low, observed, high; met, missed or not provable."""
    asked = _asked(scope, from_, to, month)
    store = open_store(data, database)
    try:
        with Progress("resultados") as progress:
            found = report(
                store, asked, SystemClock().now_us(), recompute=recompute, pictures=not as_json, progress=progress
            )
    finally:
        store.dispose()
    if as_json:
        print(json.dumps(told(found), ensure_ascii=False))
    else:
        _show(found)
    if found.forgotten_us is not None:
        sys.stderr.write(
            f"sereno: no results are kept of the time before {iso(found.forgotten_us)}: by the results it is unknown,"
            " and the ledger's word stands\n"
        )
    if found.differs:
        sys.stdout.flush()
        _tell_difference(found)
        raise typer.Exit(1)


def _asked(scope: str, from_: str | None, to: str | None, month: str | None) -> Asked:
    if month is not None:
        if from_ is not None or to is not None:
            raise UsageError("--month is a window by itself; leave out --from and --to")
        return Asked(scope, month=month)
    if from_ is None or to is None:
        raise UsageError("which window? give --from and --to, or --month 2026-10")
    from_us, to_us = _instant("--from", from_), _instant("--to", to)
    if from_us >= to_us:
        raise UsageError(f"--from {from_} is not before --to {to}; give a window that ends after it begins")
    return Asked(scope, from_us, to_us)


def _instant(flag: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _left(found: Report) -> int | None:
    return None if found.budget_us is None else found.budget_us - found.figures.down_us


def _show(found: Report) -> None:
    one = found.figures
    print(f"{one.scope}  {iso(one.from_us)} – {iso(one.to_us)}  ({found.zone})")
    print(f"  {percent(one.observed)} observada ({percent(one.low)} a {percent(one.high)})")
    for label, value in (
        ("caída", one.down_us),
        ("excluido", one.excluded_us),
        ("desconocido", one.unknown_us),
        ("total", one.total_us),
    ):
        print(f"  {label:<12} {value / SECOND_US:>16,.3f} s")
    target = "" if one.target is None else f" (objetivo {one.target:.4%})"
    outages = "caída" if one.outages == 1 else "caídas"
    bound = f"cota del muestreo {one.bound_us / SECOND_US:.3f} s"
    print(f"  {_WORDS[one.verdict]}{target}; {one.outages} {outages}, {bound}")
    _show_budget(found)
    _show_sites(found)
    for line in strip(found.days, found.zone):
        print(f"  {line}")
    if (year := found.year) is not None:
        down = f"caída {year.down_us / SECOND_US:,.3f} s, desconocido {year.unknown_us / SECOND_US:,.3f} s"
        print(f"  año móvil: {percent(year.observed)} observada ({percent(year.low)} a {percent(year.high)}); {down}")
    for each in found.revisions[-_SHOWN:]:
        span = f"{iso(each.from_us)} – {iso(each.to_us)}"
        print(
            f"  revisado {iso(each.noted_us)}: {each.kind} {each.name} {span} {each.was} → {each.became}: {each.note}"
        )
    if len(found.revisions) > _SHOWN:
        print(f"  … y {len(found.revisions) - _SHOWN} revisiones anteriores (--json las da todas)")


def _show_budget(found: Report) -> None:
    left = _left(found)
    if found.budget_us is None or left is None:
        return
    spent = found.figures.down_us
    words = f"quedan {left / SECOND_US:,.3f} s" if left >= 0 else f"excedido en {-left / SECOND_US:,.3f} s"
    print(
        f"  presupuesto {found.budget_us / SECOND_US:,.3f} s: gastados {spent / SECOND_US:,.3f} s, {words}"
        f"  {bar(spent, found.budget_us)}"
    )


def _show_sites(found: Report) -> None:
    if found.weighted_down_us is None or found.worst is None:
        return
    name, worst = found.worst
    print(f"  ponderada por sedes: caída {found.weighted_down_us / SECOND_US:,.3f} s")
    print(
        f"  peor sede: {name}, {percent(worst.observed)} observada, caída {worst.down_us / SECOND_US:,.3f} s,"
        f" desconocido {worst.unknown_us / SECOND_US:,.3f} s, {_WORDS[worst.verdict]}"
    )


def _tell_difference(found: Report) -> None:
    first = min(found.differs, key=lambda one: (one.from_us, one.kind, one.name))
    sys.stderr.write(
        f"sereno: the ledger does not say what the results say: {first.kind} {first.name} from {iso(first.from_us)} to"
        f" {iso(first.to_us)} is {first.was} there and {first.became} by the results ({len(found.differs)} such spans);"
        " run `sereno ledger verify`, or ask again if results are arriving late just now\n"
    )
