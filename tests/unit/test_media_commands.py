"""`sereno rtp analyze` as a person or a script meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media_captures import DST, SRC, pcap, rtp_pcap, stream

ROOT = Path(__file__).parents[2]


def rtp(*arguments, data=b""):
    command = [sys.executable, "-m", "sereno", "rtp", "analyze", *map(str, arguments)]
    # As Python sees it: readline, which pytest loads, sets COLUMNS behind its back.
    return subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False, env=dict(os.environ))


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(rtp_pcap([p for i, p in enumerate(stream(200)) if i not in {50, 51}] + stream(100, ssrc=9)))
    return path


def test_json_has_the_documented_fields(capture):
    done = rtp(capture, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    streams = json.loads(done.stdout)["streams"]
    documented = [
        "src", "dst", "ssrc", "payload_type", "codec", "clock_rate", "packets", "expected", "lost", "duplicates",
        "reordered", "jitter_mean_seconds", "jitter_max_seconds", "burst_ratio", "loss_ratio", "discarded", "mos_lq",
        "r_lq", "start", "end",
    ]  # fmt: skip
    assert set(documented) <= set(streams[0])
    assert [s["ssrc"] for s in streams] == ["0x00000009", "0x00001234"]
    assert streams[1]["lost"] == 2
    assert streams[1]["loss_ratio"] == 0.01
    assert streams[1]["mos_lq"] == pytest.approx(4.32, abs=0.02)


def test_rated_without_concealment_when_told(capture):
    streams = json.loads(rtp(capture, "--json", "--no-plc").stdout)["streams"]
    assert streams[1]["mos_lq"] < 3.9


def test_table(capture, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = rtp(capture).stdout.decode().splitlines()
    assert lines[0].split()[:5] == ["#", "From", "To", "SSRC", "Codec"]
    assert "2 (1.00 %)" in lines[1]  # the worst stands first
    assert lines[-1] == "2 streams, 298 packets, 2 lost (0.67 %)"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_table_keeps_to_the_width_it_is_told(capture, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = rtp(capture, "--delay", "50").stdout.decode().splitlines()
    assert max(map(len, lines)) <= width
    head = lines[0].split()
    assert {"#", "From", "To", "Lost", "MOS-LQ", "CQ"} <= set(head)
    assert ("SSRC" in head) == (width == 120)


def test_what_to_mind_stands_below_the_table(tmp_path):
    path = tmp_path / "a.pcap"
    there = stream(200, payload_type=96)
    twice = [p for packet in stream(200, ssrc=7, src=("10.9.0.5", 1)) for p in (packet, packet)]
    back = stream(200, ssrc=9, src=DST, dst=SRC)
    path.write_bytes(rtp_pcap(sorted([*there, *twice, *back], key=lambda packet: packet.at_ns)))
    said = rtp(path).stdout.decode()
    assert "#3: no codec known: name payload type 96 by --map 96=CODEC/CLOCK" in said
    assert "#1: captured twice: the capture saw every packet two times" in said
    assert "#1: one way: nothing, or too little, flows back" in said
    done = rtp(path, "--json")
    found = {s["ssrc"]: (s["captured_twice"], s["one_way"]) for s in json.loads(done.stdout)["streams"]}
    assert found == {"0x00001234": (False, False), "0x00000007": (True, True), "0x00000009": (False, False)}
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"sereno: {path}: 1 of 3 streams were captured twice")


def test_several_files_are_told_apart(capture, tmp_path):
    other = tmp_path / "b.pcap"
    other.write_bytes(rtp_pcap(stream(10)))
    streams = json.loads(rtp(capture, other, "--json").stdout)["streams"]
    assert [Path(s["file"]).name for s in streams] == ["a.pcap", "a.pcap", "b.pcap"]


def test_a_broken_file_among_several_costs_a_line_and_the_status(capture, tmp_path):
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"no capture")
    done = rtp(broken, capture, tmp_path / "absent.pcap", "--json")
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert len(answer["streams"]) == 2
    assert [about["error"] is None for about in answer["files"]] == [False, True, False]
    assert [line.split(": ")[1] for line in done.stderr.decode().splitlines()] == [
        str(broken), str(tmp_path / "absent.pcap")
    ]  # fmt: skip
    assert b"2 streams" in rtp(broken, capture).stdout


def test_file_names_do_not_command_the_terminal(capture, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # room for the file's column
    strange = tmp_path / "a\x1b[2Jb.pcap"
    strange.write_bytes(capture.read_bytes()[:-5])
    done = rtp(strange, capture)
    assert b"\x1b" not in done.stdout + done.stderr
    assert "a\ufffd[2Jb.pcap" in done.stdout.decode()


def test_files_say_what_they_were(capture):
    (about,) = json.loads(rtp(capture, "--json").stdout)["files"]
    assert about == {
        "file": str(capture), "format": "pcap", "compression": None, "link_types": ["ETHERNET"], "packets": 298,
        "fragments": 0, "not_udp": 0, "damaged": 0, "snapped": 0, "unread": 0, "untimed": 0, "warning": None,
        "streams": 2, "rtp": 298, "rtcp": 0, "other": 0, "overflow": 0, "error": None,
        "rtcp_packets": {"whole": 0, "snapped": 0, "encrypted": 0, "damaged": 0, "overflow": 0},
    }  # fmt: skip


def test_series_by_the_second_by_windows_or_none(capture):
    whole, wide, none = (
        json.loads(rtp(capture, "--json", *more).stdout)["streams"][1]
        for more in ([], ["--window", "3"], ["--no-seconds"])
    )
    assert "seconds" not in none
    assert whole["seconds"]["second"] == [0, 1, 2, 3]
    assert wide["seconds"]["second"] == [0, 3]
    for name in ("packets", "lost", "discarded"):
        assert sum(whole["seconds"][name]) == sum(wide["seconds"][name])
    assert whole["seconds"]["lost"] == [0, 2, 0, 0]
    del whole["seconds"], wide["seconds"]
    assert whole == wide == none


def test_options_that_change_figures(capture, tmp_path):
    def second(path, *more):
        return json.loads(rtp(path, "--json", "--no-seconds", *more).stdout)["streams"][-1]

    assert second(capture, "--delay", "300")["mos_cq"] < second(capture)["mos_lq"] - 0.3
    assert second(capture, "--delay", "300")["delay_seconds"] == 0.3
    assert second(capture, "--buffer", "none")["discarded"] is None
    fixed = second(capture, "--buffer", "fixed", "--buffer-delay", "0", "--buffer-size", "10")
    assert (fixed["buffer"], fixed["buffer_delay_seconds"], fixed["discarded"]) == ("fixed", 0.0, 0)
    assert second(capture, "--audio")["audio"]["audio_seconds"] == pytest.approx(198 * 0.02)
    assert second(capture)["audio"] is None
    assert json.loads(rtp(capture, "--json", "--probation", "150").stdout)["streams"] == []  # the longest run is 148
    dynamic = tmp_path / "dynamic.pcap"
    dynamic.write_bytes(rtp_pcap([p for i, p in enumerate(stream(200, payload_type=96, step=960)) if i != 50]))
    assert second(dynamic)["jitter_mean_seconds"] is None
    named = second(dynamic, "--map", "96=opus/48000")
    assert (named["codec"], named["codec_source"], named["jitter_mean_seconds"]) == ("opus", "option", 0.0)
    assert (named["mos_lq"], named["mos_provisional"]) == (None, False)
    rated = second(dynamic, "--map=96=opus/48000", "--provisional")
    assert (rated["mos_scale"], rated["mos_provisional"]) == ("wideband", True)
    assert 1 < rated["mos_lq"] < 4.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--window", "0"], "--window 0: out of range: give 1 to 86400 seconds"),
        (["--window", "half"], "Invalid value for '--window'"),
        (["--probation", "0"], "--probation 0: out of range"),
        (["--delay", "nan"], "--delay nan: out of range: give 0 to 60000 ms"),
        (["--delay", "-1"], "--delay -1: out of range"),
        (["--buffer", "huge"], "--buffer huge: no such buffer: adaptive, fixed or none"),
        (["--buffer-size", "20"], "--buffer-size 20: less than the 60 ms of --buffer-delay"),
        (["--map", "opus"], "--map opus: not PT=CODEC/CLOCK: write it like 96=opus/48000"),
        (["--map", "128=opus/48000"], "there is no payload type 128"),
        (["--map", "96=opus/0"], "no clock runs at 0 Hz"),
        (["--map", "96=opus/48000", "--map", "96=PCMA/8000"], "payload type 96 is mapped twice"),
        (["--plot", "out.gif"], "--plot out.gif: its form is known by its ending: name it .svg or .png"),
        (["--html", "out"], "--html out: its form is known by its ending: name it .html or .htm"),
        (["--html", "absent/out.html"], "--html absent/out.html: there is no folder absent: make it first"),
        (["--lang", "fr"], "--lang fr: no such language here: es or en"),
        (["-"], "standard input can be read only once: give - once"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(capture, arguments, said):
    done = rtp(capture, "-", *arguments, data=b"")
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert said in line


def test_who_reads_no_more_is_no_fault(capture):
    command = f"{sys.executable} -m sereno rtp analyze {capture} --json | head -c 20"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"streams":[{"src":"', b"")


def test_json_loads_nothing_heavy(capture):
    code = (
        "import sys; sys.argv = ['sereno', 'rtp', 'analyze', sys.argv[1], '--json']\n"
        "from sereno.cli import main\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code\n"
        "heavy = {'numpy', 'rich', 'yaml', 'sqlalchemy', 'typer', 'pydantic', 'msgspec', 'babel', 'jinja2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, capture], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_standard_input(capture):
    done = rtp("-", "--json", data=capture.read_bytes())
    assert len(json.loads(done.stdout)["streams"]) == 2


def test_a_capture_without_rtp_is_fine(tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    assert json.loads(rtp(path, "--json").stdout)["streams"] == []
    assert rtp(path).stdout == b"no RTP streams\n"


def test_truncated_is_read_with_one_warning(capture):
    capture.write_bytes(capture.read_bytes()[:-7])
    done = rtp(capture, "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["streams"]) == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"sereno: {capture}: cut off at octet ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "empty: is the capture complete?"),
        (b"not a capture at all, is it", "neither pcap nor pcapng"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "damaged at octet 0: a section header there has no byte order"),
        (b"\x1f\x8b\x08" + bytes(40), "its gzip data are"),
        (rtp_pcap([]) + b"\xff" * 40, "damaged at octet 24"),
        (pcap([], link_type=147), "link type 147 (USER0) is not read"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_2(tmp_path, content, message):
    path = tmp_path / "bad.pcap"
    if content is not None:
        path.write_bytes(content)
    done = rtp(path, "--json")
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"sereno: {path}: ")
    assert message in line


def test_a_directory_is_refused(tmp_path):
    done = rtp(tmp_path)
    assert done.returncode == 2
    assert b"a directory: give a capture file" in done.stderr
