"""What probes say of themselves on /metrics: clean for promtool, counters that survive, nothing invented."""

import shutil
import subprocess
from pathlib import Path

import pytest
from exposition import SMALL
from exposition import values as read_back
from hypothesis import given
from hypothesis import strategies as st

from collector.exposition.names import Names
from collector.exposition.text import pieces
from collector.probe_metrics import ProbeMetrics
from sereno.wire import VERSION, Lateness, Status, decode, encode

DOCS = Path(__file__).resolve().parents[2] / "docs" / "probe.md"


def lateness(counts, total=0.5):
    return Lateness(
        bounds=(0.01, 0.1), counts=counts, sum_seconds=total, p50_seconds=0.001, p99_seconds=0.02, max_seconds=0.2
    )


def status(probe="p1", **more):
    return Status(v=VERSION, probe=probe, state="online", **more)


FULL = status(
    boot="b", topology_hash="h", spooled=3, unsaved=1, meter_dropped=2, version="1.2", clock_offset_seconds=-0.25,
    clock_error_seconds=0.01, canaries={"sip:a": True, "tcp:b:1": False}, cpu_seconds=1.5, dropped=4, fired=100,
    extras=5, overruns=6, missed=7, stalled_seconds=0.5, doubted={"cpu": 2}, lateness=lateness((90, 8, 2)),
)  # fmt: skip


def rendered(metrics):
    return "".join(pieces(metrics.families({"h"}), openmetrics=False)).encode()


def values(metrics):
    return read_back(rendered(metrics).decode())


def test_everything_a_status_says_is_there_and_what_it_does_not_say_is_not():
    metrics = ProbeMetrics(Names(SMALL))
    metrics.take(decode(encode(FULL), Status), current=True)
    metrics.take(status("p2", version="1.1"), current=False)
    found = values(metrics)
    assert found['sereno_probe_clock_offset_seconds{probe="p1"}'] == -0.25
    assert found['sereno_probe_canary_up{element="tcp:b:1",probe="p1"}'] == 0
    assert found['sereno_probe_doubted_results_total{probe="p1",reason="cpu"}'] == 2
    assert found['sereno_probe_topology_current{probe="p1"}'] == 1
    assert found['sereno_probe_topology_current{probe="p2"}'] == 0
    assert found['sereno_spool_memory_results{probe="p1"}'] == 1
    assert found['sereno_probe_lateness_seconds_bucket{le="0.1"}'] == 98
    assert found["sereno_probe_lateness_seconds_count"] == 100
    silent = {name for name in found if '"p2"' in name}
    assert {name.partition("{")[0] for name in silent} == {
        "sereno_probe_topology_current", "sereno_probe_info", "sereno_probe_doubted_results_total",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say():
    metrics = ProbeMetrics(Names(SMALL))
    for probe in ("p1", "p2"):
        metrics.take(status(probe, **{f: getattr(FULL, f) for f in FULL.__struct_fields__[3:]}), current=True)
    done = subprocess.run(["promtool", "check", "metrics"], input=rendered(metrics), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_an_offline_probe_has_no_figures_and_its_counts_are_not_added_again():
    metrics = ProbeMetrics(Names(SMALL))
    metrics.take(FULL, current=True)
    metrics.take(Status(v=VERSION, probe="p1", state="offline"), current=False)
    found = values(metrics)
    assert 'sereno_spool_results{probe="p1"}' not in found
    assert found['sereno_probe_topology_current{probe="p1"}'] == 0
    metrics.take(FULL, current=True)
    assert values(metrics)["sereno_probe_lateness_seconds_count"] == 100


MORE = st.lists(st.integers(0, 50), min_size=3, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), MORE)))
def test_the_histogram_of_all_is_the_sum_of_what_each_did(story):
    metrics = ProbeMetrics(Names(SMALL))
    state = {"a": [0, 0, 0], "b": [0, 0, 0]}
    for probe, more in story:
        state[probe] = [a + b for a, b in zip(state[probe], more, strict=True)]
        metrics.take(status(probe, lateness=lateness(tuple(state[probe]))), current=True)
    found = values(metrics)
    assert found["sereno_probe_lateness_seconds_count"] == sum(map(sum, state.values()))


def test_a_probe_that_began_anew_counts_from_zero():
    metrics = ProbeMetrics(Names(SMALL))
    for counts in ((90, 8, 2), (5, 0, 0), (6, 1, 0)):
        metrics.take(status(lateness=lateness(counts)), current=True)
    assert values(metrics)["sereno_probe_lateness_seconds_count"] == 107
    assert values(metrics)['sereno_probe_lateness_seconds_bucket{le="0.01"}'] == 96


def test_the_page_names_every_metric():
    metrics = ProbeMetrics(Names(SMALL))
    metrics.take(FULL, current=True)
    text = DOCS.read_text(encoding="utf-8")
    for family in metrics.families():
        name = family.declared.name
        short = name.replace("sereno_probe_lateness_p99_seconds", "…_p99_…").replace(
            "sereno_probe_lateness_max_seconds", "…_max_…"
        )
        assert short in text, name
