"""What is kept of a call's packets: our own ports alone, headers alone, bounded, in files of ours alone."""

import asyncio
import json
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from probes.media.call_pcap import Packet, PacketRing, udp_of, write


def frame(source, destination, payload, *, vlan=False, fragment=0, protocol=17, ends=bytes([127, 0, 0, 1] * 2)):
    udp = struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, fragment, 64, protocol, 0) + ends
    return bytes(12) + (b"\x81\x00\x00\x05" if vlan else b"") + b"\x08\x00" + ip + udp


def rtp(number, payload=bytes(160)):
    return struct.pack("!BBHII", 0x80, 8, number, 160 * number, 7) + payload


@pytest.fixture
async def ring():
    """A ring on a datagram socket pair: frames go in as from the kernel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    made = PacketRing(theirs.detach(), (20_000, 20_019), most=5, payload=False, loopback=False)
    made.feed = ours.send
    yield made
    made.close()
    ours.close()


async def test_headers_of_our_ports_alone_and_the_last_ones(ring):
    for number in range(8):
        ring.feed(frame(40_000, 20_004, rtp(number)))
    ring.feed(frame(20_005, 40_001, b"\x80\xc8" + bytes(50)))
    for others in (
        frame(40_000, 30_000, rtp(1)),
        frame(1, 20_006, rtp(1)),
        b"",
        bytes(60),
        frame(9, 20_004, b"", protocol=6),
    ):
        ring.feed(others)
    await asyncio.sleep(0)
    found, let_go = ring.take(20_004, 0)
    assert (len(found), let_go) == (5, 4)
    assert [len(packet.data) for packet in found] == [14 + 20 + 8 + 12] * 4 + [14 + 20 + 8 + 52], "RTCP is whole"
    assert found[0].length == 14 + 20 + 8 + 172
    assert ring.take(20_004, 0) == ([], 0), "taken is gone"
    (other,) = ring.take(20_006, 0)[0]
    assert other.at_ns > 0


@pytest.mark.parametrize("vlan", [False, True])
async def test_the_same_port_of_another_address_is_not_its_own(ring, vlan):
    ours, theirs, far = bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2]), bytes([127, 0, 0, 9])
    for number, (source, destination, ends) in enumerate(
        [(40_000, 20_004, far + ours), (20_004, 40_000, ours + far), (40_000, 20_004, ours + theirs)]
    ):
        ring.feed(frame(source, destination, rtp(number), ends=ends, vlan=vlan))
    await asyncio.sleep(0)
    assert len(ring.take(20_004, 0, "127.0.0.1")[0]) == 2


async def test_what_was_before_the_call_is_not_its_own(ring):
    ring.feed(frame(40_000, 20_004, rtp(1)))
    await asyncio.sleep(0)
    assert ring.take(20_004, 2**62) == ([], 0)


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_any_cut_frame_is_no_fault(cut):
    data = frame(40_000, 20_004, rtp(1), vlan=cut % 2 == 0)[:cut]
    assert udp_of(data) is None or cut >= 42
    assert udp_of(frame(1, 2, b"", fragment=100)) is None
    assert udp_of(frame(1, 2, b"xx", vlan=True))[1:] == (1, 2)


def test_the_file_is_bounded_private_and_readable_by_the_analyzer(tmp_path):
    folder = tmp_path / "new"
    packets = [Packet(10**18 + n * 20_000_000, frame(40_000, 20_004, rtp(n))[:54], 214) for n in range(100)]
    got = write(packets, str(folder), "sbc-1-core-a", max_bytes=24 + 50 * (16 + 54), keep=2, left_out=3)
    assert (got.packets, got.left_out) == (50, 53)
    file = Path(got.path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert file.stat().st_size == 24 + 50 * 70
    done = subprocess.run(
        [sys.executable, "-m", "sereno", "rtp", "analyze", str(file), "--json"], capture_output=True, check=True
    )
    (stream,) = json.loads(done.stdout)["streams"]
    assert stream["packets"] == 50
    assert stream["lost"] == 0
    for _ in range(3):
        got = write(packets[:1], str(folder), "x", max_bytes=10_000, keep=2)
    assert len(list(folder.glob("*"))) == 2
    assert Path(got.path).exists(), "the newest stays"


def test_a_folder_that_cannot_be_written_is_an_oserror(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write([], str(tmp_path / "file"), "x", max_bytes=10_000, keep=1)
