"""Delays of test calls on the metrics page: answered and refused ones apart, other kinds of calls not at all."""

import pytest
from exposition import SMALL, scraped

from collector.metrics import Metrics
from sereno.store import open_store
from sereno.wire import VERSION, Result

WHERE = {"sbc": "sbc-1", "core": "core-a"}
WHERE_LABELS = '{core="core-a",sbc="sbc-1"}'
DELAYS = (
    "sereno_call_post_dial_delay_seconds",
    "sereno_call_failed_post_dial_delay_seconds",
    "sereno_call_setup_seconds",
)


@pytest.fixture
def metrics(tmp_path):
    store = open_store(tmp_path)
    yield Metrics(store, SMALL)
    store.dispose()


def made(check, **measured):
    return Result(
        v=VERSION, probe="p", boot="b", seq=1, at="2026-11-21T10:00:00.000000Z", check=check, outcome="ok",
        **WHERE, **measured,
    )  # fmt: skip


def counts(metrics):
    found = scraped(metrics)
    return [found.get(f"{name}_count{WHERE_LABELS}") for name in DELAYS]


def test_a_refusal_in_a_millisecond_is_no_quick_set_up(metrics):
    metrics.observe(made("call", post_dial_delay_seconds=0.4, setup_seconds=1.0))
    metrics.observe(made("call", post_dial_delay_seconds=0.001, code=486))
    metrics.observe(made("call", post_dial_delay_seconds=0.001, code=503))
    assert counts(metrics) == [1, 2, 1]
    assert scraped(metrics)[f"{DELAYS[0]}_sum{WHERE_LABELS}"] == 0.4


@pytest.mark.parametrize("check", ["terminating", "pstn"])
def test_calls_that_are_no_path_s_are_in_no_histogram_of_paths(metrics, check):
    media = {"rx": {"packets": 100, "lost": 1, "mos_lq": 4.0, "jitter_mean_seconds": 0.001}}
    metrics.observe(made(check, post_dial_delay_seconds=3.0, setup_seconds=5.0, media=media, codec="PCMA"))
    assert counts(metrics) == [None, None, None]
    assert "sereno_rtp_packets_total{" not in metrics.render()[0].decode()
    assert f'check="{check}"' in metrics.render()[0].decode()  # its outcome is counted
