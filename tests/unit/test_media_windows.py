"""Quality by windows: per second, per N seconds and per call, with unknown as NaN."""

import numpy as np
import pytest

from probes.media.codecs import row_for
from probes.media.quality import assess, listen
from probes.media.rows import SECOND_DTYPE
from probes.media.windows import rate_windows, windowed

PCMA = row_for("PCMA", plc=True)


def _seconds(*rows):
    seconds = np.zeros(len(rows), SECOND_DTYPE)
    for entry, (second, packets, lost, discarded) in zip(seconds, rows, strict=True):
        entry["second"], entry["packets"], entry["lost"], entry["discarded"] = second, packets, lost, discarded
    return seconds


SECONDS = _seconds((0, 50, 0, 0), (1, 45, 5, 0), (2, 50, 0, 10), (7, 0, 50, 0), (8, 0, 0, 0), (9, 25, 25, 25))


def test_seconds():
    counted = windowed(SECONDS)
    assert counted.second.tolist() == [0, 1, 2, 7, 8, 9]
    assert counted.loss_percent.tolist()[:4] == [0, 10, 20, 100]
    assert np.isnan(counted.loss_percent[4])  # nothing was sent
    assert counted.loss_percent[5] == 100


@pytest.mark.parametrize(
    ("width", "starts", "packets", "lost"),
    [(5, [0, 5], [145, 25], [5, 75]), (2, [0, 2, 6, 8], [95, 50, 0, 25], [5, 0, 50, 25]), (0, [0], [170], [80])],
)
def test_windows_of_seconds(width, starts, packets, lost):
    counted = windowed(SECONDS, width)
    assert (counted.second.tolist(), counted.packets.tolist(), counted.lost.tolist()) == (starts, packets, lost)
    assert counted.discarded.sum() == 35


def test_windows_are_rated_as_random_loss():
    rated = rate_windows(PCMA, loss_percent=windowed(SECONDS).loss_percent, delay_ms=300)
    for index, loss in ((0, 0), (1, 10), (2, 20), (3, 100)):
        alone = assess("PCMA", loss_percent=loss, delay_ms=300)
        assert rated.mos_lq[index] == pytest.approx(alone.mos_lq)
        assert rated.mos_cq[index] == pytest.approx(alone.mos_cq)
    assert np.isnan([rated.r_lq[4], rated.mos_lq[4], rated.r_cq[4], rated.mos_cq[4]]).all()


def test_no_seconds_are_no_windows():
    assert windowed(_seconds(), 10).loss_percent.shape == (0,)


def test_unknown_is_nan():
    rated = rate_windows(PCMA, loss_percent=[1.0, np.nan, -1, 101], delay_ms=[np.nan, 10, 10, 10])
    assert np.isnan(rated.r_lq).tolist() == [False, True, True, True]
    assert np.isnan(rated.mos_cq).all()
    assert np.isnan(rate_windows(None, loss_percent=[0.0, 1.0]).mos_lq).all()
    without_bpl = rate_windows(row_for("G729", plc=True), loss_percent=[0.0, 1.0])
    assert np.isnan(without_bpl.mos_lq).tolist() == [False, True]


def test_streams_of_one_codec():
    loss, burst = np.array([0.0, 0.05, np.nan]), np.array([np.nan, 2.0, 1.0])
    r, mos = listen("PCMA", loss_ratio=loss, burst_ratio=burst)
    assert r[1] == pytest.approx(assess("PCMA", loss_percent=5, burst_ratio=2).r_lq)
    assert mos[0] == pytest.approx(4.4094, abs=1e-4)
    assert np.isnan(r[2])
    assert np.isnan(listen("opus", loss_ratio=loss, burst_ratio=burst)[0]).all()
    assert not np.isnan(listen("opus", loss_ratio=loss, burst_ratio=burst, provisional=True)[0][:2]).any()
    assert np.isnan(listen(None, loss_ratio=loss, burst_ratio=burst)[1]).all()


def test_a_million_pairs():
    rng = np.random.default_rng(7)
    loss, delay = rng.uniform(0, 20, 1_000_000), rng.uniform(0, 500, 1_000_000)
    rated = rate_windows(PCMA, loss_percent=loss, delay_ms=delay)
    assert rated.mos_cq.shape == (1_000_000,)
    assert (rated.r_cq <= rated.r_lq).all()
    assert (rated.mos_cq <= rated.mos_lq + 1e-12).all()
