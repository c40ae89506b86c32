"""The acceptance scenarios on other systems: more SBCs, several addresses and probes, slower checks, any phases."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from streams import T0, TIMEOUT
from typer.testing import CliRunner

from sereno.cli.replay import app
from sereno.clock import SECOND_US, iso, parse_instant

Hit = Callable[[str, str, str | None], bool]  # check, SBC, core


class System:
    """`phase` is the part of an interval over which the checks of a round are spread."""

    def __init__(
        self, folder: Path, *, sbcs=2, every=1, probes=1, addresses=1, phase=0.0, sites=True, listed=True,
        naturals=True, slow=True, seed=0,
    ) -> None:  # fmt: skip
        self.folder, self.every, self.phase, self.naturals, self.slow, self.seed = (
            folder, every, phase, naturals, slow, seed,
        )  # fmt: skip
        self.names = [f"edge{number}" for number in range(1, sbcs + 1)]
        self.probes = {f"p{number}": {"network": f"isp-{number}"} for number in range(1, probes + 1)}
        fast = {"every": f"{every}s", "timeout": "900ms"}
        self.settings: dict[str, Any] = {
            "service": "voz",
            "domain": "v.example",
            "cores": {"left": {"uri": "sip:10.0.0.1"}, "right": {"uri": "sip:10.0.0.2"}},
            "sbcs": {},
            "accounts": {"m1": {"user": "m", "realm": "r", "password": {"env": "X"}}},
            "checks": dict.fromkeys(("edge", "options", "natural"), fast)
            | {
                "register": {"every": f"{10 * every}s", "accounts": ["m1"]},
                "call": {"every": f"{20 * every}s", "account": "m1", "to": "sip:600@{core}"},
            },
        }
        for number, name in enumerate(self.names):
            cores = ["left", "right"] if number % 2 == 0 else ["right", "left"]
            uris = [f"sip:192.0.2.{10 * number + place + 1}:5060" for place in range(addresses)]
            self.settings["sbcs"][name] = {"addresses": uris, "primary": cores[0], "backup": cores[1]}
        if listed:
            self.settings["probes"] = self.probes
        if sites:
            self.settings["customers"] = {"acme": {"name": "Acme", "contract": "callmyway"}}
            self.settings["sites"] = {"hq": {"customer": "acme", "sbcs": self.names}}
        self.rows: list[tuple[int, dict[str, Any]]] = []

    def watch(self, rounds: int, bad: Callable[[str, str, str | None, float], dict[str, Any] | None]) -> "System":
        """Rounds of everything; `bad` says what is wrong with a check at a second."""
        for probe in self.probes:
            seq = 0
            for sbc, settings in self.settings["sbcs"].items():
                addresses = settings["addresses"] if len(settings["addresses"]) > 1 else [None]
                for address in addresses:
                    for check, core, step in self._plan(first=address == addresses[0]):
                        phase = random.Random(f"{self.seed}{probe}{sbc}{address}{check}{core}").random()
                        for turn in range(0, rounds, step):
                            us = int((turn + phase * self.phase) * self.every * SECOND_US)
                            said = bad(check, sbc, core, us / SECOND_US) or {"outcome": "ok"}
                            if said.get("reason") == "timeout":
                                said = said | {"duration_seconds": 0.9}
                            seq += 1
                            row = {
                                "v": 1, "probe": probe, "boot": "b", "seq": seq, "at": iso(T0 + us), "check": check,
                                "sbc": sbc, "core": core, "address": address,
                                "account": "m1" if step > 1 else None, **said,
                            }  # fmt: skip
                            self.rows.append((us, {key: value for key, value in row.items() if value is not None}))
        return self

    def _plan(self, *, first: bool) -> list[tuple[str, str | None, int]]:
        found: list[tuple[str, str | None, int]] = [("edge", None, 1)]
        found += [("natural", None, 1)] * self.naturals + [("options", "left", 1), ("options", "right", 1)]
        if self.slow and first:
            found += [("register", core, 10) for core in ("left", "right")]
            found += [("call", core, 20) for core in ("left", "right")]
        return found

    def outage(self, begin: int, end: int, rounds: int, hit: Hit, said: dict[str, Any] = TIMEOUT) -> "System":
        """What `hit` picks fails from one round to another."""
        return self.watch(
            rounds,
            lambda check, sbc, core, second: (
                said if begin * self.every <= second < end * self.every and hit(check, sbc, core) else None
            ),
        )

    def go(self, *options: str) -> dict[str, Any]:
        stream, topology = self.folder / "stream.ndjson", self.folder / "topology.yaml"
        topology.write_text(yaml.safe_dump(self.settings, sort_keys=False))
        self.rows.sort(key=lambda row: row[0])
        stream.write_text("".join(json.dumps(row) + "\n" for _, row in self.rows))
        answer = CliRunner().invoke(
            app, [str(stream), "--topology", str(topology), "--json", *options], catch_exceptions=False
        )
        assert answer.exit_code == 0
        return json.loads(answer.stdout)


def told(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Incidents that were not merged: class, kind and name of the cause, highest priority."""
    return [
        (one["class"], one["cause"]["kind"], one["cause"]["name"], one["priority_peak"])
        for one in answer["incidents"]
        if one["state"] != "merged"
    ]


def down(answer: dict[str, Any], kind: str, name: str) -> float:
    """Seconds that an element was down."""
    return (
        sum(
            parse_instant(one["to"]) - parse_instant(one["from"])
            for one in answer["intervals"]
            if (one["kind"], one["name"], one["state"]) == (kind, name, "down")
        )
        / SECOND_US
    )
