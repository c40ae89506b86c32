"""`sereno replay`: what it refuses, in one line; order, desks, contracts, time."""

import json
import subprocess
import sys

import pytest

from sereno.clock import iso, parse_instant

T0 = parse_instant("2026-11-02T12:00:00Z")
S = 1_000_000
TOPOLOGY = """\
service: voz
cores: {a: {uri: "sip:10.0.0.1"}}
sbcs: {s: {addresses: ["sip:192.0.2.1"], primary: a}}
customers: {acme: {name: Acme, contract: callmyway}}
sites: {hq: {customer: acme, sbcs: [s]}}
probes: {p: {network: n}}
"""


def row(second, outcome="ok", **fields):
    at = iso(T0 + round(second * S))
    said = {"reason": "timeout"} if outcome == "failed" else {}
    base = {"v": 1, "probe": "p", "boot": "b", "seq": second + 1, "at": at, "check": "options", "sbc": "s", "core": "a"}
    return base | {"outcome": outcome} | said | fields


@pytest.fixture
def sereno(tmp_path):
    (tmp_path / "topology.yaml").write_text(TOPOLOGY)

    def call(rows, *options):
        lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
        (tmp_path / "s.ndjson").write_text("\n".join(lines) + "\n")
        return subprocess.run(
            [sys.executable, "-m", "sereno", "replay", "s.ndjson", "--topology", "topology.yaml", *options],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return call


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "s.ndjson:2: not a result"),
        ('{"v":2}', "s.ndjson:2: unknown version 2"),
        (row(1, sbc="x"), "s.ndjson:2: no sbc named 'x' in the topology; name one of: s"),
        (row(1, core="x"), "s.ndjson:2: no core named 'x'"),
        (row(1, at="noon"), "s.ndjson:2: not a result: at: 'noon' is not an ISO 8601 instant"),
        ({"v": 1, "event": "dance", "at": iso(T0)}, "s.ndjson:2: not an event"),
        (
            {"v": 1, "event": "incident", "at": iso(T0), "number": 1, "action": "dance", "by": "ana"},
            "isolate, heal or alert, with the fields of docs/replay.md",
        ),
        ({"v": 1, "event": "isolate", "at": iso(T0), "sbc": "x"}, "s.ndjson:2: no sbc named 'x'"),
        (
            {"v": 1, "event": "maintenance", "at": iso(T0), "from": iso(T0), "to": iso(T0), "announced": iso(T0),
             "scope": {"kind": "service"}},
            "s.ndjson:2: the window ends before it begins",
        ),
        (
            {"v": 1, "event": "incident", "at": iso(T0), "number": 7, "action": "ack", "by": "ana"},
            "s.ndjson:2: ",
        ),
    ],
)  # fmt: skip
def test_a_bad_line_is_one_line(sereno, line, words):
    answer = sereno([row(0), line])
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert words in answer.stderr
    assert answer.stderr.startswith("sereno: ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--until", "later"), "--until: 'later' is not an ISO 8601 instant"),
        (("--availability", "service"), "--availability, --from and --to go together"),
        (("--availability", "site:x", "--from", iso(T0), "--to", iso(T0 + S)), "no site named 'x'"),
        (("--contract", "nobody"), "no contract named nobody"),
        (("--desk", "none.yaml"), "none.yaml"),
    ],
)
def test_a_bad_flag_is_one_line(sereno, options, words):
    answer = sereno([row(0)], *options)
    assert answer.returncode == 2
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_missing_file_is_one_line(sereno, tmp_path):
    sereno([row(0)])
    answer = subprocess.run(
        [sys.executable, "-m", "sereno", "replay", "nothing.ndjson", "--topology", "topology.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.startswith("sereno: nothing.ndjson: ")


def outage():
    return [row(second, "failed" if 100 <= second < 160 else "ok") for second in range(300)]


def test_the_shapes(sereno):
    answer = json.loads(
        sereno(outage(), "--json", "--availability", "site:hq", "--from", iso(T0), "--to", iso(T0 + 300 * S)).stdout
    )
    assert sorted(answer) == ["alarms", "availability", "incidents", "intervals", "notifications"]
    down = [one for one in answer["intervals"] if one["state"] == "down" and one["kind"] == "path"]
    assert down == [
        {"kind": "path", "name": "s/a", "state": "down", "from": iso(T0 + 100 * S), "to": iso(T0 + 160 * S)}
    ]
    assert {"alarm": "service_down", "kind": "service", "name": "voz", "from": iso(T0 + 100 * S),
            "to": iso(T0 + 160 * S)} in answer["alarms"]  # fmt: skip
    assert answer["notifications"][0]["to"] == "desk"
    assert answer["availability"][0]["down_seconds"] == 60


def test_lines_in_any_order_give_the_same(sereno):
    straight = sereno(outage(), "--json")
    crooked = sereno(list(reversed(outage())), "--json")
    assert crooked.returncode == 0
    assert json.loads(crooked.stdout) == json.loads(straight.stdout)


def test_a_given_contract_stands_for_all(sereno):
    with_target = json.loads(
        sereno(outage(), "--json", "--availability", "service", "--from", iso(T0), "--to", iso(T0 + S)).stdout
    )
    assert with_target["availability"][0]["target"] == 0.9999
    without = json.loads(
        sereno(
            outage(),
            "--json",
            "--contract",
            "wekall",
            "--availability",
            "service",
            "--from",
            iso(T0),
            "--to",
            iso(T0 + S),
        ).stdout
    )
    assert without["availability"][0]["target"] is None
    assert without["incidents"][0]["clocks"][0]["contract"] == "wekall"


def test_until_runs_the_clock_on(sereno):
    answer = json.loads(sereno([row(0), row(1)], "--json", "--until", iso(T0 + 60 * S)).stdout)
    [path] = [one for one in answer["intervals"] if one["kind"] == "path" and one["state"] == "unknown"]
    assert (path["from"], path["to"]) == (iso(T0 + 3_500_000), iso(T0 + 60 * S))


def test_what_is_told_of_no_one_incident_names_none(sereno):
    opened = {"v": 1, "event": "incident", "action": "open", "by": "ana", "title": "x", "priority": "Alta"}
    ended = {"v": 1, "event": "incident", "action": "resolve", "by": "ana", "at": iso(T0 + 10 * S)}
    rows = [*(opened | {"number": one, "at": iso(T0)} for one in (1, 2)), *(ended | {"number": one} for one in (1, 2))]
    answer = sereno(rows, "--until", iso(T0 + 120 * S))
    assert "  - → desk: digest\n" in answer.stdout
    assert "#None" not in answer.stdout


def test_people_act_and_refusals_are_told(sereno):
    act = {"v": 1, "event": "incident", "at": iso(T0 + 120 * S), "number": 1, "action": "ack", "by": "ana"}
    early = act | {"action": "resolve", "at": iso(T0 + 130 * S)}
    rows = sorted([*outage(), act, early], key=lambda one: one["at"])
    answer = sereno(rows, "--json")
    assert answer.returncode == 0
    assert "refused" in answer.stderr  # nobody resolves what is still down
    [incident] = json.loads(answer.stdout)["incidents"]
    assert incident["acknowledged"] == iso(T0 + 120 * S)


def test_a_probe_that_the_topology_does_not_name_is_told(sereno):
    answer = sereno([row(0, probe="stranger")])
    assert answer.returncode == 0
    assert "stranger" in answer.stderr


def test_an_empty_recording_is_no_fault(sereno):
    answer = sereno([], "--json")
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["incidents"] == []
