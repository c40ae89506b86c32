"""`sereno forensics` as people call it: a timeline for eyes and for programs, files that others' tools read."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from forensic_store import T0, S, answered, asked, failure, put, result, story

from sereno.cli import main
from sereno.clock import iso
from sereno.store import open_store

FROM, TO = "2026-11-21T09:00:00-06:00", "2026-11-21T15:02:00Z"
WINDOW = ("--from", FROM, "--to", TO)


@pytest.fixture
def sereno(capsys, monkeypatch):
    """The command in this process (a process of its own costs a second each); one below is real."""

    def run(data, *arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["sereno", "forensics", *arguments, "--data", str(data)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        if code:
            assert said.err.startswith("sereno: ")
            assert said.err.count("\n") == 1
            return said.err
        assert said.err == ""
        return said.out

    return run


def exchange(number, transport, own, status):
    """A failed transaction whose messages went over this transport."""
    request = asked("sbc-1/core-a", "bog-1", f"call-{number}@probe", transport=transport.upper(), own=own)
    at_us = T0 + number * S
    return [
        {"at": iso(at_us), "direction": "sent", "text": request},
        {"at": iso(at_us + 250_000), "direction": "received", "text": answered(request, "100 Trying")},
        {"at": iso(at_us + 900_001), "direction": "received", "text": answered(request, status)},
    ]


WIRES = {  # number: transport, our end as Via has it, the address asked, the answer
    300: ("udp", "203.0.113.7:40001", "sip:198.51.100.11:5060;transport=udp", "503 Service Unavailable"),
    301: ("tcp", "203.0.113.7:40002", "sip:198.51.100.11:5080;transport=tcp", "408 Request Timeout"),
    302: ("tls", "203.0.113.7:40003", "sips:198.51.100.11:5061", "500 Server Internal Error"),
    303: ("udp", "[2001:db8::7]:40004", "sip:[2001:db8::11]:5060", "404 Not Found"),
    304: ("udp", "probe.example:40005", "sip:sbc.example", "480 Temporarily Unavailable"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A store with the story, five transactions over five kinds of wire, and a call with its packets and a capture."""
    folder = tmp_path_factory.mktemp("forensics")
    capture = folder / "pcap" / "call-1-sbc-1-core-a.pcap"
    capture.parent.mkdir()
    capture.write_bytes(b"\xa1\xb2\x3c\x4d" + bytes(20))
    (folder / "shadow").write_text("root:x")
    store = open_store(folder / "data")
    story(store, 90)
    odd = []
    for number, (transport, own, address, status) in WIRES.items():
        evidence = {"messages": exchange(number, transport, own, status)}
        odd.append(
            failure("sbc-1/core-a", "bog-1", T0 + number * S, 9_000 + number, address=address, transport=transport,
                    evidence=evidence)
        )  # fmt: skip
    cut = exchange(310, "udp", "203.0.113.7:40006", "503 Service Unavailable")[:1]
    cut[0] |= {"text": cut[0]["text"][:120] + "…", "cut": 300}
    odd.append(failure("sbc-1/core-a", "bog-1", T0 + 310 * S, 9_310, evidence={"messages": cut}))
    rtp = {"rx": {"second": [0, 1], "packets": [50, 12], "lost": [0, 38], "mos_lq": [4.41, 1.0]}}
    for number, path in ((320, str(capture)), (321, str(folder / "shadow")), (322, "/nowhere/call-2-x.pcap")):
        call = {"rtp_seconds": rtp, "pcap": {"path": path, "packets": 3, "left_out": 0}}
        odd.append(
            result("sbc-1/core-a", "bog-1", T0 + number * S, 9_000 + number, check="call", outcome="failed",
                   reason="no_media", evidence=call, setup_seconds=0.5)
        )  # fmt: skip
    put(store, odd)
    store.dispose()
    return folder / "data"


def test_a_path_for_eyes(sereno, data):
    text = sereno(data, *WINDOW, "--path", "sbc-1/core-a")
    lines = text.splitlines()
    assert lines[0] == "Forense: ruta sbc-1/core-a"
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in text
    for words in ("QUÉ CAMBIÓ PRIMERO", "comparte núcleo core-a", "× fallado", "──▶ sbc-1  OPTIONS sip:10.8.0.1",
                  "ana: reconocido: voy", "MANTENIMIENTO de núcleo core-a: comienza", "COLECTOR"):  # fmt: skip
        assert words in text
    assert "\n180 resultados (40 fallado, 140 ok); " in text


def test_programs_get_the_same_in_three_shapes(sereno, data):
    document = json.loads(sereno(data, *WINDOW, "--path", "sbc-1/core-a", "--json"))
    lines = [json.loads(line) for line in sereno(data, *WINDOW, "--path", "sbc-1/core-a", "--ndjson").splitlines()]
    assert document["entries"] == lines
    assert (document["from"], document["to"]) == ("2026-11-21T15:00:00.000000Z", "2026-11-21T15:02:00.000000Z")
    assert document["counts"]["result"] == 180 == sum(one["kind"] == "result" for one in lines)
    begins = [one for one in lines if one["kind"] != "ledger"]
    assert [one["at"] for one in begins] == sorted(one["at"] for one in begins)
    (first, second) = document["correlation"]["first"][:2]
    assert first["source"] == {"probe": "bog-1", "boot": "b100d", "seq": 721}
    assert first["lead_seconds"] == 0
    assert second["lead_seconds"] == 0.05
    assert document["correlation"]["beside"][0]["kind"] == "maintenance"


def test_the_whole_service_in_english_and_an_incident_by_its_number(sereno, data):
    assert "Forensics: service voz" in sereno(data, *WINDOW, "--lang", "en")
    text = sereno(data, "--incident", "1")
    assert "Forense: incidente 1" in text
    assert "Núcleo core-a caído" in text


def test_an_empty_window_is_no_error(sereno, data):
    text = sereno(data, "--from", "2026-11-20T00:00:00Z", "--to", "2026-11-20T01:00:00Z", "--path", "sbc-1/core-b")
    assert "Nada en esta ventana" in text
    assert "no tiene resultados anteriores a" in text
    window = ("--from", "2026-11-20T00:00:00Z", "--to", "2026-11-20T01:00:00Z")
    document = json.loads(sereno(data, *window, "--path", "sbc-1/core-b", "--json"))
    assert document["entries"] == []
    assert document["covers"]["results"]["first"] == "2026-11-21T15:00:00.000000Z"


def test_faults_are_one_line_each(sereno, data, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").write_text("mine")
    for arguments, words in (
        ((*WINDOW, "--path", "sbc-9/core-a"), "sbc-2/core-b"),
        (("--from", TO, "--to", FROM), "is not before"),
        (("--from", FROM), "--from and --to"),
        (("--from", "yesterday", "--to", TO), "ISO 8601"),
        (("--from", "2026-11-21T15:00:00", "--to", TO), "offset"),
        ((*WINDOW, "--path", "sbc-1/core-a", "--sbc", "sbc-1"), "exclude each other"),
        ((*WINDOW, "--json", "--ndjson"), "exclude each other"),
        ((*WINDOW, "--checks", "optoins"), "options"),
        ((*WINDOW, "--only", "x"), "changes"),
        ((*WINDOW, "--lang", "fr"), "es or en"),
        ((*WINDOW, "--export", str(tmp_path / "taken")), "nothing is written over"),
        ((*WINDOW, "--export", "/proc/x/y"), "can be written"),
        (("--incident", "77"), "incidents list"),
    ):
        assert words in sereno(data, *arguments, code=2), arguments
    assert (tmp_path / "taken" / "x").read_text() == "mine"
    assert "no Sereno data" in sereno(tmp_path / "none", *WINDOW, code=2)


def test_an_export_is_whole_private_and_sums_up(sereno, data, tmp_path):
    folder = tmp_path / "deep" / "case"
    window = ("--from", FROM, "--to", "2026-11-21T15:10:00Z")
    text = sereno(data, *window, "--export", str(folder))
    assert f"Exportado: {folder}" in text
    names = {path.name for path in folder.iterdir()}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {one["name"] for one in manifest["files"]} == names - {"manifest.json"}
    for one in manifest["files"]:
        body = (folder / one["name"]).read_bytes()
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (one["sha256"], one["bytes"])
        assert (folder / one["name"]).stat().st_mode & 0o777 == 0o600
    entries = json.loads((folder / "timeline.json").read_text())["entries"]
    assert [json.loads(line) for line in (folder / "timeline.ndjson").read_text().splitlines()] == entries
    assert sum(name.startswith("sip-") for name in names) == sum(one["kind"] == "sip" for one in entries) == 80 + 6
    with (folder / "rtp-seconds.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["at"], row["packets"], row["lost"]) for row in rows[:2]] == [
        ("2026-11-21T15:05:20.500000Z", "50", "0"), ("2026-11-21T15:05:21.500000Z", "12", "38"),
    ]  # fmt: skip
    assert sum(name.startswith("call-") for name in names) == 1
    assert [one["why"] for one in manifest["missing"]] == [
        "not a name that a probe gives to captures",
        "not on this machine (No such file or directory); fetch it from the probe's",
    ]
    assert "nothing is written over" in sereno(data, *window, "--export", str(folder), code=2)
    assert [path.name for path in folder.parent.iterdir()] == ["case"]


@pytest.mark.skipif(shutil.which("tshark") is None and not os.environ.get("CI"), reason="tshark is not installed")
def test_tshark_reads_every_message_of_every_wire(sereno, data, tmp_path):
    folder = tmp_path / "case"
    sereno(data, "--from", iso(T0 + 299 * S), "--to", iso(T0 + 315 * S), "--json", "--export", str(folder))
    manifest = {one["source"]["seq"]: one for one in json.loads((folder / "manifest.json").read_text())["files"]
                if one["name"].startswith("sip-")}  # fmt: skip
    fields = (
        "frame.time_epoch", "ip.src", "ipv6.src", "udp.srcport", "tcp.srcport", "sip.Method", "sip.Status-Code",
        "sip.Call-ID", "ip.checksum.status", "udp.checksum.status", "tcp.checksum.status",
    )  # fmt: skip
    for number, (transport, own, _, status) in WIRES.items():
        rows = tshark(folder / manifest[9_000 + number]["name"], fields)
        assert [row["sip.Method"] for row in rows] == ["OPTIONS", "", ""], number
        assert [row["sip.Status-Code"] for row in rows] == ["", "100", status[:3]]
        assert {row["sip.Call-ID"] for row in rows} == {f"call-{number}@probe"}
        assert [row["frame.time_epoch"][:17] for row in rows] == [
            f"{(T0 + number * S + after) / 1e6:.6f}" for after in (0, 250_000, 900_001)
        ]
        sums = {row[name] for row in rows for name in fields if "checksum" in name}
        assert sums <= {"", "1"}, rows  # 1: good
        host, _, port = own.rpartition(":")
        ours = rows[0]["ip.src"] or rows[0]["ipv6.src"]
        assert ours == ("192.0.2.1" if "example" in own else host.strip("[]"))
        assert (rows[0]["tcp.srcport"] if transport == "tcp" else rows[0]["udp.srcport"]) == port
        assert ("notes" in manifest[9_000 + number]) == (transport == "tls" or "example" in own)
    (row,) = tshark(folder / manifest[9_310]["name"], ("frame.len", "frame.cap_len", "sip.Method"))
    assert int(row["frame.len"]) == int(row["frame.cap_len"]) + 300
    assert row["sip.Method"] == "OPTIONS"


def tshark(path, fields):
    done = subprocess.run(
        ["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
         "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
         *(word for field in fields for word in ("-e", field))],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [dict(zip(fields, line.split("|"), strict=True)) for line in done.stdout.splitlines()]


def test_a_reader_that_has_read_enough_is_no_fault(data):
    with subprocess.Popen(
        [sys.executable, "-m", "sereno", "forensics", *WINDOW, "--ndjson", "--data", str(data)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(30), said) == (0, b"")
