"""Loss, bursts, duplicates, lateness, restarts: on the C kernel and on the plain Python reference."""

from dataclasses import replace

import pytest

from tests.media_captures import START_NS, Rtp, rtp_pcap, stream
from tests.media_meters import BOTH, fields_of, one


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


def test_perfect_stream(meter):
    fields = one(meter, stream(100))
    assert fields["src"] == "10.9.0.1:20000"
    assert fields["dst"] == "10.9.0.2:30000"
    assert (fields["ssrc"], fields["payload_type"], fields["codec"], fields["clock_rate"]) == (
        "0x00001234",
        8,
        "PCMA",
        8000,
    )
    assert (fields["packets"], fields["expected"], fields["lost"], fields["bytes"]) == (100, 100, 0, 17_200)
    assert fields["jitter_max_seconds"] == 0.0
    assert fields["loss_ratio"] == 0.0
    assert fields["burst_ratio"] is None  # no loss, no bursts to compare
    assert fields["mos_lq"] == pytest.approx(4.4094, abs=1e-4)
    assert fields["discarded"] == 0
    assert fields["start"] == "2023-11-14T22:13:20.000000Z"
    assert fields["end"] == "2023-11-14T22:13:21.980000Z"
    assert fields["largest_gap_seconds"] == 0.02


def test_loss_runs_and_burst_ratio(meter):
    gone = {10, 50, 51, 52, 80}
    fields = one(meter, [p for i, p in enumerate(stream(100)) if i not in gone])
    assert (fields["expected"], fields["lost"], fields["loss_run_max"]) == (100, 5, 3)
    assert fields["loss_ratio"] == 0.05
    assert fields["burst_ratio"] == pytest.approx(5 / 3 * 0.95)  # mean run over 1 / (1 - p)


def test_rfc3611_bursts(meter):
    # 30, 40 and 55 are less than Gmin received packets apart, 100 is alone, 170 and 171 are a burst of their own.
    gone = {30, 40, 55, 100, 170, 171}
    fields = one(meter, [p for i, p in enumerate(stream(300)) if i not in gone])
    assert fields["bursts"] == 2
    assert fields["burst_density"] == pytest.approx(5 / (26 + 2))
    assert fields["burst_packets_mean"] == 14
    assert fields["gap_density"] == pytest.approx(1 / (300 - 28))


def test_gmin_is_sixteen_received_packets(meter):
    apart = [p for i, p in enumerate(stream(100)) if i not in {30, 47}]  # sixteen between them
    assert one(meter, apart)["bursts"] == 0


def test_gmin_less_one_is_a_burst(meter):
    close = [p for i, p in enumerate(stream(100)) if i not in {30, 46}]  # fifteen between them
    assert one(meter, close)["bursts"] == 1


def test_duplicates_are_not_received_twice(meter):
    packets = stream(50)
    del packets[20]
    packets.insert(30, packets[29])
    packets.insert(40, packets[10])  # a late duplicate is a duplicate, not a reordered packet
    fields = one(meter, packets)
    assert (fields["duplicates"], fields["reordered"], fields["lost"], fields["lost_rfc3550"]) == (2, 0, 1, -1)


def test_a_late_packet_is_not_lost(meter):
    packets = stream(50)
    packets.insert(25, packets.pop(20))
    fields = one(meter, packets)
    assert (fields["reordered"], fields["lost"], fields["duplicates"]) == (1, 0, 0)


def test_older_than_the_first_lowers_the_base(meter):
    packets = stream(50)
    packets[0:3] = [packets[2], packets[0], packets[1]]
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["reordered"], fields["duplicates"]) == (50, 0, 2, 0)


def test_sequence_and_timestamp_wrap(meter):
    packets = stream(1000, first=65_000, timestamp=2**32 - 80_000)
    del packets[535:537]  # around 65535
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["restarts"]) == (1000, 2, 0)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)


def test_sequence_wraps_many_times(meter):
    packets = [Rtp(START_NS + i * 1_000_000, i, i * 8, size=0) for i in range(140_000) if i % 1000]
    fields = one(meter, packets)
    assert (fields["packets"], fields["expected"], fields["lost"]) == (139_860, 139_999, 139)
    assert fields["loss_run_max"] == 1


def test_wrap_before_the_base(meter):
    packets = stream(20, first=65_534)
    packets[0:4] = [packets[2], packets[3], packets[0], packets[1]]
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["reordered"]) == (20, 0, 2)


def test_restart_of_the_same_source(meter):
    before, after = stream(100), stream(100, first=40_000, timestamp=9_000_000)
    after = [replace(p, at_ns=p.at_ns + 5_000_000_000) for p in after if p.sequence != 40_050]
    fields = one(meter, before + after)
    assert (fields["packets"], fields["expected"], fields["lost"]) == (199, 200, 1)
    assert (fields["restarts"], fields["strays"]) == (1, 0)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)  # the clocks of two lives are not compared


def test_long_outage_is_loss_not_restart(meter):
    packets = stream(10_000)
    fields = one(meter, packets[:2000] + packets[7000:])
    assert (fields["lost"], fields["restarts"], fields["loss_run_max"]) == (5000, 0, 5000)
    assert fields["largest_gap_seconds"] == pytest.approx(100.02)


def test_a_stray_packet_disturbs_nothing(meter):
    packets = stream(100)
    packets.insert(50, replace(packets[50], sequence=30_000))
    fields = one(meter, packets)
    assert (fields["packets"], fields["strays"], fields["expected"], fields["lost"]) == (101, 1, 100, 0)
    assert (fields["duplicates"], fields["reordered"], fields["restarts"]) == (0, 0, 0)


def test_probation(meter):
    """RFC 3550 A.1: one packet, or packets never in sequence, are no stream; then all count, the first too."""
    assert fields_of(meter, rtp_pcap(stream(1))) == []
    assert fields_of(meter, rtp_pcap(stream(20, ssrc=77)[::2])) == []
    late = stream(20, ssrc=78)
    del late[1:3]
    (fields,) = fields_of(meter, rtp_pcap(late))
    assert (fields["packets"], fields["lost"]) == (18, 2)


def test_copies_from_before_a_restart_are_duplicates(meter):
    """Late ones, two in a row: no restart back, no loss, and jitter knows nothing of them."""
    packets = [*stream(300), *stream(300, first=40_000, timestamp=9_000_000)]
    packets = [replace(p, at_ns=START_NS + i * 20_000_000) for i, p in enumerate(packets)]
    for place, old in ((310, 200), (312, 201), (320, 299), (400, 150), (400, 151)):
        packets.insert(place, replace(packets[old], at_ns=packets[place - 1].at_ns))
    fields = one(meter, packets)
    assert (fields["packets"], fields["duplicates"], fields["lost"], fields["expected"]) == (605, 5, 0, 600)
    assert (fields["restarts"], fields["reordered"], fields["strays"]) == (1, 0, 0)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)


def test_late_from_before_a_restart_makes_no_restart(meter):
    """What was missing there stays missing: its numbering is closed."""
    old = stream(300)
    held = [old.pop(250), old.pop(250)]
    packets = [*old, *stream(50, first=40_000, timestamp=9_000_000)]
    packets[320:320] = held
    packets = [replace(p, at_ns=START_NS + i * 20_000_000) for i, p in enumerate(packets)]
    fields = one(meter, packets)
    assert (fields["restarts"], fields["lost"], fields["strays"], fields["duplicates"]) == (1, 2, 2, 0)
