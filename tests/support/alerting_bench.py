"""A desk on a bench: a small topology, contracts, and changes written by hand in the words of `sereno.verdict`."""

import functools
from pathlib import Path

import yaml

from alerting.desk import DeskMachine
from alerting.effects import Effect, Notification
from sereno.alarms import Alarms, load_alarms
from sereno.clock import SECOND_US, parse_instant
from sereno.contract import Contract, load_contract
from sereno.desk import load_desk
from sereno.incident import ACTIVE, IncidentRecord
from sereno.topology import topology_from_json
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change

S = SECOND_US
MINUTE = 60 * S
T0 = parse_instant("2026-07-11T03:00:00-05:00")  # a Saturday in Bogotá

TOPOLOGY = """
service: voz
cores: {core-a: {uri: "sip:127.0.2.1"}, core-b: {uri: "sip:127.0.2.2"}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1:5060"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:127.0.1.2:5060"], primary: core-b, backup: core-a}
customers:
  acme: {name: Acme, contract: callmyway}
  beta: {name: Beta, contract: wekall}
sites:
  p: {customer: acme, sbcs: [sbc-1, sbc-2], failover: auto}
  q: {customer: beta, sbcs: [sbc-1], failover: none, networks: [isp-etb]}
checks: {options: {every: 1s, timeout: 900ms}}
probes: {bog-1: {network: isp-etb}, bog-2: {network: isp-claro}}
"""
DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people:
  ana: {email: ana@example.net, channels: [hook], locale: es_CO}
  leo: {email: leo@example.net, channels: [hook], locale: en}
levels: [{name: L1, people: [ana]}, {name: L2, people: [leo]}]
"""


@functools.cache
def _contract(name: str) -> Contract:
    return load_contract(name)


@functools.cache
def _alarms() -> Alarms:
    return load_alarms()


def topology(text: str = TOPOLOGY) -> Topology:
    return topology_from_json(yaml.safe_load(text))


class Bench:
    """A machine, what it said so far, and short words to speak to it. Times are seconds after T0."""

    def __init__(self, folder: Path, *, topology_text: str = TOPOLOGY, desk_text: str | None = DESK,
                 contracts: tuple[str, ...] = ("callmyway", "wekall")) -> None:  # fmt: skip
        desk = None
        if desk_text is not None:
            (folder / "desk.yaml").write_text(desk_text)
            desk = load_desk(folder / "desk.yaml")
        known = {name: _contract(name) for name in contracts}
        watched = topology(topology_text)
        self.make = lambda: DeskMachine(watched, desk, known, _alarms())
        self.desk = self.make()
        self.effects: list[Effect] = []

    def say(self, at: float, kind: str, name: str, state: str, *, what: str = VERDICT, since: float | None = None,
            **more: object) -> None:  # fmt: skip
        change = Change(kind=kind, name=name, what=what, state=state, at_us=T0 + round(at * S),
                        since_us=T0 + round((at if since is None else since) * S), **more)  # fmt: skip
        self.effects += self.desk.change(change)

    def down(self, at: float, *elements: str, since: float | None = None, **more: object) -> None:
        for element in elements:
            self.say(at, kind_of(element), element.partition(":")[2] or element, "down", since=since, **more)

    def up(self, at: float, *elements: str, since: float | None = None) -> None:
        for element in elements:
            self.say(at, kind_of(element), element.partition(":")[2] or element, "up", since=since)

    def finding(self, at: float, what: str, kind: str, name: str, state: str = "true", **more: object) -> None:
        self.say(at, kind, name, state, what=what, **more)

    def tick(self, at: float) -> None:
        self.effects += self.desk.tick(T0 + round(at * S))

    def act(self, at: float, verb: str, number: int = 1, **arguments: object) -> None:
        self.effects += self.desk.command(verb, {"number": number, **arguments}, "ana", T0 + round(at * S))

    def incidents(self) -> list[IncidentRecord]:
        return self.desk.incidents()

    def one(self) -> IncidentRecord:
        found = self.incidents()
        assert len(found) == 1, [(one.number, one.cause, one.state) for one in found]
        return found[0]

    def open(self) -> list[IncidentRecord]:
        return [record for record in self.incidents() if record.state in ACTIVE]

    def told(self, what: str | None = None) -> list[Notification]:
        return [one for one in self.effects if isinstance(one, Notification) and what in (None, one.what)]

    def pages(self) -> list[Notification]:
        return [one for one in self.told() if one.page]


def kind_of(element: str) -> str:
    """`site:p`, `service:voz`; bare names of paths, cores and SBCs say it themselves."""
    if ":" in element:
        return element.partition(":")[0]
    return "path" if "/" in element else element.partition("-")[0]


def seconds(at_us: int | None) -> float | None:
    return None if at_us is None else (at_us - T0) / S


A = ("sbc-1/core-a", "sbc-2/core-a")
B = ("sbc-1/core-b", "sbc-2/core-b")


def core_a_dies(bench: Bench, at: float = 0.0) -> None:
    bench.down(at + 2.0, A[0], since=at)
    bench.down(at + 2.8, A[1], "core-a", since=at)
    bench.say(at + 2.8, "site", "p", "degraded", since=at)
    bench.say(at + 2.8, "service", "voz", "degraded", since=at)
    bench.finding(at + 2.8, "redundancy_lost", "site", "p", since=at)


def core_b_dies(bench: Bench, at: float) -> None:
    bench.down(at + 2.0, *B, since=at)
    bench.down(at + 2.0, "site:p", "site:q", "service:voz", "core-b", since=at)


def clock(record: IncidentRecord, customer: str | None, name: str) -> list[tuple[str, str]]:
    return [(c.priority, c.state) for c in record.clocks if (c.customer, c.clock) == (customer, name)]
