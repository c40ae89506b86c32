"""`sereno rtp analyze` as a person or a script meets it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media_captures import pcap, rtp_pcap, stream

ROOT = Path(__file__).parents[2]


def rtp(*arguments, data=b""):
    command = [sys.executable, "-m", "sereno", "rtp", "analyze", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False)


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


def test_table(capture):
    lines = rtp(capture).stdout.decode().splitlines()
    assert lines[0].split()[:4] == ["From", "To", "SSRC", "Codec"]
    assert "2 (1.00 %)" in lines[2]


def test_several_files_are_told_apart(capture, tmp_path):
    other = tmp_path / "b.pcap"
    other.write_bytes(rtp_pcap(stream(10)))
    streams = json.loads(rtp(capture, other, "--json").stdout)["streams"]
    assert [Path(s["file"]).name for s in streams] == ["a.pcap", "a.pcap", "b.pcap"]


def test_standard_input(capture):
    done = rtp("-", "--json", data=capture.read_bytes())
    assert len(json.loads(done.stdout)["streams"]) == 2


def test_a_capture_without_rtp_is_fine(tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    assert json.loads(rtp(path, "--json").stdout) == {"streams": []}
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
