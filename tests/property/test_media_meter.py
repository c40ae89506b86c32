"""Streams of any shape: the figures equal the truth they were made from, and the C kernel equals the reference."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probes.media import reference
from probes.media.meter import StreamMeter, feed_pcap
from tests.media_captures import START_NS, Rtp, rtp_pcap

STEP = 160


@st.composite
def known_streams(draw):
    """A stream with losses, duplicates and late packets, and what is true of it."""
    count = draw(st.integers(20, 400))
    first = draw(st.integers(0, 65_535))
    timestamp = draw(st.integers(0, 2**32 - 1))
    # The ends are kept: nobody can know of a packet lost before the first or after the last.
    lost = draw(st.sets(st.integers(3, count - 2), max_size=count // 3))
    sent = [i for i in range(count) if i not in lost]
    keys = {
        i: i + draw(st.integers(0, 12)) for i in draw(st.sets(st.sampled_from(sent), max_size=20)) if 2 < i < count - 1
    }
    order = sorted(sent, key=lambda i: (keys.get(i, i), i))
    doubles = draw(st.lists(st.sampled_from(sent), max_size=10))
    arrivals = list(order)
    for double in doubles:
        arrivals.insert(draw(st.integers(arrivals.index(double) + 1, len(arrivals))), double)
    packets = [
        Rtp(START_NS + at * 20_000_000 + draw(st.integers(0, 5_000_000)), first + i, timestamp + i * STEP, size=1)
        for at, i in enumerate(arrivals)
    ]
    highest, late = -1, 0
    for i in order:
        late += i < highest
        highest = max(highest, i)
    return packets, {"expected": count, "lost": lost, "duplicates": len(doubles), "reordered": late}


def both(data):
    c, plain = StreamMeter(), reference.ReferenceMeter()
    feed_pcap(c, io.BytesIO(data), "x")
    reference.feed_pcap(plain, data)
    order = ["src", "dst", "src_port", "dst_port", "ssrc"]
    return tuple(sorted(m.snapshot(), key=lambda r: [bytes(r[k]) for k in order]) for m in (c, plain))


def agree(c_rows, plain_rows):
    assert len(c_rows) == len(plain_rows)
    for c, plain in zip(c_rows, plain_rows, strict=True):
        for name in c.dtype.names:
            if name in {"id", "_"}:
                continue
            if name.startswith("jitter"):
                assert np.isclose(c[name], plain[name], rtol=1e-9, atol=1e-15, equal_nan=True), name
            else:
                assert c[name] == plain[name], name


@given(known_streams())
def test_the_truth_is_found(case):
    packets, truth = case
    (row,), (plain,) = both(rtp_pcap(packets))
    agree([row], [plain])
    assert row["expected"] == truth["expected"]
    assert row["lost"] == len(truth["lost"])
    assert row["duplicates"] == truth["duplicates"]
    assert row["reordered"] == truth["reordered"]
    assert row["lost_rfc3550"] == len(truth["lost"]) - truth["duplicates"]
    runs = sum(1 for i in truth["lost"] if i - 1 not in truth["lost"])
    assert row["loss_runs"] == runs


_chaos = st.lists(
    st.builds(
        Rtp,
        at_ns=st.integers(0, 10**10).map(lambda offset: START_NS + offset),
        sequence=st.one_of(
            st.integers(0, 65_535), st.integers(0, 40), st.integers(65_500, 65_535), st.integers(900, 1100)
        ),
        timestamp=st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 50).map(lambda n: n * STEP)),
        payload_type=st.sampled_from([0, 8, 13, 18, 97, 101]),
        ssrc=st.sampled_from([1, 2]),
        marker=st.booleans(),
        size=st.just(0),
    ),
    max_size=80,
)

_walk = st.lists(
    st.sampled_from([1, 1, 1, 1, 2, 0, -1, -3, 50, 63, 64, 65, -900, -960, -961, 961, 2999, 3000, 3001, 20_000]),
    max_size=120,
)


@given(_chaos)
def test_any_packets_at_all_read_alike(packets):
    agree(*both(rtp_pcap(packets)))


@given(_walk, st.integers(0, 65_535), st.booleans())
def test_any_walk_of_sequence_numbers_reads_alike(steps, first, steady):
    """Around every limit of the window: late, out of it, restart, outage."""
    position, packets = first, []
    for at, step in enumerate(steps):
        position += step
        timestamp = position * STEP if steady else at * STEP
        packets.append(Rtp(START_NS + at * 20_000_000, position, timestamp, size=0))
    rows, plain = both(rtp_pcap(packets))
    agree(rows, plain)
    for row in rows:
        assert row["lost"] <= row["expected"]
        assert row["packets"] == row["expected"] - row["lost"] + row["duplicates"] + row["strays"]
