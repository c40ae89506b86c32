"""Any packets at all: nobody knows what they mean, but the C kernel and the plain Python reference say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.media.payload import announced
from tests.media_captures import DST, SRC, START_NS, Rtp, rtp_pcap
from tests.media_meters import CMeter, Reference, agree, agree_by_second, rows_of

STEP = 160
MOVES = (
    1, 1, 1, 1, 2, 0, -1, -3, 15, 16, 17, 50, 63, 64, 65, 961, 1984, 1985, 2999, 3000, 3001, 20_000,
    -63, -64, -65, -900, -1983, -1984, -1985, -20_000, -20_001, -19_000,
)  # fmt: skip

_chaos = st.lists(
    st.builds(
        Rtp,
        at_ns=st.one_of(
            st.integers(0, 10**10).map(lambda offset: START_NS + offset), st.sampled_from([START_NS, START_NS - 10**9])
        ),
        sequence=st.one_of(
            st.integers(0, 65_535), st.integers(0, 40), st.integers(65_500, 65_535), st.integers(900, 1100)
        ),
        timestamp=st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 50).map(lambda n: n * STEP)),
        payload_type=st.sampled_from([0, 8, 13, 18, 97, 101]),
        ssrc=st.sampled_from([1, 2]),
        marker=st.booleans(),
        size=st.just(0),
        src=st.sampled_from([SRC, DST]),
        dst=st.just(DST),
    ),
    max_size=80,
)

_walk = st.lists(
    st.sampled_from(MOVES),
    max_size=120,
)


def both(packets, **options):
    """The streams of both meters, pairwise, with their meters."""
    meters = [make(**options) for make in (CMeter, Reference)]
    formats = [announced(101, "telephone-event", 8000), announced(96, "opus", 48000)]
    data = rtp_pcap(packets)
    found = []
    for meter in meters:
        meter.meter.announce(DST[0], DST[1], formats)
        rows = sorted(rows_of(meter, data), key=lambda r: (int(r["ssrc"]), int(r["src_port"])))
        found.append([(row, meter.meter.seconds(int(row["id"]))) for row in rows])
    assert len(found[0]) == len(found[1])
    return list(zip(*found, strict=True))


def all_agree(packets, **options):
    for (c, c_seconds), (plain, plain_seconds) in both(packets, **options):
        agree(c, plain, settled=False)
        agree_by_second(c_seconds, plain_seconds, settled=False)
        yield c


@given(_chaos, st.sampled_from([1, 2, 3]), st.sampled_from(["none", "fixed", "adaptive"]))
def test_any_packets_at_all_read_alike(packets, probation, buffer):
    list(all_agree(packets, probation=probation, buffer=buffer))


@pytest.mark.parametrize("steady", [True, False])
@given(_walk, st.integers(0, 65_535))
def test_any_walk_of_sequence_numbers_reads_alike(steady, steps, first):
    """Around every limit of the window: late, out of it, restart, outage; with timestamps that follow or do not."""
    position, packets = first, []
    for at, step in enumerate(steps):
        position += step
        timestamp = position * STEP if steady else at * STEP
        packets.append(Rtp(START_NS + at * 20_000_000, position, timestamp, size=0))
    for row in all_agree(packets):
        assert row["lost"] <= row["expected"]
        assert row["packets"] == row["expected"] - row["lost"] + row["duplicates"] + row["strays"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 20, 20, 20, 50, 250, 1000, 9000, 61_000]),
            st.sampled_from([0, 160, 160, 160, 480, 2000, 16_001, 100_000, -160, -100_000]),
            st.sampled_from([8, 8, 8, 96, 13, 101]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_any_arrivals_and_timestamps_read_alike(steps):
    """In sequence, at any times: jitter, stretches, minutes, both buffers, talkspurts."""
    at_ns, timestamp, packets = START_NS, 5000, []
    for number, (milliseconds, units, payload_type, marker) in enumerate(steps):
        at_ns, timestamp = at_ns + milliseconds * 1_000_000, timestamp + units
        packets.append(Rtp(at_ns, number, timestamp, payload_type=payload_type, marker=marker, size=0))
    list(all_agree(packets))
