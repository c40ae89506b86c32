"""The ring and its filter on real links of a network namespace: VLAN tags, IPv6, what passes and what does not."""

import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media_captures import Rtp, udp4

ROOT = Path(__file__).parents[2]
SRC, DST = ("10.9.0.1", 20000), ("10.9.0.2", 30000)
SRC6, DST6 = ("2001:db8::1", 20000), ("2001:db8::2", 30000)
COUNT = 12

# Both ends of a veth pair see the same frames: leaving with every tag inside, arriving with the outer one taken off.
_SEND_AND_SHOW = """
import json, socket, subprocess, sys, time
from probes.media.live import LiveMeter
from probes.media.report import streams_fields

for words in ("lo up", "v0 up", "v1 up"):
    if words[0] == "v" and words[1] == "0":
        subprocess.run("ip link add v0 type veth peer name v1".split(), check=True)
        for name in ("v0", "v1"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as off:
                off.write("1")
    subprocess.run(["ip", "link", "set", *words.split()], check=True)
low, high, wanted, *frames = json.load(sys.stdin)
with LiveMeter((low, high), "v0") as arriving, LiveMeter((low, high), "v1") as leaving:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind(("v1", 0))
        for frame in frames:
            sender.send(bytes.fromhex(frame))
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        time.sleep(0.06)
        if all(int(meter.snapshot()["packets"].sum()) >= wanted for meter in (arriving, leaving)):
            break
    print(json.dumps([
        {"streams": streams_fields(meter.snapshot(), {}), "counters": meter._meter.counters(), "dropped": meter.dropped,
         "frames": meter._ring.status()["frames"]}
        for meter in (arriving, leaving)
    ]))
"""


def seen(frames, wanted, ports=(20000, 20000)):
    """What a meter at either end of a link says of these frames."""
    command = ["unshare", "--net", sys.executable, "-c", _SEND_AND_SHOW]
    words = json.dumps([*ports, wanted, *(frame.hex() for frame in frames)])
    done = subprocess.run(command, cwd=ROOT, input=words, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "Unknown device type" in done.stderr:
        pytest.skip("no network namespace or no veth here")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def ethernet(ip, *tags, six=False):
    """A frame with these VLAN tags, (protocol, tag control) from the outside in."""
    inside = b"".join(struct.pack("!HH", *tag) for tag in tags) + struct.pack("!H", 0x86DD if six else 0x0800) + ip
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + inside


def udp6(payload, *extensions, first=17, src=SRC6, dst=DST6, traffic_class=0):
    """An IPv6 packet with extension headers, each (its octets); `first` is the type of the first one."""
    udp = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
    body = b"".join(extensions) + udp
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, end[0]) for end in (src, dst))
    return struct.pack("!IHBB", 6 << 28 | traffic_class << 20, len(body), first, 64) + addresses + body


def options4(packet):
    """The same IPv4 packet with 8 octets of options."""
    longer = bytearray(packet[:20] + bytes(8) + packet[20:])
    longer[0] = 0x47
    struct.pack_into("!H", longer, 2, len(longer))
    return bytes(longer)


def rtp(i, ssrc, **fields):
    return Rtp(0, i, i * 160, ssrc=ssrc, **fields).payload()


def v4(payload):
    return udp4(SRC, DST, payload)


HOP = bytes([60, 0, 1, 4, 0, 0, 0, 0])  # then destination options
DESTINATION = bytes([43, 1]) + b"\x01\x0c" + bytes(12)  # then routing
ROUTING = bytes([51, 0, 0, 0, 0, 0, 0, 0])  # then authentication
AUTHENTICATION = bytes([44, 4]) + bytes(22)  # then fragment
FRAGMENT = bytes([17, 0, 0, 1, 0, 0, 0, 9])  # the first of several, then UDP
VOICE = 0xA000 | 7  # priority 5
# A tag whose first half octet looks like the version of IPv4 or IPv6
LOOKS_4, LOOKS_6 = 0x4008, 0x6009


def test_every_way_of_wrapping_is_seen_at_both_ends():
    kinds = [
        lambda p: ethernet(v4(p)),
        lambda p: ethernet(v4(p), (0x8100, VOICE)),
        lambda p: ethernet(v4(p), (0x8100, LOOKS_4)),
        lambda p: ethernet(v4(p), (0x88A8, 0x2064), (0x8100, LOOKS_6)),
        lambda p: ethernet(v4(p), (0x9100, 0x2064), (0x8100, LOOKS_4)),
        lambda p: ethernet(v4(p), (0x88A8, 1), (0x88A8, 2), (0x8100, 3)),
        lambda p: ethernet(options4(v4(p))),
        lambda p: ethernet(udp6(p), six=True),
        lambda p: ethernet(udp6(p), (0x8100, VOICE), six=True),
        lambda p: ethernet(udp6(p), (0x88A8, 0x2064), (0x8100, VOICE), six=True),
    ]
    frames = [wrap(rtp(i, kind)) for i in range(COUNT) for kind, wrap in enumerate(kinds)]
    for end in seen(frames, COUNT * len(kinds)):
        assert [(int(s["ssrc"], 16), s["packets"], s["lost"], s["bytes"]) for s in sorted_(end)] == [
            (kind, COUNT, 0, COUNT * 172) for kind in range(len(kinds))
        ]
        assert {s["src"] for s in end["streams"]} == {"10.9.0.1:20000", "[2001:db8::1]:20000"}
        assert end["dropped"] == 0


def sorted_(end):
    return sorted(end["streams"], key=lambda s: s["ssrc"])


def test_extension_headers_of_ipv6_are_followed():
    chains = [
        ((HOP, DESTINATION, ROUTING, AUTHENTICATION, FRAGMENT), 0),
        ((FRAGMENT,), 44),
        ((bytes([17, 1]) + bytes(14),), 135),
    ]
    tag = (0x8100, LOOKS_6)
    frames = [
        ethernet(udp6(rtp(i, kind), *chain, first=first), tag, six=True)
        for i in range(COUNT)
        for kind, (chain, first) in enumerate(chains)
    ]
    for end in seen(frames, COUNT * len(chains)):
        assert [(s["packets"], s["bytes"]) for s in sorted_(end)] == [(COUNT, COUNT * 172)] * len(chains)


def test_what_is_not_asked_for_never_reaches_the_ring():
    """Other ports, other protocols, later fragments, other payloads: the filter keeps them out."""
    later = bytearray(v4(rtp(1, 3)))
    struct.pack_into("!H", later, 6, 0x0100)
    tcp = bytearray(v4(rtp(1, 4)))
    tcp[9] = 6
    strangers = [
        ethernet(udp4(("10.9.0.1", 19999), ("10.9.0.2", 20001), rtp(1, 2))),
        ethernet(bytes(later)),
        ethernet(bytes(tcp)),
        ethernet(udp6(rtp(1, 5), bytes([17, 0, 0x01, 0x08, 0, 0, 0, 9]), first=44), six=True),
        ethernet(udp6(rtp(1, 6), first=59), six=True),
        ethernet(v4(b"\x00\x01\x00\x00!\x12\xa4B" + bytes(12))),  # STUN
        ethernet(v4(b"")),
        ethernet(b"\x45"),
        b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\x06" + bytes(28),  # ARP
    ]
    frames = [frame for i in range(COUNT) for frame in (*strangers, ethernet(v4(rtp(i, 1)), (0x8100, 7)))]
    for end in seen(frames, COUNT):
        assert [(s["ssrc"], s["packets"]) for s in end["streams"]] == [("0x00000001", COUNT)]
        assert (end["frames"]["frames"], end["counters"]["other"]) == (COUNT, 0)


def test_a_port_range_takes_either_end_of_a_datagram():
    ends = [(20000, 9), (9, 20000), (29999, 9), (9, 29999), (19999, 9), (9, 30000)]
    frames = [
        ethernet(udp4(("10.9.0.1", a), ("10.9.0.2", b), rtp(i, kind)))
        for i in range(4)
        for kind, (a, b) in enumerate(ends)
    ]
    for end in seen(frames, 16, ports=(20000, 29999)):
        assert [s["ssrc"] for s in sorted_(end)] == [f"0x{kind:08x}" for kind in range(4)]


def test_headers_pass_and_what_was_said_does_not():
    """The helper's filter cuts RTP behind its header, contributing sources included; RTCP is whole; it cannot be
    taken off the socket again."""
    code = """
import os, socket, subprocess
from probes.media import live
fd = live._descriptor(str(live.capture_helper.PROGRAM), "lo", (20000, 20001))
with socket.socket(fileno=fd) as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for first, second in ((0x80, 8), (0x83, 8), (0x81, 200), (0x80, 191)):
        sender.sendto(bytes([first, second]) + bytes(170), ("127.0.0.1", 20000))
        print(len(taken.recv(9999)) - 14 - 20 - 8)
    try:
        taken.setsockopt(socket.SOL_SOCKET, 27, 0)  # SO_DETACH_FILTER
    except PermissionError:
        print("locked")
"""
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("no network namespace here")
    assert (done.stdout.split(), done.stderr) == (["12", "24", "172", "12", "locked"], "")
