"""The E-model against published figures: ITU-T G.107's default connection, annex B, and the G.711 curves of G.113."""

import subprocess
import sys

import numpy as np
import pytest

from probes.media.emodel import BASE_R, Connection, ie_eff, mos_of_r, pure_delay, rate
from probes.media.quality import UNKNOWN, assess


def test_default_connection():
    default = rate(Connection())
    assert default.R == BASE_R == pytest.approx(93.2062, abs=5e-5)
    assert f"{default.R:.1f}" == "93.2"  # clause 7.7
    assert default.mos == pytest.approx(4.4094, abs=5e-5)


def test_r_is_the_sum_of_its_parts():
    loud = rate(Connection(SLR=12, T=50, Ta=50, Tr=100, TELR=45, Ppl=2, A=5))
    assert loud.Ro - loud.Is - loud.Id - loud.Ie_eff + 5 == pytest.approx(loud.R)


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_mos_of_r_by_annex_b(r, mos):
    # Table B.1 prints 4.03 for R = 80; its own formula gives 4.024.
    assert mos_of_r(r) == pytest.approx(mos, abs=0.0051)


@pytest.mark.parametrize(("r", "mos"), [(-20, 1), (-1e300, 1), (0, 1), (100, 4.5), (140, 4.5), (1e300, 4.5)])
def test_mos_bounds(r, mos):
    assert mos_of_r(r) == mos
    assert mos_of_r(np.array([r], float)) == [mos]


def test_mos_never_falls_under_one_and_never_decreases():
    mos = mos_of_r(np.linspace(-10, 110, 24_001))
    assert mos.min() == 1.0
    assert (np.diff(mos) >= 0).all()
    assert mos_of_r(6.0) == 1.0  # the bare cubic gives 0.998 there
    assert np.isnan(mos_of_r(np.nan))
    assert np.isnan(mos_of_r(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("delay", "idd"),
    [(0, 0), (100, 0), (150, 0.164), (200, 3.044), (250, 8.917), (300, 14.761), (400, 24.07), (500, 30.64)],
)
def test_pure_delay(delay, idd):
    assert pure_delay(delay) == pytest.approx(idd, abs=0.005)


# Ro, Is and each Id as others evaluated the clauses of G.107 (06/2015), to six decimals, at T = Ta and Tr = 2 Ta.
@pytest.mark.parametrize(
    ("inputs", "delay", "r", "mos"),
    [
        ({}, 0.149046, 93.206208, 4.409406),
        ({"Ta": 100, "T": 100, "Tr": 200}, 1.963791 + 0.727733, 90.663730, 4.354920),
        ({"Ta": 150, "T": 150, "Tr": 300}, 2.811844 + 0.840747 + 0.163531, 89.539132, 4.327546),
        ({"Ta": 250, "T": 250, "Tr": 500}, 4.242856 + 1.018587 + 8.916710, 79.177101, 3.992519),
        ({"Ppl": 1, "Bpl": 25.1}, 0.149046, 89.566361, 4.328232),
        ({"Ppl": 5, "Bpl": 25.1}, 0.149046, 77.425477, 3.923091),
        ({"Ie": 11, "Bpl": 19, "Ppl": 2}, 0.149046, 74.206208, 3.787558),
    ],
)
def test_points_evaluated_by_others(inputs, delay, r, mos):
    rating = rate(Connection(**inputs))
    assert (rating.Ro, rating.Is) == pytest.approx((94.768822, 1.413568), abs=2e-6)
    assert rating.Id == pytest.approx(delay, abs=2e-6)
    assert (rating.R, rating.mos) == pytest.approx((r, mos), abs=2e-6)


@pytest.mark.parametrize(
    ("plc", "delay", "echo", "expected"),
    [
        (True, 0, None, (4.41, 4.33, 4.13, 3.92)),
        (False, 0, None, (4.41, 3.83, 2.79, 2.17)),
        (True, 300, None, (3.96, 3.81, 3.52, 3.24)),
        (True, 300, 65, (3.72, 3.55, 3.23, 2.94)),
    ],
)
def test_g711_curves(plc, delay, echo, expected):
    got = [
        assess("G711", plc=plc, loss_percent=loss, delay_ms=delay, echo_loss_db=echo).mos_cq for loss in (0, 1, 3, 5)
    ]
    assert got == pytest.approx(expected, abs=0.0051)


def test_listening_quality_has_no_delay():
    quality = assess("PCMA", loss_percent=0, delay_ms=400)
    assert quality.mos_lq == pytest.approx(4.4094, abs=1e-4)
    assert quality.mos_cq < 3.6
    for nobody_measured in (None, float("nan"), -1.0):
        assert assess("PCMA", loss_percent=0, delay_ms=nobody_measured).mos_cq is None


def test_loss_is_percent_and_bursts_cost_more():
    # A fraction fed where percent is needed would leave 5 % loss near 4.4.
    assert assess("G711", plc=True, loss_percent=5).mos_lq == pytest.approx(3.92, abs=0.01)
    assert ie_eff(0, 25.1, 5, 2) == pytest.approx(95 * 5 / (2.5 + 25.1))
    curve = [assess("G711", plc=False, loss_percent=loss).mos_lq for loss in range(101)]
    assert curve == sorted(curve, reverse=True)


def test_vectorised_equals_one_by_one():
    loss, delay = np.meshgrid(np.linspace(0, 60, 13), np.linspace(0, 800, 17))
    together = rate(Connection(Ppl=loss, Ta=delay, Bpl=25.1))
    assert together.R.shape == together.Is.shape == together.mos.shape == loss.shape
    for index in np.ndindex(loss.shape):
        alone = rate(Connection(Ppl=float(loss[index]), Ta=float(delay[index]), Bpl=25.1))
        assert type(alone.R) is float
        assert pytest.approx(together.R[index], abs=1e-12) == alone.R
        assert alone.mos == pytest.approx(together.mos[index], abs=1e-12)


def test_sidetone_rules():
    assert rate(Connection(STMR=8, T=50)).R < rate(Connection(STMR=10, T=50)).R
    assert np.isfinite(rate(Connection(STMR=25, T=50)).R)


def test_echo_under_a_millisecond_is_sidetone():
    assert rate(Connection(T=0.99, TELR=5)).Id == rate(Connection()).Id
    assert rate(Connection(T=1.01, TELR=5)).Id > rate(Connection()).Id + 1


@pytest.mark.parametrize("loss", [None, float("nan"), -0.1, 100.1])
def test_a_loss_that_is_no_share_was_not_measured(loss):
    assert assess("PCMA", loss_percent=loss) == UNKNOWN


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, float("nan")])
def test_a_burst_ratio_under_one_counts_as_one(ratio):
    assert assess("PCMA", loss_percent=3, burst_ratio=ratio) == assess("PCMA", loss_percent=3)


def test_everything_lost_is_the_worst_there_is():
    for ratio in (1, 1000):
        worst = assess("PCMA", plc=False, loss_percent=100, burst_ratio=ratio, delay_ms=0)
        assert (worst.mos_lq, worst.mos_cq) == (1.0, 1.0)


def test_numbers_alone_never_load_numpy():
    code = "import sys; from probes.media.quality import assess; assess('PCMU', loss_percent=1, delay_ms=9); "
    code += "print(sorted({'numpy', 'yaml', 'msgspec'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
