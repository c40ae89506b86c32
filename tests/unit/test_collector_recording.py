"""How recordings come: packed, in pieces, shuffled, with other line ends; what is no recording is told in one line."""

import gzip
import json
import random

import pytest
import yaml
from typer.testing import CliRunner

from collector import recording
from sereno.cli.replay import app
from sereno.clock import iso, parse_instant
from sereno.errors import ConfigError

T0 = parse_instant("2026-11-02T12:00:00Z")
S = 1_000_000
TOPOLOGY = {
    "service": "voz",
    "cores": {"a": {"uri": "sip:10.0.0.1"}},
    "sbcs": {"s": {"addresses": ["sip:192.0.2.1"], "primary": "a"}},
    "probes": {"p": {"network": "n"}},
}


def line(second, **fields):
    failed = 100 <= second < 160
    said = {"outcome": "failed", "reason": "timeout"} if failed else {"outcome": "ok"}
    base = {"v": 1, "probe": "p", "boot": "b", "seq": second + 1, "at": iso(T0 + second * S)}
    return json.dumps(base | {"check": "options", "sbc": "s", "core": "a"} | said | fields).encode()


LINES = [line(second) for second in range(300)]


@pytest.fixture
def replay(tmp_path):
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(TOPOLOGY))

    def call(*files, stdin=None):
        arguments = [*map(str, files), "--topology", str(tmp_path / "t.yaml"), "--json"]
        return CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=True)

    return call


@pytest.fixture
def straight(replay, tmp_path):
    (tmp_path / "straight").write_bytes(b"\n".join(LINES))
    answer = replay(tmp_path / "straight")
    assert answer.exit_code == 0
    assert '"down"' in answer.stdout
    return answer.stdout


def shuffled():
    found = list(LINES)
    random.Random(4).shuffle(found)
    return found


@pytest.mark.parametrize(
    "files",
    [
        [gzip.compress(b"\n".join(LINES))],
        [b"\xef\xbb\xbf" + b"\r\n".join(LINES) + b"\r\n"],
        [b"\n\n" + b"\n \n".join(LINES) + b"\n\n\n"],
        [b"\n".join(shuffled())],
        [b"\n".join(reversed(LINES))],
        [b"\n".join(LINES[::2]), gzip.compress(b"\n".join(LINES[1::2]))],
        [b"\n".join(LINES[150:]), b"\n".join(LINES[:150])],
        [b"\n".join(LINES), b"\n".join(LINES)],  # told twice
        [b"\n".join(LINES + LINES[20:30])],
        [b"\n".join(line(second, unheard_of={"event": "x"}, evidence={"event": 1}) for second in range(300))],
    ],
    ids=["gzip", "crlf", "blank", "shuffled", "backwards", "two", "two-late", "twice", "again", "unknown"],
)
@pytest.mark.parametrize("run_lines", [50_000, 37])
def test_however_it_comes_it_says_the_same(replay, straight, tmp_path, monkeypatch, files, run_lines):
    monkeypatch.setattr(recording, "RUN_LINES", run_lines)
    names = [tmp_path / f"part-{index}" for index in range(len(files))]
    for name, content in zip(names, files, strict=True):
        name.write_bytes(content)
    answer = replay(*names)
    assert answer.exit_code == 0, answer.exception
    assert answer.stdout == straight


@pytest.mark.parametrize("content", [b"\n".join(LINES), b"\n".join(shuffled()), gzip.compress(b"\n".join(shuffled()))])
def test_standard_input(replay, straight, content):
    assert replay("-", stdin=content).stdout == straight


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"\n".join(LINES))[:900], "part:"),
        (b"\x1f\x8bgarbage", "part: "),
        (b"\n".join([*LINES[:7], b"{", *LINES[7:]]), "part:8: not a result"),
        (b"\n".join([*shuffled()[:7], b"\xff\xfe"]), "part:8: not a result"),
        (b"\n".join([*LINES[:3], b'{"v": 9, "event": "heal"}']), "part:4: not an event"),
    ],
)
def test_what_is_no_recording_is_one_line(replay, tmp_path, content, words):
    (tmp_path / "part").write_bytes(content)
    answer = replay(tmp_path / "part")
    assert isinstance(answer.exception, ConfigError)
    assert words in str(answer.exception)
    assert "\n" not in str(answer.exception)


def test_maintenance_that_was_called_off(replay, tmp_path):
    times = {"from": iso(T0 + 90 * S), "to": iso(T0 + 200 * S), "scope": {"kind": "service"}}
    window = {"v": 1, "event": "maintenance", "at": iso(T0), "announced": iso(T0)} | times
    said = {}
    for when in (10, 120):
        off = {"v": 1, "event": "cancel", "at": iso(T0 + when * S)} | times
        (tmp_path / "part").write_bytes(b"\n".join([json.dumps(window).encode(), *LINES, json.dumps(off).encode()]))
        answer = replay(tmp_path / "part")
        assert answer.exit_code == 0, answer.exception
        said[when] = [
            (one["from"], one["to"])
            for one in json.loads(answer.stdout)["intervals"]
            if (one["kind"], one["state"]) == ("path", "maintenance")
        ]
    assert said == {10: [], 120: [(iso(T0 + 90 * S), iso(T0 + 120 * S))]}


def test_calling_off_what_nobody_announced_is_one_line(replay, tmp_path):
    off = {"v": 1, "event": "cancel", "at": iso(T0), "from": iso(T0), "to": iso(T0 + S), "scope": {"kind": "service"}}
    (tmp_path / "part").write_bytes(json.dumps(off).encode())
    assert "part:1: no such maintenance was announced" in str(replay(tmp_path / "part").exception)


@pytest.mark.parametrize("took", [-5, 1e300, 1e18])
def test_impossible_durations_stop_nothing(replay, tmp_path, took):
    late = {"reason": "late", "answered_after_seconds": took}
    (tmp_path / "part").write_bytes(b"\n".join([*LINES[:5], line(5, duration_seconds=took), line(6, **late)]))
    answer = replay(tmp_path / "part")
    assert answer.exit_code == 0, answer.exception
    assert '"down"' not in answer.stdout
