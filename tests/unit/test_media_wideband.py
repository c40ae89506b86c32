"""The wideband E-model, ITU-T G.107.1: its scale, its delay, and the AMR-WB modes of G.113 table IV.1."""

import numpy as np
import pytest

from probes.media import emodel, wideband
from probes.media.emodel import Connection
from probes.media.quality import UNKNOWN, assess
from probes.media.wideband import WidebandConnection, rate

# G.113 table IV.1 (monotic), and the MOS that 129 - Ie gives by annex A to two decimals, as others print it.
MONOTIC = {
    "6.60": (41, 3.51), "8.85": (26, 4.02), "12.65": (13, 4.34), "14.25": (10, 4.39), "15.85": (7, 4.43),
    "18.25": (5, 4.46), "19.85": (3, 4.48), "23.05": (1, 4.49), "23.85": (8, 4.42),
}  # fmt: skip
DIOTIC = {
    "6.60": (56, 2.92), "8.85": (41, 3.51), "12.65": (20, 4.18), "15.85": (17, 4.25), "23.05": (8, 4.42),
    "23.85": (10, 4.39),
}  # fmt: skip


def test_default_connection_is_the_top_of_the_scale():
    default = rate(WidebandConnection())
    assert (default.R, default.Ro, default.Is, default.Id, default.Ie_eff) == (129, 129, 0, 0, 0)
    assert default.mos == 4.5


@pytest.mark.parametrize(("r", "mos"), [(-3, 1), (0, 1), (64.5, 2.575), (116.1, 4.339), (129, 4.5), (150, 4.5)])
def test_mos_of_r_by_annex_a(r, mos):
    assert wideband.mos_of_r(r) == pytest.approx(mos, abs=1e-6)
    assert wideband.mos_of_r(np.array([r], float)) == pytest.approx([mos], abs=1e-6)


def test_the_dip_of_the_cubic_is_clamped_on_this_scale_too():
    mos = wideband.mos_of_r(np.linspace(-10, 140, 15_001))
    assert mos.min() == 1.0
    assert (np.diff(mos) >= 0).all()


@pytest.mark.parametrize(("mode", "ie", "mos"), [(mode, *row) for mode, row in MONOTIC.items()])
def test_amr_wb_monotic(mode, ie, mos):
    quality = assess(f"AMR-WB-{mode}", loss_percent=0)
    assert (quality.scale, quality.provisional, quality.ie_eff, quality.r_lq) == ("wideband", False, ie, 129 - ie)
    assert quality.mos_lq == pytest.approx(mos, abs=0.0051)
    assert assess(f"AMR-WB-{mode}", loss_percent=1) == UNKNOWN  # no Bpl is published for one ear


@pytest.mark.parametrize(("mode", "ie", "mos"), [(mode, *row) for mode, row in DIOTIC.items()])
def test_amr_wb_diotic(mode, ie, mos):
    quality = assess(f"AMR-WB-{mode}-diotic", loss_percent=0)
    assert (quality.ie_eff, quality.mos_lq) == (ie, pytest.approx(mos, abs=0.0051))


@pytest.mark.parametrize(("mode", "ie", "bpl"), [("12.65", 20, 4.3), ("23.05", 8, 4.6), ("23.85", 10, 4.9)])
def test_loss_costs_with_the_narrowband_constant_of_95(mode, ie, bpl):
    quality = assess(f"amr-wb-{mode}-diotic", loss_percent=2)
    assert quality.ie_eff == pytest.approx(ie + (95 - ie) * 2 / (2 + bpl))
    assert quality.r_lq == pytest.approx(129 - quality.ie_eff)


def test_delay_costs_as_much_of_the_longer_scale():
    assert wideband.pure_delay(200) == pytest.approx(3.927294, abs=1e-6)
    assert wideband.pure_delay(100) == 0
    quality = assess("AMR-WB-23.05", loss_percent=0, delay_ms=300)
    assert quality.id == pytest.approx(1.29 * emodel.pure_delay(300))
    assert quality.r_cq == pytest.approx(quality.r_lq - quality.id)


def test_what_is_not_known_of_the_model_is_refused():
    for more in ({"echo_loss_db": 50.0}, {"connection": Connection()}):
        with pytest.raises(ValueError, match="wideband model takes codec, loss and delay only"):
            assess("AMR-WB-12.65", loss_percent=0, delay_ms=10, **more)


def test_arrays_give_arrays_of_one_shape():
    rated = rate(WidebandConnection(Ta=np.array([0.0, 300.0]), Ie=13, Ppl=0))
    assert [part.shape for part in vars(rated).values()] == [(2,)] * 6
