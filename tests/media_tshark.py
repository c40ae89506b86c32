"""tshark 4.0 as the oracle: what `-z rtp,streams` says of a capture."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_LINE = re.compile(
    r"\s*([\d.]+)\s+([\d.]+)\s+([\da-f.:]+)\s+(\d+)\s+([\da-f.:]+)\s+(\d+)\s+0x([0-9A-F]{8})\s+(.+?)\s+(\d+)"
    r"\s+(-?\d+) \(.*?\)\s+-?[\d.]+\s+-?[\d.]+\s+-?[\d.]+\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)"
)
HALF_MS = 0.5e-6 + 1e-9  # tshark prints three decimals of a millisecond


@dataclass(frozen=True)
class Said:
    packets: int
    lost: int
    jitter_mean: float
    jitter_max: float
    payload: str


def read_tshark(text):
    """tshark's table by (src, dst, ssrc)."""
    return {
        (f"{m[3]}:{m[4]}", f"{m[5]}:{m[6]}", f"0x{m[7].lower()}"): Said(
            int(m[9]), int(m[10]), float(m[12]) / 1000, float(m[13]) / 1000, m[8]
        )
        for m in map(_LINE.match, text.splitlines())
        if m
    }


def tshark(path: Path, *setup: str) -> dict[tuple[str, str, str], Said]:
    """tshark's streams; without a set-up of its own, whatever goes to port 30000 is RTP."""
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    told = setup or ("-d", "udp.port==30000,rtp")
    command = ["tshark", "-n", "-r", str(path), *told, "-q", "-z", "rtp,streams"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return read_tshark(done.stdout)
