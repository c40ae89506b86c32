"""Every link layer and IP packing that is read, by the C readers and by the plain Python ones."""

import pytest

from probes.media.errors import CaptureError
from tests.media_captures import DST, SRC, START_NS, ethernet, frame, pcap, stream
from tests.media_files import (
    LINKS,
    SLL,
    SLL2,
    SNAP,
    Pcapng,
    fragments4,
    fragments6,
    ip4_of,
    ip4_options,
    ip6_of,
    tcp4,
    udp,
)
from tests.media_readers import BOTH, C, counted, row

PACKETS = stream(20)
FRAMES = list(map(frame, PACKETS))


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


def made_of(ip: list[bytes], link_type: int, header: bytes = b"") -> bytes:
    return pcap([(p.at_ns, header + octets) for p, octets in zip(PACKETS, ip, strict=True)], link_type=link_type)


# ---- link layers ----------------------------------------------------------------------------------------------------

IP4 = list(map(ip4_of, PACKETS))
IP6 = [ip6_of(p) for p in PACKETS]


@pytest.mark.parametrize("name", LINKS)
def test_link_layers(meter, name):
    link_type, header, called = LINKS[name]
    facts = meter.feed(made_of(IP4, link_type, header))
    assert (row(meter)["packets"], row(meter)["bytes"]) == (20, 20 * 172)
    assert (counted(facts), facts.link_types, facts.warning) == ({"packets": 20}, (called,), None)


LINKS6 = {
    "ethernet": (1, bytes(12) + b"\x86\xdd"),
    "802.1Q": (1, bytes(12) + b"\x81\x00\x20\x64\x86\xdd"),
    "cooked": (113, SLL + b"\x86\xdd"),
    "cooked 2": (276, b"\x86\xdd" + SLL2[2:]),
    "raw": (101, b""),
    "IPv6": (229, b""),
    "null of FreeBSD": (0, b"\x1c\x00\x00\x00"),
    "null of macOS": (0, b"\x1e\x00\x00\x00"),
    "loop": (108, b"\x00\x00\x00\x18"),
    "PPP": (9, b"\x00\x57"),
    "MPLS": (1, bytes(12) + b"\x88\x47\x00\x02\x01\xff"),
}


@pytest.mark.parametrize("name", LINKS6)
def test_link_layers_of_ipv6(meter, name):
    meter.feed(made_of(IP6, *LINKS6[name]))
    assert (row(meter)["packets"], row(meter)["bytes"], row(meter)["src"].tobytes()[:4]) == (
        20,
        3440,
        b"\x20\x01\x0d\xb8",
    )


@pytest.mark.parametrize("control", [b"\x48\x01", b"\x80\x00", b"\x08\x41", b"\x09\x01", b""])
def test_wireless_frames_that_carry_nothing_readable(meter, control):
    kept = control and control[0] & 0xFC == 0x08 and not control[1] & 0x40
    facts = meter.feed(
        made_of([ip if control else b"" for ip in IP4], 105, control + (bytes(22) + SNAP if control else b""))
    )
    assert counted(facts) == ({"packets": 20} if kept else {"packets": 20, "not_udp": 20})


def test_unknown_link_types(meter):
    made = Pcapng()
    body = made.section() + made.interface(resolution=9) + made.interface(119) + made.interface(189)
    body += b"".join(made.enhanced(*item) for item in FRAMES)
    odd = made.enhanced(0, b"frame", interface=1) + made.enhanced(0, b"frame", interface=2)
    facts = meter.feed(body + odd)
    assert (counted(facts), row(meter)["packets"]) == ({"packets": 22, "unread": 2}, 20)
    assert facts.warning
    if isinstance(meter, C):
        assert "2 of 22 packets not counted" in facts.warning
        assert "link types 119 (IEEE802_11_PRISM), 189 (USB_LINUX) are not read" in facts.warning
    for data in (pcap(FRAMES, link_type=119), pcap([], link_type=119), made.section() + made.interface(119)):
        with pytest.raises(CaptureError, match="made: "):
            type(meter)().feed(data)
    assert meter.feed(made.section() + made.interface(1) + made.interface(119)).warning is None


# ---- IP -------------------------------------------------------------------------------------------------------------


def test_ipv4_options(meter):
    meter.feed(made_of([ip4_options(ip, b"\x94\x04\x00\x00" * (1 + i % 10)) for i, ip in enumerate(IP4)], 101))
    assert (row(meter)["packets"], row(meter)["bytes"]) == (20, 20 * 172)


def test_dscp(meter):
    meter.feed(made_of([ip[:1] + b"\xb8" + ip[2:] for ip in IP4], 101))
    assert (row(meter)["dscp"], row(meter)["dscp_seen"]) == (46, 1 << 46)
    other = type(meter)()
    other.feed(made_of([ip6_of(p, traffic_class=0xB8) for p in PACKETS], 101))
    assert row(other)["dscp"] == 46


EXTENSIONS = {
    "hop by hop": [(0, bytes([0, 0, 5, 2, 0, 0, 1, 0]))],
    "routing": [(43, bytes([0, 2]) + bytes(22))],
    "destination": [(60, bytes([0, 1]) + bytes(14))],
    "authentication": [(51, bytes([0, 4]) + bytes(22))],
    "atomic fragment": [(44, bytes(8))],
    "mobility": [(135, bytes(8))],
    "HIP": [(139, bytes(8))],
    "shim6": [(140, bytes(8))],
    "five": [(0, bytes(8)), (60, bytes(8)), (43, bytes(8)), (44, bytes(8)), (60, bytes(8))],
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_ipv6_extension_headers(meter, name):
    facts = meter.feed(made_of([ip6_of(p, EXTENSIONS[name]) for p in PACKETS], 101))
    assert (row(meter)["packets"], row(meter)["bytes"], counted(facts)) == (20, 3440, {"packets": 20})


def test_extension_headers_without_end_are_damage(meter):
    endless = [ip6_of(p, [(60, bytes(8))] * 16) for p in PACKETS]
    assert counted(meter.feed(made_of(endless, 101))) == {"packets": 20, "damaged": 20}


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_are_counted_and_the_first_is_metered(meter, version):
    frames = []
    for p in stream(20, size=3000):
        whole = udp(p)
        pieces = fragments4(ip4_of(p), 1200) if version == 4 else fragments6(17, whole, 1200)
        assert len(pieces) == 3
        frames += [(p.at_ns, piece) for piece in pieces]
    facts = meter.feed(pcap(frames, link_type=101))
    assert counted(facts) == {"packets": 60, "fragments": 60}
    assert (row(meter)["packets"], row(meter)["bytes"], row(meter)["duplicates"]) == (20, 20 * 3012, 0)


def test_frames_that_are_no_udp_or_too_short(meter):
    frames = [
        (START_NS, bytes(12) + b"\x08\x06" + bytes(28)),
        (START_NS, b""),
        (START_NS, bytes(13)),
        (START_NS, bytes(14)),
        (START_NS, ethernet(b"\x45")),
        (START_NS, ethernet(IP4[0][:19])),
        (START_NS, ethernet(IP4[0][:27])),
        (START_NS, ethernet(b"\x44" + IP4[0][1:])),
        (START_NS, ethernet(b"\x4f" + IP4[0][1:20])),
        (START_NS, ethernet(IP4[0][:2] + b"\x00\x13" + IP4[0][4:])),
        (START_NS, ethernet(b"\x50" + bytes(30))),
        (START_NS, ethernet(tcp4(SRC, DST, 1, b"hello"))),
        (START_NS, ethernet(IP4[0][:24] + b"\x00\x07" + IP4[0][26:])),
        (START_NS, ethernet(IP6[0][:39], ethertype=0x86DD)),
        (START_NS, ethernet(b"", ethertype=0x0800)),
    ]
    facts = meter.feed(pcap(frames + FRAMES))
    assert counted(facts) == {"packets": 35, "not_udp": 6, "damaged": 9}
    assert (row(meter)["packets"], row(meter)["start_ns"]) == (20, START_NS)


def test_lengths_that_lie(meter):
    """A UDP length beyond its IP packet, an IP length of zero (offload), padding behind the packet."""
    lying = IP4[0][:24] + b"\xff\xff" + IP4[0][26:]
    empty = IP4[1][:2] + b"\x00\x00" + IP4[1][4:]
    meter.feed(
        pcap(
            [(START_NS, ethernet(lying)), (START_NS + 1, ethernet(empty)), (START_NS + 2, ethernet(IP4[2]) + bytes(9))]
        )
    )
    assert (row(meter)["packets"], row(meter)["bytes"]) == (3, 3 * 172)


@pytest.mark.parametrize("snaplen", [54, 60, 100])
def test_snapped_frames(meter, snaplen):
    facts = meter.feed(pcap(FRAMES, snaplen=snaplen))
    assert counted(facts) == {"packets": 20, "snapped": 20}
    assert (row(meter)["packets"], row(meter)["bytes"]) == (20, 3440)
