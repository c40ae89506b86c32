"""What a probe itself added to its calls is on the metrics page, by probe, apart from the network's jitter."""

import msgspec
import pytest
from exposition import SMALL
from prometheus_client.parser import text_string_to_metric_families

from collector.metrics import Metrics
from sereno.store import open_store
from sereno.wire import VERSION, Result


@pytest.fixture
def metrics(tmp_path):
    store = open_store(tmp_path)
    yield Metrics(store, SMALL)
    store.dispose()


def called(probe, facts, media=None):
    return Result(
        v=VERSION, probe=probe, boot="b", seq=1, at="2026-11-21T10:00:00.000000Z", check="call", outcome="ok",
        sbc="sbc-1", core="core-a", codec="PCMA", facts=facts, media=media,
    )  # fmt: skip


def samples(metrics):
    text = metrics.render()[0].decode()
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_own_jitter_is_a_histogram_of_all_and_a_gauge_by_probe(metrics):
    for seconds in (0.00004, 0.00006, 0.003):
        metrics.observe(called("p1", {"own_jitter_seconds": seconds}))
    metrics.observe(called("p2", {"own_jitter_seconds": 0.02, "quality_unmeasured": "own_jitter"}))
    metrics.observe(called("p2", {"own_stall_seconds": 2.0, "quality_unmeasured": "own_stall"}))
    late = msgspec.structs.replace(called("p2", {"own_jitter_seconds": 0.5}), at="2026-11-21T09:00:00.000000Z")
    metrics.observe(late)  # from the spool
    metrics.observe(called("p3", None))
    found = samples(metrics)
    name = "sereno_call_own_jitter_seconds"
    assert found[f"{name}_count", ()] == 5
    assert found[f"{name}_bucket", (("le", "0.0005"),)] == 2
    newest = "sereno_probe_own_jitter_seconds"
    assert found[newest, (("probe", "p1"),)] == 0.003
    assert found[newest, (("probe", "p2"),)] == 0.02
    assert (newest, (("probe", "p3"),)) not in found
    for reason in ("own_jitter", "own_stall"):
        assert found["sereno_calls_unmeasured_total", (("probe", "p2"), ("reason", reason))] == 1


@pytest.mark.parametrize(
    "facts", [{"own_jitter_seconds": "much"}, {"quality_unmeasured": "x" * 50}, {"quality_unmeasured": [5]}]
)
def test_words_that_a_probe_made_up_are_no_series(metrics, facts):
    metrics.observe(called("p1", facts))
    names = {name for name, labels in samples(metrics) if ("probe", "p1") in labels}
    assert not names & {"sereno_calls_unmeasured_total", "sereno_probe_own_jitter_seconds"}
