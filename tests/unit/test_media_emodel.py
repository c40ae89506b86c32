"""The E-model against published figures: ITU-T G.107's default connection, annex B, and the G.711 curves of G.113."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from probes.media.emodel import Connection, ie_eff, mos_of_r, pure_delay, rate
from probes.media.quality import UNKNOWN, assess, codec_row, codec_rows
from sereno.cli.mos import app
from sereno.errors import UsageError


def test_default_connection():
    default = rate(Connection())
    assert float(default.R) == pytest.approx(93.2062, abs=5e-5)
    assert float(default.mos) == pytest.approx(4.4094, abs=5e-5)


def test_r_is_the_sum_of_its_parts():
    loud = rate(Connection(SLR=12, T=50, Ta=50, Tr=100, TELR=45, Ppl=2, A=5))
    assert float(loud.Ro - loud.Is - loud.Id - loud.Ie_eff + 5) == pytest.approx(float(loud.R))


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_mos_of_r_by_annex_b(r, mos):
    assert float(mos_of_r(r)) == pytest.approx(mos, abs=0.0051)


@pytest.mark.parametrize(("r", "mos"), [(-20, 1), (0, 1), (100, 4.5), (140, 4.5)])
def test_mos_bounds(r, mos):
    assert float(mos_of_r(r)) == mos


def test_mos_never_falls_under_one_and_never_decreases():
    mos = mos_of_r(np.linspace(-10, 110, 24_001))
    assert mos.min() == 1.0
    assert (np.diff(mos) >= 0).all()
    assert float(mos_of_r(6.0)) == 1.0  # the bare cubic gives 0.998 there
    assert np.isnan(mos_of_r(np.nan))


@pytest.mark.parametrize(
    ("delay", "idd"),
    [(0, 0), (100, 0), (150, 0.164), (200, 3.044), (250, 8.917), (300, 14.761), (400, 24.07), (500, 30.64)],
)
def test_pure_delay(delay, idd):
    assert float(pure_delay(delay)) == pytest.approx(idd, abs=0.005)


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
    assert assess("PCMA", loss_percent=0).mos_cq is None  # a delay nobody measured


def test_loss_is_percent_and_bursts_cost_more():
    # A fraction fed where percent is needed would leave 5 % loss near 4.4.
    assert assess("G711", plc=True, loss_percent=5).mos_lq == pytest.approx(3.92, abs=0.01)
    assert float(ie_eff(0, 25.1, 5, 2)) == pytest.approx(95 * 5 / (2.5 + 25.1))
    curve = [assess("G711", plc=False, loss_percent=loss).mos_lq for loss in range(101)]
    assert curve == sorted(curve, reverse=True)


def test_vectorised_equals_one_by_one():
    loss, delay = np.meshgrid(np.linspace(0, 60, 13), np.linspace(0, 800, 17))
    together = rate(Connection(Ppl=loss, Ta=delay, Bpl=25.1))
    assert together.R.shape == together.Is.shape == loss.shape
    for index in np.ndindex(loss.shape):
        alone = rate(Connection(Ppl=loss[index], Ta=delay[index], Bpl=25.1))
        assert float(alone.R) == pytest.approx(float(together.R[index]), abs=1e-12)
        assert float(alone.mos) == pytest.approx(float(together.mos[index]), abs=1e-12)


def test_sidetone_rules():
    assert float(rate(Connection(STMR=8, T=50)).R) < float(rate(Connection(STMR=10, T=50)).R)
    assert np.isfinite(rate(Connection(STMR=25, T=50)).R)


@pytest.mark.parametrize(
    ("codec", "ie", "bpl"),
    [
        ("G729A", 11, 19.0), ("g.729a+vad", 11, 19.0), ("G729", 10, None), ("G723.1", 15, 16.1),
        ("G723.1-5.3", 19, None), ("GSM-EFR", 5, 10), ("gsm", 20, None), ("opus", None, None), ("G722", None, None),
    ],
)  # fmt: skip
def test_codec_rows(codec, ie, bpl):
    row = codec_row(codec, plc=True)
    assert (row.ie, row.bpl) == (ie, bpl)
    assert row.source
    assert row.certainty in {"high", "medium", "none"}


def test_g711_rows():
    assert {codec_row(name, plc=True).bpl for name in ("G711", "g.711", "pcma", "PCMU")} == {25.1}
    assert {codec_row(name, plc=False).bpl for name in ("G711", "g.711", "pcma", "PCMU")} == {4.3}
    assert codec_row("G.999", plc=True) is None
    assert len(codec_rows()) > 20


def test_unknown_is_never_guessed():
    assert assess("opus", loss_percent=0) == UNKNOWN
    assert assess(None, loss_percent=0) == UNKNOWN
    assert assess("PCMA", loss_percent=None) == UNKNOWN
    assert assess("G729", loss_percent=1) == UNKNOWN  # Ie 10 is agreed, robustness is not
    assert assess("G729", loss_percent=0).r_lq == pytest.approx(83.2062, abs=1e-3)


def _mos(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_command_json():
    result = _mos("--codec", "G711", "--plc", "--loss", "1", "--burst-ratio", "1", "--delay", "100", "--json")
    fields = json.loads(result.stdout)
    assert list(fields) == ["r_lq", "mos_lq", "r_cq", "mos_cq", "codec", "ie_eff", "id"]
    assert result.exit_code == 0
    assert fields["r_lq"] == pytest.approx(89.566, abs=1e-3)
    assert fields["mos_lq"] == pytest.approx(4.328, abs=1e-3)
    assert fields["ie_eff"] == pytest.approx(3.640, abs=1e-3)


def test_command_unknown_is_null_and_status_3():
    result = _mos("--codec", "opus", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["mos_lq"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--codec", "G999"), "no such codec"),
        (("--codec", "G711", "--loss", "101"), "--loss 101: must be 0 to 100 percent"),
        (("--codec", "G711", "--loss", "nan"), "--loss nan: must be 0 to 100 percent"),
        (("--codec", "G711", "--delay", "-1"), "--delay -1: must be 0 to 60000 ms"),
        (("--codec", "G711", "--delay", "inf"), "--delay inf"),
        (("--codec", "G711", "--burst-ratio", "0"), "--burst-ratio 0: must be 1 to 1000 (1 is random loss)"),
        (("--codec", "G711", "--qdu", "0"), "--qdu 0: must be 0.001 to 1000 units"),
    ],
)
def test_command_refuses(arguments, message):
    result = _mos(*arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
