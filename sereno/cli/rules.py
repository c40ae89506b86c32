"""`sereno rules render DIR`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sereno.cli._render import render_into
from sereno.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sereno.alarms import Alarms
    from sereno.contract import Contract, Version
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
    alarms: Annotated[
        Path | None, typer.Option("--alarms", help="An alarms.yaml; else the one in use.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write recording rules, SLO burn-rate alerts and alarms for `rule_files` of Prometheus, and their own tests."""
    from deploy.prometheus import rules, slo

    if topology is not None and (data is not None or database is not None):
        raise UsageError("--topology excludes --data and --database; give one")
    at_us = time.time_ns() // 1_000
    source = _source(topology, data, database)
    contracts = _contracts(source, contract)
    by = next(iter(contracts)) if contract is not None else None
    found = slo.objectives(source.topology, contracts, at_us, by)
    if source.topology is None:
        names = " and ".join(contracts)
        print(f"sereno: no topology is known: rules for every site, by {names}; or give --topology", file=sys.stderr)
    declared, version = _alarms(source, contracts, alarms, by, at_us)
    render_into(folder, lambda where: rules.render(where, found, at_us, declared, version), as_json=as_json)


class _Source(NamedTuple):
    """What is watched and by whom, as far as it is known."""

    topology: "Topology | None" = None
    beside: Path | None = None
    desk_contract: str | None = None


def _source(topology: Path | None, data: Path | None, database: str | None) -> _Source:
    """The topology of a file, or the one in force."""
    from sereno.topology import load_topology

    if topology is not None:
        return _Source(load_topology(topology), topology.parent)
    return _stored(data, database)


def _contracts(source: _Source, contract: str | None) -> "dict[str, Contract]":
    """The contracts that speak of its sites."""
    from sereno.contract import load_contract

    if contract is not None:
        names = {contract}
    elif source.topology is not None:
        names = {customer.contract for customer in source.topology.customers.values()}
    else:
        names = {_DEFAULT}
    loaded = [load_contract(name, source.beside) for name in sorted(names)]
    return {one.name: one for one in loaded}


def _alarms(
    source: _Source, contracts: "dict[str, Contract]", alarms: Path | None, by: str | None, at_us: int
) -> "tuple[Alarms, Version]":
    """The declared alarms, and the contract whose matrix grades them: the desk's own, else the first known."""
    from sereno.alarms import load_alarms, read_alarms
    from sereno.contract import load_contract

    declared = read_alarms(alarms) if alarms is not None else load_alarms(source.beside)
    name = by or source.desk_contract or min(contracts, default=_DEFAULT)
    grades = contracts.get(name) or load_contract(name, source.beside)
    return declared, grades.at(at_us)


def _stored(data: Path | None, database: str | None) -> _Source:
    """What a store says; nothing where nobody named one and there is none."""
    import msgspec
    from sqlalchemy import select

    from sereno.instance import open_store
    from sereno.store.queries.ledger import in_force
    from sereno.store.tables import topologies

    try:
        store = open_store(data, database)
    except StoreError:
        if data is not None or database is not None:
            raise
        return _Source()
    try:
        with store.read() as connection:
            known = in_force(connection)
            newest = select(topologies.c.desk).order_by(topologies.c.id.desc()).limit(1)
            desk = connection.execute(newest).scalar()
    finally:
        store.dispose()
    if not known:
        return _Source()
    beside = Path(known[-1].beside) if known[-1].beside else None
    return _Source(known[-1].topology, beside, msgspec.json.decode(desk).get("contract") if desk else None)
