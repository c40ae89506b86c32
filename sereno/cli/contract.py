"""`sereno contract`: validate and list contracts, compute due dates and a month's compliance."""

import json
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from sereno.clock import parse_instant, to_datetime
from sereno.contract import Contract, Version, load_contract, shipped
from sereno.contract.clock import Pause
from sereno.contract.model import CLOCKS, KINDS, PRIORITIES
from sereno.contract.terms import Priority
from sereno.errors import UsageError

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def validate(
    file: Annotated[str, typer.Argument(help="A contract's file, or the name of a shipped one.")],
    as_json: AsJson = False,
) -> None:
    """Check a whole contract. Exit 2 and one line at a fault."""
    contract = load_contract(file)
    if as_json:
        print(json.dumps({"file": file, "valid": True, **_facts(contract)}, ensure_ascii=False, indent=2))
    else:
        print(f"{file}: valid; contract {_line(contract)}")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The contracts that come with Sereno."""
    contracts = [load_contract(name) for name in shipped()]
    if as_json:
        print(json.dumps({"contracts": [_facts(one) for one in contracts]}, ensure_ascii=False, indent=2))
        return
    for contract in contracts:
        print(_line(contract))


@app.command()
def schema() -> None:
    """Print the JSON Schema, for editors that complete and check YAML."""
    from sereno.shape import json_schema

    print(json_schema(Contract))


@app.command()
def due(
    contract: Annotated[str, typer.Option("--contract", help="A shipped name, or a file.")],
    priority: Annotated[str, typer.Option("--priority", help="Urgente, Alta, Normal, Baja, or the customer's S1…S4.")],
    clock: Annotated[str, typer.Option("--clock", help="attention or solution.")],
    opened: Annotated[str, typer.Option("--opened", help="ISO 8601 with offset, such as 2026-07-10T17:30-05:00.")],
    kind: Annotated[str, typer.Option("--kind", help="incident or request.")] = "incident",
    paused: Annotated[
        list[str] | None, typer.Option("--paused", help="FROM/TO, of the solution clock; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """When a service-level clock falls due: the earliest instant by which its time has passed."""
    _one_of("--kind", kind, KINDS)
    _one_of("--clock", clock, CLOCKS)
    opened_us = _instant("--opened", opened)
    pauses = [_pause(text) for text in paused or ()]
    if pauses and clock == "attention":
        raise UsageError("--paused: the attention clock is never paused; leave it out, or ask for --clock solution")
    version = _version(load_contract(contract), contract, opened, opened_us)
    rule = version.clock(kind, clock, _priority(version, priority))
    moment = None
    if rule is not None:
        moment = to_datetime(rule.due(opened_us, pauses)).astimezone(ZoneInfo(version.timezone)).isoformat()
    if as_json:
        print(json.dumps({"due": moment}))
    else:
        print(moment or "this contract has no such clock")


@app.command()
def compliance(
    month: Annotated[str, typer.Option("--month", help="A calendar month, such as 2026-10, in the contract's zone.")],
    customer: Annotated[str | None, typer.Option("--customer", help="Whose month.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="One of the customers' sites instead.")] = None,
    contract: Annotated[
        str | None, typer.Option("--contract", help="Judge by this contract instead: a shipped name, or a file.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Clocks that fell due in a month: met, missed, against the target; credits; availability beside."""
    from sereno.cli._compliance import tell
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        tell(store, customer, site, month, contract, as_json=as_json)
    finally:
        store.dispose()


def _version(contract: Contract, name: str, opened: str, opened_us: int) -> Version:
    version = contract.in_force(opened_us)
    if version is None:
        first = contract.versions[0].effective
        raise UsageError(f"--opened {opened}: {name} promised nothing yet; its first version is of {first}")
    return version


def _priority(version: Version, word: str) -> Priority:
    found = version.priority_named(word)
    if found is None:
        own = ", ".join(dict.fromkeys(version.severities.values()))
        known = ", ".join(PRIORITIES) + (f", or {own}" if own else "")
        raise UsageError(f"--priority {word!r}: is none of this contract's; write {known}")
    return found


def _one_of(option: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise UsageError(f"{option} {word!r}: is not known; write {' or '.join(known)}")


def _instant(option: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _pause(text: str) -> Pause:
    begins, mark, ends = text.partition("/")
    if not mark or not ends:
        raise UsageError(f"--paused {text!r}: is no span; write FROM/TO, both ISO 8601 with offset")
    found = _instant("--paused", begins), _instant("--paused", ends)
    if found[0] >= found[1]:
        raise UsageError(f"--paused {text!r}: ends before it begins; write FROM/TO in order")
    return found


def _line(contract: Contract) -> str:
    dates = ", ".join(str(version.effective) for version in contract.versions)
    last = contract.versions[-1]
    target = "no availability target" if last.target_ppm is None else f"{last.target_ppm / 10_000:g} %"
    return f"{contract.name}: effective {dates}; {last.timezone}, {target}"


def _facts(contract: Contract) -> dict[str, object]:
    return {
        "contract": contract.name,
        "versions": [
            {
                "effective": str(version.effective),
                "timezone": version.timezone,
                "target_ppm": version.target_ppm,
                "clocks": [
                    f"{kind}.{clock}"
                    for kind in KINDS
                    for clock in CLOCKS
                    if any(version.clock(kind, clock, priority) for priority in PRIORITIES)
                ],
            }
            for version in contract.versions
        ],
    }
