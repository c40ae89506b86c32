"""Streams with every kind of trouble: what both meters say is what was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.media.payload import announced
from tests.media_meters import BOTH, CMeter, Reference, agree, agree_by_second, row_of
from tests.media_streams import DST, EVENT, Plan, arrivals_of, truth_of

_CLOCKS = {8: 8000, 18: 8000, 0: 8000, 34: 90_000}

plans = st.builds(
    Plan,
    seed=st.integers(0, 1 << 30),
    packets=st.integers(60, 1200),
    packet_ms=st.sampled_from([10, 20, 20, 30, 60]),
    payload_type=st.sampled_from([8, 0, 18]),
    loss=st.sampled_from([0, 0, 0.01, 0.1, 0.4]),
    burst=st.sampled_from([0, 0, 1, 15, 64, 200, 700]),
    duplicates=st.sampled_from([0, 0, 0.02, 0.5]),
    duplicate_late=st.sampled_from([0, 1, 17, 200, 1000]),
    late=st.sampled_from([0, 0, 0.02, 0.3]),
    late_packets=st.sampled_from([1, 3, 40, 300, 900]),
    jitter_ms=st.sampled_from([0.0, 0.0, 3.0, 45.0]),
    restarts=st.integers(0, 2),
    keeps_clock=st.booleans(),
    jumps=st.integers(0, 2),
    pauses=st.integers(0, 5),
    comfort_noise=st.booleans(),
    digits=st.integers(0, 3),
    changes=st.just(0),
    first=st.sampled_from([None, 0, 65_530, 65_000]),
    timestamp=st.sampled_from([None, 0, (1 << 32) - 3000]),
)


def metered(make, plan, **options):
    meter = make(**options)
    meter.meter.announce(DST[0], DST[1], [announced(EVENT, "telephone-event", 8000)])
    arrivals = arrivals_of(plan)
    return meter, arrivals, row_of(meter, [s.packet for s in arrivals])


@pytest.mark.parametrize("make", BOTH)
@given(plan=plans)
def test_numbers_are_what_was_sent(make, plan):
    _, arrivals, row = metered(make, plan)
    truth = truth_of(arrivals)
    for name in ("packets", "duplicates", "reordered", "restarts", "expected", "lost", "loss_runs", "loss_run_max"):
        assert row[name] == getattr(truth, name), name
    assert row["strays"] == 0
    assert row["events"] == truth.events
    assert row["comfort_noise"] == truth.comfort_noise
    assert row["lost_rfc3550"] == truth.lost - truth.duplicates
    assert row["payload_type"] == plan.payload_type


@given(plan=plans)
def test_meters_agree(plan):
    c, _, row = metered(CMeter, plan)
    plain, _, other = metered(Reference, plan)
    settled = not plan.jumps and not plan.restarts
    agree(row, other, settled=settled)
    rows = c.meter.seconds(int(row["id"]))
    agree_by_second(rows, plain.meter.seconds(int(other["id"])), settled=settled)
    assert rows["packets"].sum() == row["packets"]
    assert rows["lost"].sum() == row["lost"]
    assert rows["discarded"].sum() == row["adaptive_late"] + row["adaptive_early"]
