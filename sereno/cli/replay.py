"""`sereno replay`: recorded results and events through the machines that run live."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from alerting.desk import DeskMachine
from alerting.effects import AlarmCleared, AlarmRaised, Effect, Notification
from alerting.lifecycle import RefusedError, UnknownIncidentError
from alerting.service import DEFAULT_CONTRACT
from collector.recording import Recording
from collector.replay import Replay
from collector.stream import AlertTold, DisorderError, IncidentAct, Line
from sereno.alarms import Alarms, load_alarms
from sereno.availability import Scope, percent
from sereno.cli._alerts import gathered, told_of
from sereno.clock import iso, parse_instant
from sereno.contract import Contract, load_contract
from sereno.desk import Desk as DeskModel
from sereno.desk import load_desk
from sereno.errors import ConfigError, UsageError
from sereno.incident import incident_json
from sereno.oncall import Roster
from sereno.scope import parse_scope
from sereno.store.queries.revisions import revision_json
from sereno.topology import Topology, load_topology
from sereno.verdict import Change

app = typer.Typer(add_completion=False)
_PROGRESS_SECONDS = 2.0
_TURNS_US = 200 * 86_400_000_000  # for which calendar feeds are spelt out


class Desk:
    """The desk machine beside the engine, and everything that it says."""

    def __init__(self, machine: DeskMachine) -> None:
        self.machine = machine
        self.alarms: list[dict[str, Any]] = []
        self.notifications: list[dict[str, Any]] = []
        self._open: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._due_us = machine.next_due_us()
        self._alerts = gathered(machine)

    def due_us(self) -> int | None:
        """When the desk has something to decide; it changes only when it is told something."""
        return self._due_us

    def hear(self, changes: list[Change], at_us: int) -> None:
        """Changes decided at an instant."""
        for change in changes:
            self._take(self.machine.change(change))
        self._take(self.machine.tick(at_us))
        self._due_us = self.machine.next_due_us()

    def act(self, event: IncidentAct | AlertTold, at_us: int, where: str) -> None:
        """What a person did, or another system told; a refusal is said and the replay goes on, as the desk would."""
        if isinstance(event, AlertTold):
            change = self._alerts.take(told_of(event, at_us), at_us)
            self.hear([change] if change is not None else [], at_us)
            return
        given = {
            key: value for key, value in msgspec.structs.asdict(event).items()
            if value is not None and key not in {"v", "at", "action", "by"}
        }  # fmt: skip
        try:
            self._take(self.machine.command(f"incident.{event.action}", given, event.by, at_us))
            self._due_us = self.machine.next_due_us()
        except UnknownIncidentError as error:
            raise ConfigError(where, str(error), "name an incident that is open by then") from None
        except RefusedError as error:
            sys.stderr.write(f"sereno: {where}: refused: {error}\n")
        except (ValueError, KeyError) as error:
            raise ConfigError(where, str(error), "see docs/replay.md for what each act takes") from None

    def _take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, AlarmRaised):
                alarm: dict[str, Any] = {"alarm": effect.alarm, "kind": effect.kind, "name": effect.name}
                alarm |= {"from": iso(effect.from_us), "to": None}
                self.alarms.append(alarm)
                self._open[effect.alarm, effect.kind, effect.name] = alarm
            elif isinstance(effect, AlarmCleared):
                opened = self._open.pop((effect.alarm, effect.kind, effect.name), None)
                if opened is not None:
                    opened["to"] = iso(effect.to_us)
            elif isinstance(effect, Notification):
                told: dict[str, Any] = {"at": iso(effect.at_us), "incident": effect.incident, "to": effect.to}
                told |= {"what": effect.what, "channel": effect.channel, "page": effect.page}
                if effect.items:
                    told["incidents"] = [one.number for one in effect.items]
                self.notifications.append(told)


@app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Results and events, one JSON object per line; gzipped or not; - is stdin.")
    ],
    topology: Annotated[Path, typer.Option("--topology", help="The topology file that was in force.")],
    contract: Annotated[
        str | None, typer.Option("--contract", help="A contract, shipped or a file, for everybody.")
    ] = None,
    desk: Annotated[Path | None, typer.Option("--desk", help="The desk file: who is told.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Run the clock on to this instant.")] = None,
    availability: Annotated[
        list[str] | None, typer.Option("--availability", help="service, site:X, sbc:X, core:X, path:S/C, customer:X.")
    ] = None,
    from_: Annotated[list[str] | None, typer.Option("--from", help="Beginning of that window (one per scope).")] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help="Its end.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run recorded results through the machines: intervals, alarms, incidents, notifications, availability."""
    watched = load_topology(topology)
    told = _desk(desk, topology)
    if contract is not None:
        watched, told = _under(load_contract(contract, topology), watched, told)
    contracts = contracts_of(watched, topology, contract, told.contract if told is not None else None)
    windows = _windows(watched, availability or [], from_ or [], to or [])
    until_us = _instant("--until", until) if until is not None else None
    alarms = load_alarms(topology.parent)
    if told is None:
        told = _nobody(next(iter(contracts), DEFAULT_CONTRACT))
    promised = contracts or {DEFAULT_CONTRACT: load_contract(DEFAULT_CONTRACT)}  # a desk needs a matrix
    run, heard = _run(files, watched, contracts, lambda: DeskMachine(watched, told, promised, alarms), until_us, alarms)
    answer = {
        "intervals": [
            {"kind": one.kind, "name": one.name, "state": one.state, "from": iso(one.from_us), "to": iso(one.to_us)}
            for one in run.intervals()
        ],
        "alarms": heard.alarms,
        "incidents": [incident_json(record) for record in heard.machine.incidents()],
        "notifications": heard.notifications,
        "availability": [run.availability(*window).as_json() for window in windows],
    }
    if run.pour.revisions:
        answer["revisions"] = [revision_json(one) for one in run.pour.revisions]
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer)


def _desk(given: Path | None, topology: Path) -> DeskModel | None:
    """The desk file, or the one beside the topology."""
    if given is not None:
        return load_desk(given)
    beside = topology.parent / "desk.yaml"
    return load_desk(beside) if beside.is_file() else None


def _nobody(contract: str) -> DeskModel:
    """A desk with one recipient named `desk`: so that a replay tells what would be said, and when."""
    channel = {"desk": {"webhook": "http://127.0.0.1/"}}
    return DeskModel.model_validate(
        {"contract": contract, "channels": channel, "people": {"desk": {"channels": ["desk"]}}}
    )


def _under(given: Contract, topology: Topology, desk: DeskModel | None) -> tuple[Topology, DeskModel | None]:
    """The same customers and desk, all under one contract."""
    customers = {
        name: customer.model_copy(update={"contract": given.name}) for name, customer in topology.customers.items()
    }
    told = desk.model_copy(update={"contract": given.name}) if desk is not None else None
    return topology.model_copy(update={"customers": customers}), told


def contracts_of(
    topology: Topology, path: Path, contract: str | None, desk_contract: str | None
) -> dict[str, Contract]:
    """Every contract in play by its name; the one given by hand where there is one."""
    if contract is not None:
        given = load_contract(contract, path)
        return {given.name: given}
    names = dict.fromkeys(customer.contract for customer in topology.customers.values())
    if desk_contract is not None:
        names[desk_contract] = None
    return {name: load_contract(name, path) for name in names}


def _run(
    files: list[Path],
    topology: Topology,
    contracts: dict[str, Contract],
    machine: Callable[[], DeskMachine],
    until_us: int | None,
    alarms: Alarms,
) -> tuple[Replay, Desk]:
    recording = Recording(topology, files)
    heard = Desk(machine())
    try:
        run = _feed(recording.lines(), topology, contracts, heard, until_us, alarms)
    except DisorderError:  # not in order of time after all: read the whole and sort
        heard = Desk(machine())
        run = _feed(recording.in_order(), topology, contracts, heard, until_us, alarms)
    if recording.strangers and topology.probes:
        names = ", ".join(sorted(recording.strangers))
        sys.stderr.write(f"sereno: probes that the topology does not name vote as outside probes: {names}\n")
    return run, heard


def _feed(
    lines: Iterator[Line],
    topology: Topology,
    contracts: dict[str, Contract],
    heard: Desk,
    until_us: int | None,
    alarms: Alarms,
) -> Replay:
    first = next(lines, None)
    start_us = first.at_us if first is not None else (until_us or 0)
    _turns(heard.machine.escalation.roster, start_us)
    run = Replay(topology, contracts, start_us, heard.hear, heard.act, heard.due_us, alarms)
    run.run(_again(first, lines), until_us, _progress() if sys.stderr.isatty() else None)
    return run


def _turns(roster: Roster, start_us: int) -> None:
    """Whose turn it was by the calendar feeds as they are today: a replay keeps no copies of its own."""
    if roster.desk is not None and any(rota.icalendar is not None for rota in roster.desk.rotas.values()):
        from sereno.cli._oncall import read_feeds  # the library of calendars is slow to load

        until_us = start_us + _TURNS_US
        read_feeds(roster, until_us, (start_us - _TURNS_US // 10, until_us))


def _again(first: Line | None, rest: Iterator[Line]) -> Iterator[Line]:
    if first is not None:
        yield first
    yield from rest


def _windows(topology: Topology, scopes: list[str], begins: list[str], ends: list[str]) -> list[tuple[Scope, int, int]]:
    if not len(scopes) == len(begins) == len(ends):
        raise UsageError("--availability, --from and --to go together: give one --from and one --to for each scope")
    found = []
    for scope, begin, end in zip(scopes, begins, ends, strict=True):
        from_us, to_us = _instant("--from", begin), _instant("--to", end)
        if from_us >= to_us:
            raise UsageError(f"--from {begin} is not before --to {end}; give a window that ends after it begins")
        found.append((Scope(*parse_scope(topology, scope)), from_us, to_us))
    return found


def _instant(flag: str, text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _progress() -> Any:
    began = time.monotonic()

    def tell(count: int) -> None:
        passed = time.monotonic() - began
        if passed > _PROGRESS_SECONDS:
            sys.stderr.write(f"\r{count:,} lines, {count / passed:,.0f} a second")
            sys.stderr.flush()

    return tell


def _show(answer: dict[str, Any]) -> None:
    """For people: what was not up, what was opened, what was proved."""
    for one in answer["intervals"]:
        if one["state"] != "up":
            print(f"{one['from']}  {one['to']}  {one['kind']} {one['name']}: {one['state']}")
    for one in answer["incidents"]:
        cause = one["cause"]
        print(
            f"#{one['number']} {one['priority']} {cause['kind']} {cause['name']} since {one['since']}: {one['state']}"
        )
    for one in answer.get("revisions", ()):
        print(
            f"{one['from']}  {one['to']}  {one['kind']} {one['name']}: {one['was']} → {one['became']} ({one['note']})"
        )
    for one in answer["notifications"]:
        about = "-" if one["incident"] is None else f"#{one['incident']}"
        print(f"{one['at']}  {about} → {one['to']}: {one['what']}")
    for one in answer["availability"]:
        observed = percent(one["observed"])
        print(
            f"{one['scope']}: observed {observed}, down {one['down_seconds']} s, excluded {one['excluded_seconds']} s,"
            f" unknown {one['unknown_seconds']} s of {one['total_seconds']} s; {one['verdict'] or 'no target'}"
        )
