"""Captures with every kind of damage: the C readers and the plain Python ones say the same, packet by packet."""

import random
import struct

import pytest

from probes.media.errors import CaptureError
from tests.media_captures import SRC, START_NS, ethernet, frame, pcap, stream, udp4
from tests.media_files import (
    LINKS,
    Pcapng,
    fragments4,
    fragments6,
    invite,
    ip4_of,
    ip4_options,
    ip6_of,
    kuznetzov,
    tcp4,
    udp,
)
from tests.media_readers import C, Plain, Reader, counted

_SIP = (("10.9.0.1", 5060), ("10.9.0.2", 5060))


def _frames(rng: random.Random) -> list[tuple[int, bytes]]:
    """Ethernet frames of all sorts: RTP plain and wrapped, in fragments, SIP over UDP and TCP, and what is neither."""
    message = invite("10.9.0.2", 30000, codecs="8 96", more="a=rtpmap:96 opus/48000/2\r\na=ptime:20\r\n")
    found: list[tuple[int, bytes]] = []
    number = 4000
    for p in stream(rng.randrange(4, 12), payload_type=rng.choice((8, 96)), size=rng.choice((0, 20, 160, 2000))):
        ip = ip4_of(p)
        sorts = [
            [ethernet(ip)], [ethernet(ip, vlans=2)], [ethernet(ip4_options(ip, b"\x94\x04\x00\x00"))],
            [ethernet(ip6_of(p, [(0, bytes(8)), (60, bytes(16))]), ethertype=0x86DD)],
            [ethernet(one) for one in fragments4(ip, 800, rng.randrange(3))],
            [ethernet(one, ethertype=0x86DD) for one in fragments6(17, udp(p), 800, 9)],
            [ethernet(bytes(20), ethertype=0x0806)],
        ]  # fmt: skip
        found += [(p.at_ns, one) for one in rng.choice(sorts)]
        if rng.random() < 0.3:
            text = message * rng.randrange(1, 3) + b"OPTIONS sip:b SIP/2.0\r\n\r\n"
            step = rng.randrange(40, 400)
            pieces = [text[at : at + step] for at in range(0, len(text), step)]
            found += [(p.at_ns, ethernet(tcp4(*_SIP, number + i * step, piece))) for i, piece in enumerate(pieces)]
            number += len(text)
        if rng.random() < 0.3:
            pieces = fragments4(udp4(*_SIP, message), rng.choice((96, 200, 2000)), rng.randrange(7, 9))
            if rng.random() < 0.5:
                rng.shuffle(pieces)
            found += [(p.at_ns, ethernet(one)) for one in pieces]
        if rng.random() < 0.1:
            found += [frame(p)] * 2
    return found


def _capture(rng: random.Random) -> bytes:
    frames = _frames(rng)
    order = rng.choice("<>")
    sort = rng.randrange(5)
    if sort == 0:
        return pcap(frames, order=order, nanoseconds=rng.random() < 0.5, snaplen=rng.choice((60, 90, 65535)))
    if sort == 1:
        return kuznetzov(frames)
    made = Pcapng(order)
    parts = [made.section()]
    interfaces = 0
    for at_ns, octets in frames:
        if not interfaces or rng.random() < 0.2:
            resolution = rng.choice((None, 9, 6, 0x80 | 20))
            parts.append(
                made.interface(1, snaplen=rng.choice((0, 90)), resolution=resolution, offset=rng.choice((None, 5)))
            )
            interfaces += 1
        chance = rng.random()
        if chance < 0.1:
            parts.append(made.block(rng.choice((4, 5, 0x0BAD, 10)), rng.randbytes(rng.randrange(60))))
        elif chance < 0.15:
            made = Pcapng(rng.choice("<>"))
            parts += [made.section(), made.interface(resolution=9)]
            interfaces = 1
        if chance > 0.9:
            parts.append(made.simple(octets))
        elif chance > 0.8:
            parts.append(made.obsolete(at_ns // 1000, octets, interface=rng.randrange(interfaces)))
        else:
            parts.append(
                made.enhanced(
                    at_ns // 1000, octets, interface=rng.randrange(interfaces), original=rng.choice((0, 9000))
                )
            )
    return b"".join(parts)


def _damage(rng: random.Random, data: bytes) -> bytes:
    octets = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5, 20))):
        at = rng.randrange(len(octets))
        sort = rng.randrange(6)
        if sort == 0:
            octets[at] ^= 1 << rng.randrange(8)
        elif sort == 1:
            octets[at : at + 4] = rng.choice(
                (b"\xff" * 4, bytes(4), struct.pack("<I", rng.randrange(300)), rng.randbytes(4))
            )
        elif sort == 2:
            del octets[at : at + rng.choice((1, 4, 16, 100))]
        elif sort == 3:
            octets[at:at] = octets[rng.randrange(len(octets)) :][: rng.choice((4, 28, 60, 200))]
        elif sort == 4:
            octets[at] = rng.randrange(256)
        else:
            del octets[-rng.randrange(1, 40) :]
        if not octets:
            break
    return bytes(octets)


def _told(reader: Reader, data: bytes) -> dict[str, object] | None:
    """None: refused."""
    try:
        facts = reader.feed(data)
    except CaptureError:
        return None
    return {**counted(facts), "format": facts.format, "links": facts.link_types, "warned": facts.warning is not None}


_FIELDS = (
    "src", "src_port", "dst", "dst_port", "ssrc", "packets", "bytes", "expected", "lost", "duplicates", "reordered",
    "start_ns", "end_ns", "payload_type", "clock_rate", "profile", "events", "markers", "dscp_seen", "largest_gap_ns",
)  # fmt: skip


def _rows(reader: Reader) -> list[tuple[object, ...]]:
    """What of the streams hangs on what was read, and when; the rest is compared elsewhere."""
    return sorted(tuple(row[name].item() for name in _FIELDS) for row in reader.meter.snapshot())


def compare(seed: int) -> bool:
    """Is this one read at all?"""
    rng = random.Random(seed)
    data = _damage(rng, _capture(rng))
    c, plain = C(), Plain()
    said = _told(c, data)
    assert said == _told(plain, data)
    if said is None:
        return False
    assert c.meter.names == plain.meter.names
    assert c.meter.infos == plain.meter.infos
    assert _rows(c) == _rows(plain)
    return True


@pytest.mark.parametrize("part", range(4))
def test_readers_agree(part):
    read = [compare(1000 * part + seed) for seed in range(150)]
    assert sum(read) > 50


def _mangled(rng: random.Random) -> bytes:
    """Six frames of one link layer, with wrong octets in their headers, or cut."""
    link_type, header, _ = rng.choice(list(LINKS.values()))
    frames = []
    for p in stream(6):
        octets = bytearray(header + rng.choice((ip4_of(p), ip6_of(p), ip6_of(p, [(0, bytes(8)), (44, bytes(8))]))))
        for _ in range(rng.choice((0, 1, 2, 4))):
            octets[rng.randrange(80)] = rng.choice((0, 0xFF, rng.randrange(256), 6, 17, 44, 51))
        frames.append((p.at_ns, bytes(octets[: rng.randrange(len(octets))] if rng.random() < 0.3 else octets)))
    return pcap(frames, link_type=link_type)


def test_readers_agree_on_mangled_frames():
    metered = 0
    for seed in range(600):
        data = _mangled(random.Random(seed))
        c, plain = C(), Plain()
        assert _told(c, data) == _told(plain, data), seed
        assert _rows(c) == _rows(plain), seed
        metered += len(_rows(c))
    assert metered > 200


def test_an_undamaged_one_says_much():
    rng = random.Random(5)
    reader = C()
    facts = reader.feed(pcap([item for _ in range(20) for item in _frames(rng)]))
    assert facts.warning is None
    assert facts.fragments > 50
    assert facts.not_udp > 50
    assert len(reader.meter.infos) >= 1
    assert (SRC[1], START_NS) == (20000, min(reader.meter.snapshot()["start_ns"]))
