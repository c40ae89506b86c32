"""Every capture format that is read, by the C readers and by the plain Python ones."""

import gzip
import io
import shutil
import struct
import subprocess
from itertools import accumulate

import pytest

from probes.media.capture import feed_capture, meter_file
from probes.media.errors import CaptureError
from probes.media.meter import StreamMeter
from tests.media_captures import START_NS, frame, pcap, stream
from tests.media_files import (
    Pcapng,
    ip4_of,
    kuznetzov,
    pcapng,
)
from tests.media_readers import BOTH, C, counted, row

PACKETS = stream(20)
FRAMES = list(map(frame, PACKETS))


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


def made_of(ip: list[bytes], link_type: int, header: bytes = b"") -> bytes:
    return pcap([(p.at_ns, header + octets) for p, octets in zip(PACKETS, ip, strict=True)], link_type=link_type)


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("data", "unit_ns"),
    [
        (pcap(FRAMES, nanoseconds=True), 1),
        (pcap(FRAMES, nanoseconds=False), 1000),
        (pcap(FRAMES, nanoseconds=True, order=">"), 1),
        (pcap(FRAMES, nanoseconds=False, order=">"), 1000),
        (kuznetzov(FRAMES), 1000),
        (pcapng(FRAMES), 1),
        (pcapng(FRAMES, order=">"), 1),
        (pcapng(FRAMES, resolution=6), 1000),
        (pcapng(FRAMES, order=">", resolution=3), 1_000_000),
    ],
)
def test_files_of_every_kind(meter, data, unit_ns):
    facts = meter.feed(data)
    assert (row(meter)["packets"], row(meter)["start_ns"]) == (20, START_NS // unit_ns * unit_ns)
    assert row(meter)["end_ns"] == PACKETS[-1].at_ns // unit_ns * unit_ns
    assert (counted(facts), facts.link_types, facts.warning) == ({"packets": 20}, ("ETHERNET",), None)
    assert facts.format == ("pcapng" if data[0] == 0x0A else "pcap")


@pytest.mark.parametrize(
    ("resolution", "offset", "units", "time_ns"),
    [
        (None, None, 1_500_000, 1_500_000_000),
        (6, None, 1_500_000, 1_500_000_000),
        (9, None, 1_500_000, 1_500_000),
        (0, None, 7, 7 * SECOND_NS),
        (3, None, 7, 7_000_000),
        (12, None, 1_234_567_890_123, 1_234_567_890),
        (0x80 | 10, None, 1536, 1_500_000_000),
        (0x80 | 30, None, (1 << 30) + (1 << 29), 1_500_000_000),
        (0x80, None, 3, 3 * SECOND_NS),
        (6, 1_700_000_000, 1_500_000, 1_700_000_001_500_000_000),
        (6, -1, 1_500_000, 500_000_000),
        (9, None, START_NS, START_NS),
        (0x80 | 63, None, (1 << 63) + (1 << 62), 1_500_000_000),
        (0x7F, None, 2**64 - 1, 1),
        (0x80 | 127, None, 2**64 - 1, 0),
        (0, None, 2**63, 1 << 61),
        (6, 2**62, 0, (1 << 61) // SECOND_NS * SECOND_NS),
    ],
)
def test_time_units_of_pcapng(meter, resolution, offset, units, time_ns):
    made = Pcapng()
    packets = b"".join(made.enhanced(units, octets) for _, octets in FRAMES[:2])
    meter.feed(made.section() + made.interface(resolution=resolution, offset=offset) + packets)
    # 2^64 - 1 units of 10^-28 s: less than a nanosecond's thousandth; anything small is right.
    assert abs(int(row(meter)["start_ns"]) - time_ns) <= 2


@pytest.mark.parametrize(
    ("seconds", "time_ns"), [(2**31 - 1, (2**31 - 1) * 10**9), (2**31, 2**31 * 10**9), (2**32 - 1, 1 << 61)]
)
def test_seconds_of_pcap_have_no_sign(meter, seconds, time_ns):
    records = [struct.pack("<IIII", seconds, 0, len(octets), len(octets)) + octets for _, octets in FRAMES[:3]]
    meter.feed(pcap([]) + b"".join(records))
    assert (row(meter)["packets"], row(meter)["start_ns"]) == (3, time_ns)


def test_sections_interfaces_and_blocks_of_every_kind(meter):
    little, big = Pcapng("<"), Pcapng(">")
    comment = little.option(1, b"hello")
    data = (
        little.section()
        + little.block(0x0BAD, bytes(40))
        + little.interface(resolution=9)
        + little.interface(101, resolution=6)
        + little.enhanced(FRAMES[0][0], FRAMES[0][1], options=comment + little.option(0, b""))
        + little.block(4, bytes(16))
        + little.block(5, bytes(24))
        + little.block(10, b"secrets!")
        + little.enhanced(PACKETS[1].at_ns // 1000, ip4_of(PACKETS[1]), interface=1)
        + big.section(length=100)
        + big.interface(resolution=9)
        + big.interface(228, resolution=3)
        + big.enhanced(PACKETS[2].at_ns // 10**6, ip4_of(PACKETS[2]), interface=1)
        + big.obsolete(*FRAMES[3], drops=9)
        + big.block(0x80000001, b"custom!!")
        + little.section()
        + little.interface(113, resolution=6)
        + little.enhanced(PACKETS[4].at_ns // 1000, bytes(14) + b"\x08\x00" + ip4_of(PACKETS[4]))
    )
    facts = meter.feed(data)
    assert (counted(facts), facts.warning) == ({"packets": 5}, None)
    assert facts.link_types == ("ETHERNET", "RAW", "IPV4", "LINUX_SLL")
    assert (row(meter)["packets"], row(meter)["lost"], row(meter)["end_ns"]) == (5, 0, PACKETS[4].at_ns)


def test_simple_packets_have_no_time(meter):
    made = Pcapng()
    data = (
        made.section() + made.interface(snaplen=54) + b"".join(made.simple(f[:54], original=len(f)) for _, f in FRAMES)
    )
    facts = meter.feed(data)
    assert counted(facts) == {"packets": 20, "snapped": 20, "untimed": 20}
    assert (row(meter)["packets"], row(meter)["bytes"]) == (20, 20 * 172)


def test_simple_packets_take_the_time_before(meter):
    made = Pcapng()
    data = made.section() + made.interface(resolution=9) + made.enhanced(*FRAMES[0]) + made.simple(FRAMES[1][1])
    meter.feed(data)
    assert row(meter)["end_ns"] == START_NS


@pytest.mark.parametrize(
    "junk", [b"\x09\x00\xff\xff", b"\x09\x00\x02\x00\x09\x09\x00\x00", b"\x01", b"\x0e\x00\x08\x00\x01"]
)
def test_broken_options_are_passed_over(meter, junk):
    made = Pcapng()
    data = made.section() + made.interface(resolution=9, junk=junk) + b"".join(made.enhanced(*item) for item in FRAMES)
    assert meter.feed(data).warning is None
    assert (row(meter)["packets"], row(meter)["start_ns"]) == (20, START_NS)


@pytest.mark.parametrize(
    "damage",
    [
        struct.pack("<III", 6, 11, 11),
        struct.pack("<III", 6, 33, 33) + bytes(60),
        struct.pack("<II", 6, 1 << 21) + bytes(60),
        struct.pack("<II", 6, 44) + bytes(32) + struct.pack("<I", 48),
        Pcapng().enhanced(0, b"x" * 20, interface=1),
        Pcapng().block(6, bytes(16)),
        Pcapng().block(3, b""),
        Pcapng().block(6, struct.pack("<5I", 0, 0, 0, 100, 100) + bytes(20)),
        Pcapng().block(1, bytes(4)),
        Pcapng().section(major=2),
        Pcapng().block(0x0A0D0D0A, bytes(16)),
        struct.pack("<II", 0x0BAD, 16) + bytes(4) + struct.pack("<I", 20),
        Pcapng().section() + Pcapng().enhanced(*FRAMES[0]),
    ],
)
def test_damage_in_mid_file_ends_the_reading(meter, damage):
    data = pcapng(FRAMES)
    facts = meter.feed(data + damage + pcapng(FRAMES))
    assert facts.warning
    assert row(meter)["packets"] == 20
    if isinstance(meter, C):
        assert "damaged at octet" in facts.warning
        assert "as far as its records are whole" in facts.warning


def test_the_offset_of_damage_is_named():
    data = pcap(FRAMES)
    with_junk = data + struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 0x7FFFFFFF) + bytes(100)
    warning = feed_capture(io.BytesIO(with_junk), StreamMeter(), "made").warning
    assert warning == (
        f"made: damaged at octet {len(data)}: a record there claims an impossible length: "
        "read as far as its records are whole"
    )


def test_every_truncation_of_a_file(meter):
    """Whole is a file after its header and after each record; anything else is refused or warned of."""
    other = Pcapng()
    blocks = [other.section(), other.block(77, bytes(30))]
    for head, parts in (
        (pcap([]), [pcap([item])[24:] for item in FRAMES[:3]]),
        (pcapng([]), [pcapng([item])[len(pcapng([])) :] for item in FRAMES[:3]]),
        (blocks[0], blocks[1:]),
    ):
        data = head + b"".join(parts)
        whole = [cut for cut in range(len(data) + 1) if _warns(type(meter)(), data[:cut]) is False]
        ends = list(accumulate(map(len, parts), initial=len(head)))
        assert whole == ([28, *ends] if parts[0] is not blocks[1] and head[0] == 0x0A else ends)


def _warns(meter, data) -> bool | None:
    """None: refused."""
    try:
        return meter.feed(data).warning is not None
    except CaptureError:
        return None


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d", b"hello, world", bytes(100), pcap(FRAMES)[:20], pcapng([])[:27]])
def test_what_is_no_capture_is_refused(meter, data):
    with pytest.raises(CaptureError, match=r"^made: "):
        meter.feed(data)


# ---- compression ----------------------------------------------------------------------------------------------------


def test_gzip():
    data = pcap(map(frame, stream(3000)))
    members = packed(data[:100_000]) + packed(data[100_000:]) + bytes(32)
    for octets in (packed(data), members, packed(pcapng(map(frame, stream(3000))))):
        meter = C()
        facts = meter.feed(octets)
        assert (facts.compression, facts.warning, facts.packets) == ("gzip", None, 3000)
        assert row(meter)["packets"] == 3000


def test_gzip_that_is_cut_or_damaged():
    data = pcap(map(frame, stream(3000)))
    octets = bytearray(packed(data))
    meter = C()
    facts = meter.feed(bytes(octets[: len(octets) // 2]))
    assert facts.warning
    assert "its gzip data are cut off" in facts.warning
    assert 1000 < row(meter)["packets"] < 2000
    octets[len(octets) // 2 : len(octets) // 2 + 8] = b"\xff" * 8
    meter = C()
    facts = meter.feed(bytes(octets))
    assert facts.warning
    assert "damaged" in facts.warning
    assert 1000 < row(meter)["packets"] < 3000
    octets = bytearray(packed(data))
    octets[-8] ^= 1  # the checksum: everything is there all the same
    meter = C()
    assert "damaged" in (meter.feed(bytes(octets)).warning or "")
    assert row(meter)["packets"] == 3000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xfd7zXZ\x00\x00", "compressed by xz: unpack it first"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "compressed by zstd"),
        (b"BZh91AY", "compressed by bzip2"),
        (b"snoop\x00\x00\x00" + bytes(30), "editcap"),
        (b"\x1f\x8b", "before a packet came"),
        (packed(b"text"), "neither pcap nor pcapng"),
        (packed(b""), "empty"),
        (packed(packed(pcap(FRAMES))), "neither pcap nor pcapng"),
    ],
)
def test_other_files_are_named(data, words):
    with pytest.raises(CaptureError, match=words):
        C().feed(data)


# ---- beside Wireshark's own tools -----------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("editcap"), reason="editcap is not installed")
@pytest.mark.parametrize(
    ("options", "unit_ns"),
    [
        (("-F", "pcapng"), 1),
        (("-F", "pcap"), 1000),
        (("-F", "nsecpcap"), 1),
        (("-F", "modpcap"), 1000),
        (("-F", "pcapng", "-s", "60"), 1),
        (("-F", "pcapng", "-a", "3:a comment"), 1),
        (("-F", "pcapng", "--capture-comment", "made"), 1),
    ],
)
def test_files_of_editcap(tmp_path, meter, options, unit_ns):
    (tmp_path / "in").write_bytes(pcap(FRAMES))
    subprocess.run(["editcap", *options, str(tmp_path / "in"), str(tmp_path / "out")], check=True, capture_output=True)
    facts = meter.feed((tmp_path / "out").read_bytes())
    assert (facts.packets, facts.warning) == (20, None)
    assert (row(meter)["packets"], row(meter)["end_ns"]) == (20, PACKETS[-1].at_ns // unit_ns * unit_ns)


@pytest.mark.skipif(not shutil.which("mergecap"), reason="mergecap is not installed")
def test_a_file_of_mergecap_with_several_interfaces(tmp_path, meter):
    half = {
        "a": pcap(FRAMES[::2]),
        "b": made_of(list(map(ip4_of, PACKETS)), 113, struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x0800)),
    }
    for name, data in half.items():
        (tmp_path / name).write_bytes(data)
    command = ["mergecap", "-w", str(tmp_path / "out"), str(tmp_path / "a"), str(tmp_path / "b")]
    subprocess.run(command, check=True, capture_output=True)
    facts = meter.feed((tmp_path / "out").read_bytes())
    assert (set(facts.link_types), facts.packets) == ({"ETHERNET", "LINUX_SLL"}, 30)
    assert (row(meter)["packets"], row(meter)["duplicates"]) == (30, 10)


# ---- by path --------------------------------------------------------------------------------------------------------


def test_by_path(tmp_path):
    for name, data in (
        ("a.pcap", pcap(FRAMES)),
        ("a.pcapng", pcapng(FRAMES)),
        ("a.pcap.gz", packed(pcap(FRAMES))),
    ):
        (tmp_path / name).write_bytes(data)
        assert meter_file(tmp_path / name, StreamMeter()).packets == 20
    for path, words in ((tmp_path, "a directory"), (tmp_path / "none", "No such file"), (tmp_path / "a\x00b", "null")):
        with pytest.raises(CaptureError, match=words):
            meter_file(path, StreamMeter())


def test_a_large_file_of_blocks_that_nobody_reads():
    made = Pcapng()
    large = made.block(0x0BAD, bytes(3_000_000))
    meter = C()
    data = (
        made.section() + large + made.interface(resolution=9) + b"".join(made.enhanced(*f) + large for f in FRAMES[:4])
    )
    assert meter.feed(data).warning is None
    assert row(meter)["packets"] == 4
    assert "cut off" in (C().feed(data[:-1000]).warning or "")
