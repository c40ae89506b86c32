"""The command line where it is held wrong: one line that says where, what and how to mend it, and exit 2; nothing else.

Most of it runs in this process, by the very entry point that `sereno` calls. What depends on file descriptors (closed,
full or broken outputs, locales) runs as a program.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alerting_bench import topology
from sqlalchemy import insert

from sereno import cli
from sereno.store import open_store
from sereno.store.tables import topologies
from sereno.topology import canonical_json, topology_hash

BEYOND = "9" * 25  # more than a database can count
WINDOW = ("--from", "2026-07-10T17:30Z", "--to", "2026-07-11T17:30Z")
DUE = ("contract", "due", "--contract", "wekall", "--priority", "Baja", "--clock", "attention")
OPENED = ("--opened", "2026-07-10T17:30-05:00")
TOPOLOGY = """
service: voice
domain: voice.example
cores: {core-a: {uri: "sip:127.0.2.1"}, core-b: {uri: "sip:127.0.2.2"}}
sbcs: {sbc-1: {addresses: ["sip:127.0.1.1:5060"], primary: core-a, backup: core-b}}
"""
GARBLED = "\udcff\udcfe\udcc3"  # octets that are no UTF-8, as Python hands them on


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Files of every wrong kind, a right topology, and the data directory of a Sereno that does not run."""
    here = tmp_path_factory.mktemp("edges")
    (here / "empty").touch()
    (here / "binary").write_bytes(bytes(range(256)) * 12)
    (here / "directory").mkdir()
    (here / "loop").symlink_to("loop")
    (here / "broken.yaml").write_text("hello: [")
    (here / "list.yaml").write_text("[]")
    (here / "null.yaml").write_text("null")
    (here / "torn.ndjson").write_text('{"v":1,')
    (here / "topology.yaml").write_text(TOPOLOGY)
    store = open_store(here / "data")
    watched = topology()
    with store.write() as connection:
        row = {"from_us": 0, "hash": topology_hash(watched), "topology": canonical_json(watched), "desk": None}
        connection.execute(insert(topologies).values(**row))
    store.dispose()
    return here


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """Runs `sereno ARGUMENTS` in this process, in that folder: (exit status, standard output, standard error)."""
    monkeypatch.chdir(folder)
    for name in ("SERENO_DATA", "SERENO_TOPOLOGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sereno", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


FILES = ("missing", "empty", "binary", "directory", "loop", "broken.yaml", "list.yaml", "null.yaml")
TAKES_A_FILE = {
    "topology": ("topology", "validate", "{}"),
    "desk": ("topology", "validate", "topology.yaml", "--desk", "{}"),
    "contract": ("contract", "validate", "./{}"),
    "due": ("contract", "due", "--contract", "./{}", "--priority", "Baja", "--clock", "attention", *OPENED),
    "capture": ("rtp", "analyze", "{}"),
    "replay of": ("replay", "{}", "--topology", "topology.yaml", "--until", "2026-07-10T17:30Z"),
    "replay on": ("replay", "torn.ndjson", "--topology", "{}"),
    "replay desk": ("replay", "torn.ndjson", "--topology", "topology.yaml", "--desk", "{}"),
    "replay contract": ("replay", "torn.ndjson", "--topology", "topology.yaml", "--contract", "./{}"),
    "check": ("check", "options", "--topology", "{}"),
    "up": ("up", "--topology", "{}", "--data", "nothing"),
    "up desk": ("up", "--topology", "topology.yaml", "--desk", "{}", "--data", "nothing"),
    "verdicts": ("verdicts", "--data", "{}"),
    "probes": ("probes", "--data", "{}"),
    "verdicts of a database": ("verdicts", "--database", "sqlite:///{}"),
    "availability": ("availability", "--scope", "service", *WINDOW, "--data", "{}"),
    "incidents": ("incidents", "list", "--data", "{}"),
    "maintenance": ("maintenance", "list", "--data", "{}"),
}


NOT_WRONG = {("replay of", "empty"), ("verdicts of a database", "empty")}  # nothing recorded; a database without tables
MISTAKEN = [(use, name) for use in TAKES_A_FILE for name in FILES if (use, name) not in NOT_WRONG]


@pytest.mark.parametrize(("use", "name"), MISTAKEN)
def test_a_file_that_is_not_what_it_should_be(call, folder, use, name):
    before = sorted(folder.iterdir())
    code, out, err = call(*(argument.format(name) for argument in TAKES_A_FILE[use]))
    assert (code, out) == (2, ""), err
    assert err.startswith("sereno: ")
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before, "who only asks creates nothing"


WRONG = [
    # unknown words
    ("bogus",), ("--bogus",), ("lab", "bogus"), ("check", "bogus"), ("check", "https"), ("rtp", "watch"),
    ("version", "--bogus"), ("version", "extra"), ("metrics", "extra"), ("contract", "list", "extra"), (GARBLED,),
    # what is needed and not there
    ("mos",), ("mos", "--codec"), ("rtp", "analyze"), ("replay", "torn.ndjson"), ("contract", "validate"),
    ("contract", "due"), ("dashboards", "render"), ("availability", "--scope", "service"), ("incidents", "show"),
    ("incidents", "assign", "1"), ("maintenance", "add"), ("lab", "break"), ("probe", "--name", "x"), ("up",),
    # numbers
    *(("mos", "--codec", "G711", *given) for given in (
        ("--loss", "101"), ("--loss", "-1"), ("--loss", "nan"), ("--loss", "1,5"), ("--loss", ""), ("--delay", "-1"),
        ("--delay", "1e9"), ("--burst-ratio", "0"), ("--burst-ratio", "inf"), ("--qdu", "0"), ("--slr", "1e400"),
        ("--pr", "1e6"), ("--nc", "999"), ("--telr", "nan"), ("--advantage", "-3"), ("--minimum-delay", "0"),
    )),
    ("mos", "--codec", ""), ("mos", "--codec", "G711A"), ("mos", "--codec", GARBLED),
    # instants
    *((*DUE, "--opened", at) for at in (
        "2026-07-10T17:30", "2026-07-10", "tomorrow", "", "2026-13-10T17:30Z", "9999-12-31T23:59:59Z",
        "0001-01-01T00:00+14:00", GARBLED,
    )),
    (*DUE, *OPENED, "--paused", "x"), (*DUE, *OPENED, "--paused", "2026-07-10T17:30Z/2026-07-10T17:00Z"),
    ("contract", "due", "--contract", "nope", "--priority", "Baja", "--clock", "attention", *OPENED),
    ("contract", "due", "--contract", "wekall", "--priority", "S5", "--clock", "attention", *OPENED),
    ("contract", "due", "--contract", "wekall", "--priority", "Baja", "--clock", "both", *OPENED),
    (*DUE, *OPENED, "--kind", "problem"),
    # nets, faults, addresses
    *(("lab", "status", "--net", net) for net in ("10.0", "127", "127.300", "127.1.2", "", "127.０")),
    ("up", "--lab", "--net", "10.1", "--data", "nothing"),
    *(("up", "--topology", "topology.yaml", "--data", "nothing", "--http", at) for at in (
        "x", "8080", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.0.0.1:99999", GARBLED,
    )),
    *(("probe", "--name", "x", "--broker", url) for url in ("x", "http://127.0.0.1", "mqtt://127.0.0.1:99999")),
    *(("probe", "--broker", "mqtt://127.0.0.1:1", "--name", name) for name in ("", "x y", "a/b", "#", GARBLED)),
    ("collector", "--broker", "mqtt://127.0.0.1:1", "--data", "nothing", "--http", "0.0.0.0:0"),
    *(("verdicts", "--database", url) for url in ("", "x", "x://y", "sqlite://", "sqlite:////nowhere/s.db")),
    ("verdicts", "--data", "data", "--database", "sqlite:///data/sereno.db"),
    ("collector", "--broker", "mqtt://127.0.0.1:1", "--database", "x"),
    # names that the topology does not have
    *(("check", "options", "--topology", "topology.yaml", *given) for given in (
        ("--sbc", "sbc-9"), ("--core", "core-z"), ("--timeout", "soon"), ("--timeout", "-1s"), ("--timeout", "0s"),
    )),
    ("check", "natural", "--topology", "topology.yaml", "--core", "core-a"),
    *(("availability", "--data", "data", "--scope", scope, *WINDOW) for scope in (
        "", "everything", "service:x", "site:", "site:x", "path:sbc-1", "path:sbc-1/core-z", f"core:{GARBLED}",
    )),
    ("availability", "--data", "data", "--scope", "service", "--from", OPENED[1], "--to", OPENED[1]),
    ("availability", "--data", "data", "--scope", "service", "--from", "2026-07-11", "--to", "2026-07-12"),
    *(("incidents", verb, number, "--data", "data") for verb in ("show", "ack", "resolve") for number in (
        "x", "7", BEYOND, "1.5",
    )),
    ("incidents", "list", "--data", "data", "--state", "gone"),
    ("incidents", "ack", "1", "--data", "data", "--by", GARBLED),
    ("incidents", "note", "1", GARBLED, "--data", "data"),
    *(("maintenance", "add", "--data", "data", *given) for given in (
        ("--scope", "x", *WINDOW), ("--scope", "site:x", *WINDOW),
        ("--scope", "service", "--from", "2026-12-01T02:00Z", "--to", "2026-12-01T01:00Z"),
        ("--scope", "service", *WINDOW, "--announced", "x"),
        ("--scope", "service", "--from", "2026-12-01T02:00Z", "--to", "9999-12-01T01:00Z"),
    )),
    ("maintenance", "cancel", "7", "--data", "data"), ("maintenance", "cancel", BEYOND, "--data", "data"),
    *(("replay", "torn.ndjson", "--topology", "topology.yaml", *given) for given in (
        ("--availability", "service"), WINDOW, ("--until", "x"), ("--contract", "nope"),
        ("--availability", "x", *WINDOW),
    )),
    ("dashboards", "render", "empty"), ("dashboards", "render", "/proc/nowhere"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", WRONG, ids=lambda a: ascii(" ".join(a))[1:-1])
def test_wrong_use_is_one_line_and_exit_2(call, arguments):
    code, out, err = call(*arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("sereno: ")
    assert err.count("\n") == 1
    assert "\udcff" not in err


def test_one_json_document_with_the_documented_keys(call):
    shapes = {
        ("mos", "--codec", "G711", "--plc", "--loss", "1", "--json"): (
            "r_lq mos_lq r_cq mos_cq codec ie_eff id scale provisional source certainty"
        ),
        (*DUE, *OPENED, "--json"): "due",
        ("availability", "--data", "data", "--scope", "service", *WINDOW, "--json"): (
            "scope from to low observed high down_seconds excluded_seconds unknown_seconds total_seconds target verdict"
            " timezone outages bound_seconds budget_seconds budget_remaining_seconds revisions"
            " weighted_down_seconds worst_site sites"
        ),
        ("verdicts", "--data", "data", "--json"): "at elements",
        ("probes", "--data", "data", "--json"): "at probes",
        ("incidents", "list", "--data", "data", "--json"): "incidents",
        ("maintenance", "list", "--data", "data", "--json"): "maintenance",
        ("replay", "empty", "--topology", "topology.yaml", "--json"): (
            "intervals alarms incidents notifications availability"
        ),
        ("metrics", "--json"): "metrics",
    }  # fmt: skip
    for arguments, keys in shapes.items():
        code, out, err = call(*arguments)
        assert err == ""
        assert code == (3 if arguments[0] in {"verdicts", "probes"} else 0)  # nothing runs here: all is unknown
        assert set(json.loads(out)) == set(keys.split()), arguments


def test_unmeasured_is_null_in_what_a_command_prints(call):
    _, out, _ = call("availability", "--data", "data", "--scope", "service", *WINDOW, "--json")
    said = json.loads(out)
    assert said["observed"] is None
    assert (said["low"], said["high"], said["unknown_seconds"]) == (0.0, 1.0, 86_400.0)
    code, out, _ = call("mos", "--codec", "opus", "--json")
    assert (code, json.loads(out)["mos_lq"]) == (3, None)
    _, out, _ = call(
        "contract", "due", "--contract", "wekall", "--priority", "Baja", "--clock", "solution", *OPENED, "--json"
    )
    assert json.loads(out) == {"due": None}


PROGRAM = [sys.executable, "-m", "sereno"]


def _shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    line = script.replace("SERENO", f"{sys.executable} -m sereno")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("arguments", ["metrics --json", "contract list", "--help"])
def test_who_reads_us_may_stop_reading(arguments):
    done = _shell(f"SERENO {arguments} | head -c 1")
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_streams_are_no_fault_of_the_command():
    assert _shell("SERENO rtp analyze /dev/null >&-").stderr.count(b"\n") == 1
    done = _shell("SERENO mos --codec G711 --json >&- 2>&- <&-; echo $?")
    assert done.stdout == b"0\n"


@pytest.mark.parametrize("arguments", ["contract list", "mos --codec G711 --json", "--help"])
def test_a_full_disk_is_told_in_one_line(arguments):
    done = _shell(f"SERENO {arguments} >/dev/full")
    assert (done.returncode, done.stderr) == (2, b"sereno: the output cannot be written: No space left on device\n")


def test_no_locale_can_stop_a_command(folder):
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"}
    done = _shell(f"SERENO verdicts --data {folder}/data; SERENO rtp analyze --help", **environment)
    assert b"Traceback" not in done.stderr
    assert "desconocido" in done.stdout.decode()
    assert b"\x1b" not in done.stdout, "no colour where nobody looks"
