"""Streams of the acceptance scenarios: what is sent, as a function of check, SBC, core and second.

Every check is sent on the whole second, so outages begin and end on whole seconds. Times are seconds after
T0 = 2026-11-02T12:00:00Z.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from sereno.cli.replay import app
from sereno.clock import SECOND_US, iso, parse_instant

T0 = parse_instant("2026-11-02T12:00:00Z")
TIMEOUT = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
Bad = Callable[[str, str, str | None, float], dict[str, Any] | None]


def topology(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "service": "voz",
        "domain": "voz.example",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1:5060"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2:5060"], "primary": "core-b", "backup": "core-a"},
        },
        "customers": {"acme": {"name": "Acme", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}},
        "accounts": {name: {"user": name, "realm": "voz.example", "password": {"env": "X"}} for name in ("m1", "m2")},
        "checks": {
            "edge": {"every": "1s", "timeout": "900ms"},
            "options": {"every": "1s", "timeout": "900ms"},
            "natural": {"every": "1s", "timeout": "900ms"},
            "register": {"every": "10s", "accounts": ["m1", "m2"]},
            "call": {"every": "20s", "account": "m1", "to": "sip:600@{core}"},
        },
        "probes": {"p1": {"network": "isp-1"}},
    }
    return base | changes


class Run:
    """One stream through `sereno replay --json`."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder = folder
        self.topology = folder / "topology.yaml"
        self.topology.write_text(yaml.safe_dump(settings, sort_keys=False))
        self.rows: list[tuple[float, int, dict[str, Any]]] = []
        self._count = 0

    def result(self, second: float, check: str, sbc: str | None, core: str | None, **fields: Any) -> None:
        self._count += 1
        at = {"v": 1, "probe": "p1", "boot": "b", "seq": self._count, "at": iso(T0 + round(second * SECOND_US))}
        said = {"check": check, "sbc": sbc, "core": core, "outcome": "ok"} | fields
        self.rows.append((second, self._count, at | {k: v for k, v in said.items() if v is not None}))

    def event(self, second: float, **fields: Any) -> None:
        self._count += 1
        self.rows.append((second, self._count, {"v": 1, "at": iso(T0 + round(second * SECOND_US))} | fields))

    def watch(
        self,
        seconds: int,
        bad: Bad,
        probes: Iterable[str] = ("p1",),
        checks: Iterable[str] = (),
        every: int = 1,
        since: int = 0,
    ) -> "Run":
        wanted = tuple(checks) or ("edge", "natural", "options", "register", "call")
        for probe in probes:
            for second in range(since, seconds, every):
                for sbc in ("sbc-1", "sbc-2"):
                    for check, cores in (
                        ("edge", (None,)),
                        ("natural", (None,)),
                        ("options", ("core-a", "core-b")),
                        ("register", ("core-a", "core-b") if second % 10 == 0 else ()),
                        ("call", ("core-a", "core-b") if second % 20 == 0 else ()),
                    ):
                        for core in cores if check in wanted else ():
                            account = {"account": "m1"} if check in {"register", "call"} else {}
                            self.result(
                                second,
                                check,
                                sbc,
                                core,
                                probe=probe,
                                **(account | (bad(check, sbc, core, second) or {})),
                            )
        return self

    @property
    def stream(self) -> Path:
        return self._folder / "stream.ndjson"

    def write(self) -> Path:
        self.rows.sort(key=lambda row: row[:2])
        self.stream.write_text("".join(json.dumps(row) + "\n" for _, _, row in self.rows))
        return self.stream

    def go(self, *options: str) -> dict[str, Any]:
        stream = self.write()
        answer = CliRunner().invoke(
            app, [str(stream), "--topology", str(self.topology), "--json", *options], catch_exceptions=False
        )
        assert answer.exit_code == 0
        return json.loads(answer.stdout)


def at(second: float) -> str:
    return iso(T0 + round(second * SECOND_US))


def spans(answer: dict[str, Any], kind: str, name: str, state: str) -> list[tuple[float, float]]:
    return [
        ((parse_instant(one["from"]) - T0) / SECOND_US, (parse_instant(one["to"]) - T0) / SECOND_US)
        for one in answer["intervals"]
        if (one["kind"], one["name"], one["state"]) == (kind, name, state)
    ]


def window(scope: str, to: float, since: float = 0) -> tuple[str, ...]:
    return ("--availability", scope, "--from", at(since), "--to", at(to))


def names(answer: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["alarm"], one["kind"], one["name"]) for one in answer["alarms"]}


def dead(*cores: str, since: int, until: int) -> Bad:
    """Cores silent from `since` until `until`; natural checks fail only when both are."""

    def bad(check: str, _sbc: str, core: str | None, second: float) -> dict[str, Any] | None:
        if not since <= second < until:
            return None
        hit = core in cores if core is not None else check == "natural" and len(cores) > 1
        return TIMEOUT if hit else None

    return bad
