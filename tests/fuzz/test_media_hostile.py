"""Hostile captures by the hundred (by the thousand with `make fuzz`) through `sereno rtp analyze` itself.

Octets of good captures are changed, cut, doubled and mixed. Whatever comes: exit 0 or 2, never a traceback, at most one
line on stderr, JSON that holds together, in time, and no memory left behind.
"""

import json
import os
import random
import resource
import sys
import time
from pathlib import Path

import pytest

from sereno.cli import main
from tests.media_seeds import captures

SECONDS = int(os.environ.get("SERENO_FUZZ_SECONDS", "8"))
LONGEST = 5.0  # seconds for a file of some kilobytes, on a loaded machine
SEEDS = captures()
OPTIONS = (
    [], ["--audio"], ["--window", "2"], ["--no-seconds"], ["--buffer", "fixed"], ["--buffer", "none"], ["--no-plc"],
    ["--map", "96=opus/48000"], ["--probation", "1"], ["--provisional"], ["--delay", "80"],
)  # fmt: skip
NUMBERS = (0, 1, 7, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def hostile(rng: random.Random) -> bytes:
    """A good capture, less good."""
    data = bytearray(rng.choice(list(SEEDS.values())))
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                width = rng.choice((1, 2, 4, 8))
                number = rng.choice(NUMBERS) % (1 << 8 * width)
                data[at : at + width] = number.to_bytes(width, rng.choice(("big", "little")))
            case 2:
                del data[at : at + rng.choice((1, 4, 16, 100, len(data)))]
            case 3:
                data[at:at] = rng.randbytes(rng.choice((1, 3, 4, 60)))
            case 4:
                data[at:at] = data[at : at + rng.choice((4, 16, 74, 300))]
            case 5:
                other = rng.choice(list(SEEDS.values()))
                data[at:] = other[rng.randrange(len(other)) :]
            case _:
                data[at : at + 1] = bytes([data[at] ^ 1 << rng.randrange(8)]) if at < len(data) else b""
    return bytes(data)


def resident() -> int:
    """Octets of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture
def analyse(monkeypatch, capfd):
    """The command in this process: exit status, stdout, stderr."""

    def run(path, options):
        monkeypatch.setattr(sys, "argv", ["sereno", "rtp", "analyze", str(path), "--json", *options])
        begin = time.monotonic()
        with pytest.raises(SystemExit) as ended:
            main()
        assert time.monotonic() - begin < LONGEST
        return ended.value.code or 0, *capfd.readouterr()

    return run


def check(code, out, err, path):
    lines = err.splitlines()
    assert code in {0, 2}, err
    assert "Traceback" not in err
    assert len([line for line in lines if "captured twice" not in line]) <= 1, err
    assert all(line.startswith("sereno: ") and str(path) in line for line in lines), err
    assert code == 0 or (lines and not out)
    if code:
        return
    for stream in json.loads(out, parse_constant=pytest.fail)["streams"]:
        assert stream["packets"] >= 1
        assert 0 <= stream["lost"] <= stream["expected"]
        assert stream["mos_lq"] is None or 1 <= stream["mos_lq"] <= 4.5
        assert stream["loss_ratio"] is None or 0 <= stream["loss_ratio"] <= 1


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_hostile_captures(tmp_path, analyse):
    rng = random.Random(int(os.environ.get("SERENO_FUZZ_SEED", "1")))
    path = tmp_path / "hostile.pcap"
    until, count, settled = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < until:
        path.write_bytes(hostile(rng))
        options = rng.choice(OPTIONS)
        try:
            check(*analyse(path, options), path)
        except AssertionError as error:
            error.add_note(f"{path} with {options}")
            raise
        count += 1
        if count == 100:
            settled = resident()
    assert count > 100
    assert resident() - settled < 20 << 20, "memory grows with every file"


@pytest.mark.parametrize("name", SEEDS)
def test_good_captures_have_no_warning(tmp_path, analyse, name):
    path = tmp_path / "good.pcap"
    path.write_bytes(SEEDS[name])
    code, out, err = analyse(path, [])
    assert (code, err) == (0, "")
    assert json.loads(out)["streams"]
