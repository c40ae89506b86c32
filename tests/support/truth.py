"""Systems, faults of their elements, and what a right desk must say of them: the truth is known, not guessed.

A fault takes out a core, an SBC or one path; from it follows what forced, edge and natural checks bring home.
Everything is sent by rounds, each check at its own phase, and heard through the machines that run live.
"""

import random
from typing import Any, NamedTuple

from alerting.desk import DeskMachine
from collector.replay import Replay
from collector.stream import Line
from sereno.alarms import load_alarms
from sereno.cli.replay import Desk
from sereno.clock import SECOND_US, iso, parse_instant
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.topology import topology_from_json
from sereno.wire import Result

T0 = parse_instant("2026-11-02T12:00:00Z")
DESK = parse_desk(
    "desk.yaml",
    b"""
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}}
levels: [{name: L1, people: [ana]}]
""",
)
CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}
ALARMS = load_alarms()
TIMEOUT = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}


class Fault(NamedTuple):
    """An element that does not work from one round until another."""

    kind: str  # core, sbc, path, network
    name: str
    begin: int
    end: int


def system(rng: random.Random, *, sbcs: int | None = None, cores: int | None = None) -> dict[str, Any]:
    """A topology: one to five SBCs, two or three cores, one to four networks, several sites of two customers."""
    names = [f"core-{letter}" for letter in "abcdefghij"[: cores or rng.choice([2, 2, 3])]]
    count = sbcs or rng.choice([1, 2, 3, 5])
    found: dict[str, Any] = {}
    for number in range(1, count + 1):
        primary = names[number % len(names)]
        backup = names[(number + 1) % len(names)]
        found[f"sbc-{number}"] = {
            "addresses": [f"sip:10.1.{number // 250}.{number % 250}:5060"], "primary": primary, "backup": backup,
        }  # fmt: skip
    networks = [f"isp-{number}" for number in range(1, rng.choice([1, 2, 3, 4]) + 1)]
    sites = {}
    for number in range(1, rng.choice([1, 2, 3]) + 1):
        picked = rng.sample(sorted(found), rng.randint(1, min(3, len(found))))
        sites[f"site-{number}"] = {
            "customer": rng.choice(["acme", "beta"]), "sbcs": picked, "failover": rng.choice(["auto", "auto", "none"]),
        }  # fmt: skip
    fast = {"every": "1s", "timeout": "900ms"}
    return {
        "service": "voz",
        "domain": "voz.example",
        "cores": {name: {"uri": f"sip:10.0.0.{place}"} for place, name in enumerate(names, 1)},
        "sbcs": found,
        "customers": {
            "acme": {"name": "Acme", "contract": "callmyway"}, "beta": {"name": "Beta", "contract": "wekall"},
        },
        "sites": sites,
        "checks": dict.fromkeys(("edge", "options", "natural"), fast),
        "probes": {f"p-{name}": {"network": name} for name in networks},
    }  # fmt: skip


class World:
    """What is true of a system under faults, and what its probes measure of it."""

    def __init__(self, settings: dict[str, Any], faults: list[Fault]) -> None:
        self.settings, self.faults = settings, faults
        self.topology = topology_from_json(settings)

    def broken(self, turn: int, *, among: str | None = None) -> set[tuple[str, str]]:
        return {
            (one.kind, one.name) for one in self.faults if one.begin <= turn < one.end and among in (None, one.kind)
        }

    def answers(self, check: str, sbc: str, core: str | None, turn: int, network: str) -> bool:
        bad = self.broken(turn)
        if ("sbc", sbc) in bad or ("network", f"{sbc}/{network}") in bad:
            return False
        if check == "edge":
            return True
        if check == "natural":
            attached = self.topology.sbcs[sbc]
            ways = [core for core in (attached.primary, attached.backup) if core is not None]
            return any(("core", core) not in bad and ("path", f"{sbc}/{core}") not in bad for core in ways)
        return ("core", core) not in bad and ("path", f"{sbc}/{core}") not in bad

    def site_up(self, site: str, turn: int) -> bool:
        """Whether a phone of the site can speak."""
        settings = self.topology.sites[site]
        usable = settings.sbcs if settings.failover == "auto" else settings.sbcs[:1]
        return any(self.answers("natural", sbc, None, turn, "") for sbc in usable)

    def lines(self, rounds: int, seed: int) -> list[Line]:
        """Everything that the probes send, each check at its own phase of the second."""
        rng = random.Random(seed)
        found: list[tuple[int, str, Result]] = []
        for probe, settings in self.topology.probes.items():
            seq = 0
            for sbc in self.topology.sbcs:
                cores = [path.core for path in self.topology.paths() if path.sbc == sbc]
                for check, core in [("edge", None), ("natural", None), *(("options", core) for core in cores)]:
                    phase = rng.randrange(SECOND_US)
                    for turn in range(rounds):
                        seq += 1
                        well = self.answers(check, sbc, core, turn, settings.network or "")
                        at_us = T0 + turn * SECOND_US + phase
                        said = {"outcome": "ok", "duration_seconds": 0.01} if well else TIMEOUT
                        found.append((at_us, probe, Result(
                            v=1, probe=probe, boot="b", seq=seq, at=iso(at_us), check=check, sbc=sbc, core=core, **said,
                        )))  # fmt: skip
        found.sort(key=lambda one: one[:2])
        return [
            Line(at_us=at_us, order=(probe, "b", result.seq), number=place, where="truth", item=result)
            for place, (at_us, probe, result) in enumerate(found, 1)
        ]  # fmt: skip

    def machine(self) -> DeskMachine:
        return DeskMachine(self.topology, DESK, CONTRACTS, ALARMS)

    def heard(self, rounds: int, seed: int, *, until: int = 0, restarts: int = 0, desk: Desk | None = None) -> Desk:
        """The whole story told; with `restarts`, the desk is rebuilt from its snapshot so often on the way."""
        desk = desk or (Restarting(self, restarts) if restarts else Desk(self.machine()))
        run = Replay(self.topology, CONTRACTS, T0, desk.hear, desk.act, desk.due_us, ALARMS)
        run.run(iter(self.lines(rounds, seed)), T0 + until * SECOND_US if until else None)
        return desk


class Restarting(Desk):
    """A desk that is rebuilt from what it remembers after every so many words."""

    def __init__(self, world: World, every: int) -> None:
        super().__init__(world.machine())
        self.world, self.every, self.words = world, every, 0

    def hear(self, changes: list[Any], at_us: int) -> None:
        super().hear(changes, at_us)
        self.words += 1
        if self.words % self.every == 0:
            fresh = self.world.machine()
            fresh.restore(self.machine.snapshot())
            self.machine = fresh
