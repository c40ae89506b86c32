"""Properties of the E-model: bounded, monotone, and the same for a number as for an array of it."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probes.media import wideband
from probes.media.codecs import listed_rows
from probes.media.emodel import Connection, mos_of_r, rate
from probes.media.quality import UNKNOWN, assess_row
from probes.media.wideband import WidebandConnection
from probes.media.windows import rate_windows

ROWS = [listed.row for listed in listed_rows()]
LOSSY = [row for row in ROWS if row.bpl is not None]

rows = st.sampled_from(LOSSY)
losses = st.floats(0, 100)
delays = st.floats(0, 5000)
ratios = st.floats(0.1, 20)

# The permitted ranges of G.107 table 3.
RANGES = {
    "SLR": (0, 18), "RLR": (-5, 14), "STMR": (10, 20), "Ds": (-3, 3), "Dr": (-3, 3), "TELR": (5, 65), "WEPL": (5, 110),
    "T": (0, 500), "Tr": (0, 1000), "Ta": (0, 500), "qdu": (1, 14), "Ie": (0, 40), "Bpl": (4.3, 40), "Ppl": (0, 20),
    "BurstR": (1, 2), "Nc": (-80, -40), "Nfor": (-64, -40), "Ps": (35, 85), "Pr": (35, 85), "A": (0, 20),
    "sT": (0.4, 1), "mT": (20, 150),
}  # fmt: skip
connections = st.fixed_dictionaries({name: st.floats(low, high) for name, (low, high) in RANGES.items()})


@given(st.lists(connections, min_size=1, max_size=5))
def test_a_number_rates_as_in_an_array(given_inputs):
    together = rate(Connection(**{name: np.array([one[name] for one in given_inputs]) for name in RANGES}))
    for index, one in enumerate(given_inputs):
        alone = rate(Connection(**one))
        for part, value in vars(alone).items():
            assert value == pytest.approx(getattr(together, part)[index], abs=1e-9), part


@given(connections)
def test_a_rating_is_the_sum_of_its_parts_and_its_opinion_is_bounded(inputs):
    rating = rate(Connection(**inputs))
    assert pytest.approx(rating.Ro - rating.Is - rating.Id - rating.Ie_eff + inputs["A"]) == rating.R
    assert 1 <= rating.mos <= 4.5


@given(connections, st.sampled_from(["Ta", "Ppl", "Ie", "Nc", "BurstR", "qdu"]), st.floats(0, 1))
def test_more_of_an_impairment_is_never_better(inputs, name, share):
    if name == "Nc":  # by G.107 noise masks echo and quantizing distortion, and then more of it can be better
        inputs = {**inputs, "T": 0.0, "Tr": 0.0, "WEPL": 110.0, "qdu": 1.0}
    if name == "Ie":  # beyond this loss Ie-eff is over 95, and clause 7.5 turns round
        assume(inputs["Ppl"] <= inputs["Ppl"] / inputs["BurstR"] + inputs["Bpl"])
    worse = inputs[name] + share * (RANGES[name][1] - inputs[name])
    assert rate(Connection(**{**inputs, name: worse})).R <= rate(Connection(**inputs)).R + 1e-9


@given(rows, losses, ratios, delays)
def test_opinions_are_between_1_and_4_5_and_talking_is_no_better_than_listening(row, loss, ratio, delay):
    quality = assess_row(row, loss_percent=loss, burst_ratio=ratio, delay_ms=delay)
    assert 1 <= quality.mos_cq <= 4.5
    assert quality.mos_cq <= quality.mos_lq + 1e-12
    assert quality.r_cq <= quality.r_lq


@given(rows, losses, losses, ratios, delays)
def test_more_loss_is_never_better(row, one, other, ratio, delay):
    less, more = (
        assess_row(row, loss_percent=loss, burst_ratio=ratio, delay_ms=delay) for loss in sorted((one, other))
    )
    assert more.r_lq <= less.r_lq + 1e-9
    assert more.mos_cq <= less.mos_cq + 1e-12


@given(rows, losses, delays, delays)
def test_more_delay_is_never_better(row, loss, one, other):
    less, more = (assess_row(row, loss_percent=loss, delay_ms=delay) for delay in sorted((one, other)))
    assert more.r_cq <= less.r_cq + 1e-9
    assert more.mos_cq <= less.mos_cq + 1e-12
    assert more.mos_lq == less.mos_lq


@given(rows, losses, ratios, ratios)
def test_burstier_loss_is_never_better(row, loss, one, other):
    less, more = (assess_row(row, loss_percent=loss, burst_ratio=ratio) for ratio in sorted((one, other)))
    assert more.r_lq <= less.r_lq + 1e-9


def test_noise_masks_echo():
    echo = {"T": 200.0, "Tr": 400.0, "TELR": 20.0}
    assert rate(Connection(**echo, Nc=-50.0)).R > rate(Connection(**echo, Nc=-70.0)).R
    assert rate(Connection(Nc=-50.0)).R < rate(Connection(Nc=-70.0)).R


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_r_has_an_opinion_or_is_unknown(r):
    for opinion in (mos_of_r, wideband.mos_of_r):
        mos = opinion(r)
        assert math.isnan(mos) if math.isnan(r) else 1 <= mos <= 4.5
        assert opinion(np.array([r])) == pytest.approx([mos], nan_ok=True)


@given(st.floats(-50, 150), st.floats(-50, 150))
def test_opinion_rises_with_r(one, other):
    less, more = sorted((one, other))
    assert mos_of_r(less) <= mos_of_r(more) + 1e-12


@given(st.sampled_from(ROWS), st.lists(st.tuples(losses | st.just(0.0), ratios, delays), min_size=1, max_size=6))
def test_windows_rate_as_one_by_one(row, windows):
    loss, ratio, delay = (np.array(column) for column in zip(*windows, strict=True))
    together = rate_windows(row, loss_percent=loss, burst_ratio=ratio, delay_ms=delay)
    for index, (a, b, c) in enumerate(windows):
        alone = assess_row(row, loss_percent=a, burst_ratio=b, delay_ms=c)
        for name in ("r_lq", "mos_lq", "r_cq", "mos_cq"):
            value = getattr(alone, name)
            got = getattr(together, name)[index]
            assert got == pytest.approx(math.nan if value is None else value, abs=1e-9, nan_ok=True), name


@given(
    st.sampled_from(ROWS),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_whatever_was_measured_wrongly_is_unknown_and_never_an_error(row, loss, ratio, delay):
    quality = assess_row(row, loss_percent=loss, burst_ratio=ratio, delay_ms=delay)
    together = rate_windows(row, loss_percent=[loss], burst_ratio=[ratio], delay_ms=[delay])
    if not 0 <= loss <= 100 or (loss and row.bpl is None):
        assert quality == UNKNOWN
        assert np.isnan(together.r_lq).all()
    else:
        assert together.r_lq == pytest.approx([quality.r_lq], abs=1e-6)
        assert (quality.r_cq is None) == (not 0 <= delay < math.inf) == bool(np.isnan(together.r_cq[0]))


@given(st.lists(st.tuples(delays, losses), min_size=1, max_size=4))
def test_wideband_numbers_rate_as_in_an_array(points):
    delay, loss = (np.array(column) for column in zip(*points, strict=True))
    together = wideband.rate(WidebandConnection(Ta=delay, Ppl=loss, Ie=20))
    for index, (a, b) in enumerate(points):
        alone = wideband.rate(WidebandConnection(Ta=a, Ppl=b, Ie=20))
        for part, value in vars(alone).items():
            assert value == pytest.approx(getattr(together, part)[index], abs=1e-9), part
