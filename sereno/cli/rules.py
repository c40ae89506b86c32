"""`sereno rules render DIR`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli._render import render_into
from sereno.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sereno.contract import Contract
    from sereno.topology import Topology

app = typer.Typer(no_args_is_help=True, add_completion=False)
_DEFAULT = "callmyway"  # the shipped contract that promises an availability


@app.callback()
def _group() -> None:
    """Prometheus rules as code."""


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the rule files go.")],
    topology: Annotated[Path | None, typer.Option("--topology", help="What is watched; else what was stored.")] = None,
    contract: Annotated[
        str | None, typer.Option("--contract", help="A contract's name or file, by which every site is judged.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write recording rules and SLO burn-rate alerts for `rule_files` of Prometheus, and their own tests."""
    from deploy.prometheus import rules, slo

    if topology is not None and (data is not None or database is not None):
        raise UsageError("--topology excludes --data and --database; give one")
    at_us = time.time_ns() // 1_000
    watched, contracts = _watched(topology, data, database, contract)
    by = next(iter(contracts)) if contract is not None else None
    found = slo.objectives(watched, contracts, at_us, by)
    if watched is None:
        names = " and ".join(contracts)
        print(f"sereno: no topology is known: rules for every site, by {names}; or give --topology", file=sys.stderr)
    render_into(folder, lambda where: rules.render(where, found, at_us), as_json=as_json)


def _watched(
    topology: Path | None, data: Path | None, database: str | None, contract: str | None
) -> "tuple[Topology | None, dict[str, Contract]]":
    """The topology in force, if one is known, and the contracts that speak of its sites."""
    from sereno.contract import load_contract
    from sereno.topology import load_topology

    found: Topology | None
    beside: Path | None
    if topology is not None:
        found, beside = load_topology(topology), topology.parent
    else:
        found, beside = _stored(data, database)
    if contract is not None:
        names = {contract}
    elif found is not None:
        names = {customer.contract for customer in found.customers.values()}
    else:
        names = {_DEFAULT}
    loaded = [load_contract(name, beside) for name in sorted(names)]
    return found, {one.name: one for one in loaded}


def _stored(data: Path | None, database: str | None) -> "tuple[Topology | None, Path | None]":
    """What a store says; nothing where nobody named one and there is none."""
    from sereno.instance import open_store
    from sereno.store.queries.ledger import in_force

    try:
        store = open_store(data, database)
    except StoreError:
        if data is not None or database is not None:
            raise
        return None, None
    try:
        with store.read() as connection:
            known = in_force(connection)
    finally:
        store.dispose()
    if not known:
        return None, None
    return known[-1].topology, Path(known[-1].beside) if known[-1].beside else None
