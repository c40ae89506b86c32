"""A replay says whom the desk would have paged, and when, by levels, rotas and calendar feeds."""

import json
from pathlib import Path

from typer.testing import CliRunner

from sereno.cli.replay import app
from sereno.clock import iso, parse_instant

START_US = parse_instant("2026-11-21T12:00:00Z")
TOPOLOGY = """
service: voz
cores: {core-a: {uri: "sip:127.0.2.1"}, core-b: {uri: "sip:127.0.2.2"}}
sbcs:
  sbc-1: {addresses: ["sip:127.0.1.1:5060"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:127.0.1.2:5060"], primary: core-b, backup: core-a}
checks: {options: {every: 1s, timeout: 900ms}, edge: {every: 1s, timeout: 900ms}}
"""
DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}, leo: {channels: [hook]}, sol: {channels: [hook]}}
rotas: {guardia: {icalendar: guardia.ics}}
levels: [{name: L1, people: [ana]}, {name: L2, people: [ana], rota: guardia}, {name: L3, people: [sol]}]
"""
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//ES\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
    "SUMMARY:leo\r\nDTSTART:20261101T000000Z\r\nDTEND:20261201T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def stream(seconds: int) -> str:
    """core-a dead from second 20 on."""
    lines, seq = [], 0
    for second in range(seconds):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("-", "core-a", "core-b"):
                seq += 1
                one = {
                    "v": 1,
                    "probe": "p1",
                    "boot": "b",
                    "seq": seq,
                    "at": iso(START_US + second * 1_000_000 + seq % 3),
                }
                good = {"outcome": "ok", "duration_seconds": 0.01, "answered_by": "core", "answered_core": core}
                if core == "-":
                    one |= {
                        "check": "edge",
                        "sbc": sbc,
                        "outcome": "ok",
                        "answered_by": "sbc",
                        "duration_seconds": 0.01,
                    }
                else:
                    dead = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
                    one |= {"check": "options", "sbc": sbc, "core": core}
                    one |= dead if core == "core-a" and second >= 20 else good
                lines.append(json.dumps(one))
    return "\n".join(lines)


def test_the_levels_are_paged_in_turn(tmp_path: Path) -> None:
    for name, text in (("topology.yaml", TOPOLOGY), ("desk.yaml", DESK), ("guardia.ics", CALENDAR)):
        (tmp_path / name).write_text(text)
    (tmp_path / "stream.ndjson").write_text(stream(60))
    arguments = [str(tmp_path / "stream.ndjson"), "--topology", str(tmp_path / "topology.yaml"), "--json",
                 "--until", "2026-11-21T12:55:00Z"]  # fmt: skip
    found = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    (core,) = [one["number"] for one in found["incidents"] if one["cause"]["name"] == "core-a"]
    mine = [one for one in found["notifications"] if one["incident"] == core and one["page"]]
    assert [(one["what"], one["to"]) for one in mine] == [
        ("opened", "ana"), ("escalated", "leo"), ("escalated", "sol"), ("repaged", "ana"),
    ]  # fmt: skip
    opened_us = parse_instant(mine[0]["at"])
    assert [(parse_instant(one["at"]) - opened_us) // 60_000_000 for one in mine] == [0, 5, 20, 50]
