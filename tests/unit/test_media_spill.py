"""What grows with time goes to files without a name: the figures stay, and a full disk takes nothing from them."""

import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.report import Labels, stream_pieces
from probes.media.spill import unseen_files
from tests.media_captures import START_NS, Rtp, rtp_pcap

_STREAMS, _SECONDS = 40, 700  # seconds of some 60 octets: more than the megabyte that is kept in memory
_PROGRAM = """
import resource, sys
from tests.unit.test_media_spill import figures
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.stdout.write(figures(spill=True))
"""


def _capture():
    return rtp_pcap(
        [
            Rtp(START_NS + second * 1_000_000_000 + number, second, second * 8000, ssrc=number + 1)
            for second in range(_SECONDS)
            for number in range(_STREAMS)
            if (second * 7 + number) % 50
        ]
    )


def figures(*, spill):
    meter = StreamMeter()
    if spill:
        meter.spill()
    feed_capture(io.BytesIO(_capture()), meter, "x")
    from probes.media.built import native

    report = native.Report(meter.core, Labels(meter.names), window=1)
    return b"".join(stream_pieces(report)).decode()


def _mapped():
    """Files without a name that this process has mapped, octets."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    spans = [line.split()[0].split("-") for line in lines if line.endswith("(deleted)") and "/#" in line]
    return sum(int(end, 16) - int(start, 16) for start, end in spans)


def test_the_figures_are_the_same_and_the_files_are_used():
    meter = StreamMeter()
    meter.spill()
    before = _mapped()
    feed_capture(io.BytesIO(_capture()), meter, "x")
    used = _mapped() - before
    if unseen_files(0) or not _possible():
        pytest.skip("no folder for files without a name")
    assert used > 1 << 20
    del meter
    assert _mapped() == before
    told = figures(spill=True)
    assert told == figures(spill=False)
    assert len(json.loads(f"[{told}]")) == _STREAMS


def _possible():
    files = unseen_files(1)
    for file in files:
        os.close(file)
    return bool(files)


@pytest.mark.parametrize("room", [0, 1 << 20, 1_300_000])
def test_a_disk_that_is_full_takes_nothing_away(room):
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(room)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == figures(spill=False)


def test_no_folder_is_no_trouble(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    opened = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: opened(path, *rest) if str(path) == "/nowhere" else _refuse())
    assert unseen_files(3) == []


def _refuse():
    raise PermissionError


def test_files_have_no_name(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert limit > 16
    files = unseen_files(3)
    assert len(files) == 3
    assert list(tmp_path.iterdir()) == []
    for file in files:
        os.close(file)
