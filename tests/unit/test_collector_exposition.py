"""The exposition: what the client library would write, in both formats, documented, bounded, and only the leader's."""

import asyncio
import json
import math
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from exposition import SMALL, registry_of, scraped, values
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from typer.testing import CliRunner

from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Histograms, Values, number
from collector.exposition.page import BEGIN, END, tables
from collector.exposition.text import OPENMETRICS, PLAIN, pieces, wants_openmetrics
from collector.metrics import Metrics
from dashboards.web.gzipped import gzipped, takes_gzip
from sereno.cli.root import app
from sereno.clock import SECOND_US, FakeClock, iso
from sereno.store import open_store
from sereno.store.results import Refused
from sereno.store.tables import incidents, outbox, topologies, verdict_changes
from sereno.topology import canonical_json, topology_hash
from sereno.wire import VERSION, Lateness, Result, Status

DOCS = Path(__file__).resolve().parents[2] / "docs"
NOW = 1_795_255_200 * SECOND_US
ASKS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"  # noqa: E501
STREAM = {"packets": 250, "lost": 5, "discarded": 2, "jitter_mean_seconds": 0.002, "mos_lq": 4.35, "mos_cq": 4.3}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.dispose()


@pytest.fixture
def clock():
    return FakeClock(NOW)


def result(seq=1, check="options", probe="p1", outcome="ok", **fields):
    at = iso(NOW + seq * SECOND_US)
    return Result(v=VERSION, probe=probe, boot="b", seq=seq, at=at, check=check, outcome=outcome, **fields)


def said(store, kind, name, state, *, what="verdict", since_us=NOW, at_us=NOW):
    with store.write() as connection:
        connection.execute(
            verdict_changes.insert().values(
                kind=kind, name=name, what=what, state=state, since_us=since_us, at_us=at_us, facts="{}"
            )
        )


def of_everything(store, clock):
    """Metrics in which every family has a series."""
    path = {"sbc": "sbc-1", "core": "core-a"}
    metrics = Metrics(store, SMALL, clock=clock)
    metrics.lead(3)
    tls = {"days_to_expiry": 2.0, "grade": "B"}
    backup = {"age_seconds": 60.0, "size_bytes": 10}
    call = {"codec": "PCMA", "media": {"rx": STREAM, "tx": STREAM}, "code": 200, "post_dial_delay_seconds": 0.1}
    facts = {"call_id": "3c2@198.51.100.7", "own_jitter_seconds": 0.0004}
    found = [
        result(1, code=200, duration_seconds=0.004, **path),
        result(2, outcome="failed", reason="timeout", duration_seconds=0.9, **path),
        result(3, "register", expires_seconds=120.0, code=200, **path),
        result(4, "call", setup_seconds=0.3, duration_seconds=20.5, facts=facts, **call, **path),
        result(5, "call", outcome="failed", reason="sip_4xx", code=486, post_dial_delay_seconds=0.002, **path),
        result(6, "call", facts={"quality_unmeasured": "own_stall"}, **path),
        result(7, "https", target="web", facts={"addresses": {"192.0.2.7": {"tls": tls}}, "answering": 1, "total": 2}),
        result(8, "database", target="billing", facts={"lag_seconds": 0.5, "backup": backup}),
        result(9, "traffic", sbc="sbc-1", facts={"registered": 40.0, "calls": 2.0}),
    ]
    metrics.observe_all(found, [one.at_us for one in found])
    metrics.committed(len(found))
    metrics.missing("p2", 4)
    metrics.refused([Refused(probe="p3", why="unknown version 2", payload="{}", cause="version")])
    lateness = Lateness(
        bounds=(0.01, 0.1), counts=(90, 8, 2), sum_seconds=0.5, p50_seconds=0.001, p99_seconds=0.02, max_seconds=0.2
    )
    metrics.status(
        Status(
            v=VERSION, probe="p1", state="online", boot="b", topology_hash=topology_hash(SMALL), spooled=3, unsaved=1,
            meter_dropped=2, version="1.2", clock_offset_seconds=-0.25, clock_error_seconds=0.01, cpu_seconds=1.5,
            canaries={"sip:a": True, "tcp:b:1": False}, dropped=4, fired=100, extras=5, overruns=6, missed=7,
            stalled_seconds=0.5, doubted={"cpu": 2}, lateness=lateness,
        ),
        current=True,
    )  # fmt: skip
    said(store, "site", "acme-bog", "down")
    said(store, "core", "core-a", "true", what="core_refusing")
    body = {"clocks": [{"contract": "callmyway", "clock": "solution", "due_us": NOW + SECOND_US, "state": "running"}]}
    with store.write() as connection:
        connection.execute(
            topologies.insert().values(
                from_us=NOW - 3_600 * SECOND_US,
                hash=topology_hash(SMALL),
                topology=canonical_json(SMALL),
            )
        )
        connection.execute(
            incidents.insert().values(
                number=7, state="open", priority="Alta", cause_kind="core", cause_name="core-a", since_us=NOW,
                opened_us=NOW, version=1, body=json.dumps(body), **{"class": "service"},
            )
        )  # fmt: skip
        connection.execute(
            outbox.insert().values(
                key="k", channel="mail", recipient="ana", created_us=NOW, due_us=NOW, message="{}", state="sent"
            )
        )
    clock.advance(10)
    return metrics


def test_it_is_what_the_client_library_would_write(store, clock):
    metrics = of_everything(store, clock)
    plain, kind = metrics.render()
    assert kind == PLAIN
    registry = registry_of(list(metrics.families()))
    assert values(plain.decode()) == values(generate_latest(registry).decode())
    body, kind = metrics.render(ASKS)
    assert kind == OPENMETRICS
    ours, theirs = (
        [(f.name, f.type, f.unit, f.documentation, f.samples) for f in openmetrics_families(text)]
        for text in (body.decode(), openmetrics_latest(registry).decode())
    )
    assert ours == theirs
    heads = {line for line in generate_latest(registry).decode().splitlines() if line.startswith("#")}
    assert {line for line in plain.decode().splitlines() if line.startswith("#")} == heads


def test_the_call_behind_a_bucket_is_an_exemplar_and_no_label(store, clock):
    metrics = of_everything(store, clock)
    plain, body = metrics.render()[0].decode(), metrics.render(ASKS)[0].decode()
    assert "3c2@" not in plain
    marked = {line.partition("{")[0] for line in body.splitlines() if ' # {call_id="3c2@198.51.100.7"}' in line}
    assert marked == {
        "sereno_call_setup_seconds_bucket", "sereno_call_post_dial_delay_seconds_bucket",
        "sereno_rtp_jitter_seconds_bucket", "sereno_mos_lq_bucket", "sereno_mos_cq_bucket",
    }  # fmt: skip
    assert body.endswith("# EOF\n")


@pytest.mark.parametrize("call_id", ["", "x" * 122, "ñ", "a\nb", 7, None])
def test_a_call_id_that_the_format_does_not_take_is_left_out(store, call_id):
    metrics = Metrics(store, SMALL)
    metrics.observe(result(1, "call", setup_seconds=0.3, facts={"call_id": call_id}, sbc="sbc-1", core="core-a"))
    assert " # {" not in metrics.render(ASKS)[0].decode()


def test_every_metric_is_documented_and_every_documented_one_is_there(any_store, clock):
    metrics = of_everything(any_store, clock)
    heads = [line.split()[2] for line in metrics.render()[0].decode().splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    assert set(heads) == set(CATALOGUE)
    empty = {family.declared.name for family in metrics.families() if len(family) == 0}
    assert empty == set(), "of_everything must fill it"
    for family in metrics.families():
        for one in family.samples():
            assert set(one.labels) - {"le"} == set(family.declared.labels), family.declared.name


def test_findings_begin_when_they_are_true_and_are_of_the_topology(store, clock):
    metrics = Metrics(store, SMALL, clock=clock)
    metrics.lead(3)
    said(store, "core", "core-b", "false", what="core_refusing")
    said(store, "core", "core-a", "true", what="core_refusing")
    said(store, "core", "nobody", "true", what="core_refusing")
    said(store, "channel", "pager", "true", what="notify_failing")
    said(store, "site", "acme-bog", "found", what="ledger_revised")
    refusing = 'sereno_finding{element="core-a",finding="core_refusing",kind="core"}'
    failing = 'sereno_finding{element="pager",finding="notify_failing",kind="channel"}'
    found = scraped(metrics)
    assert {name: found[name] for name in found if "finding{" in name} == {refusing: 1, failing: 1}
    said(store, "core", "core-a", "false", what="core_refusing")
    assert scraped(metrics)[refusing] == 0


def test_labels_are_of_the_design_s_list_and_histograms_have_no_probe():
    listed = {
        "probe", "sbc", "core", "site", "element", "kind", "state", "check", "codec", "direction", "reason", "code",
        "priority", "channel", "outcome", "clock", "period", "address", "replica", "version", "hash", "finding",
    }  # fmt: skip
    for one in CATALOGUE.values():
        assert set(one.labels) <= listed, one.name
        assert one.kind != "histogram" or "probe" not in one.labels, one.name


def test_the_command_says_the_same():
    told = CliRunner().invoke(app, ["metrics", "--json"])
    rows = {row["name"]: row for row in json.loads(told.stdout)["metrics"]}
    assert set(rows) == set(CATALOGUE)
    assert rows["sereno_call_setup_seconds"] == {
        "name": "sereno_call_setup_seconds", "type": "histogram", "unit": "seconds", "labels": ["sbc", "core"],
        "help": CATALOGUE["sereno_call_setup_seconds"].meaning, "absent": CATALOGUE["sereno_call_setup_seconds"].absent,
        "series": ["calls", "buckets"],
    }  # fmt: skip
    plain = CliRunner().invoke(app, ["metrics"]).stdout
    assert all(name in plain for name in CATALOGUE)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("standby", [False, True])
def test_promtool_finds_nothing_to_say(store, clock, standby):
    metrics = of_everything(store, clock)
    if standby:
        metrics.stand_by()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.render()[0], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_standby_tells_its_own_health_and_nothing_else(store, clock):
    of_everything(store, clock)
    metrics = Metrics(store, SMALL, clock=clock, standby=True)
    assert {name.partition("{")[0] for name in scraped(metrics)} == {
        "sereno_collector_leader", "sereno_collector_lease_epoch", "sereno_build_info", "sereno_topology_info",
        "sereno_topology_last_reload_successful", "sereno_topology_last_reload_success_timestamp_seconds",
        "sereno_store_readable",
    }  # fmt: skip
    assert scraped(metrics)["sereno_collector_leader"] == 0
    metrics.lead(4)
    assert scraped(metrics)["sereno_collector_leader"] == 1
    assert scraped(metrics)["sereno_collector_lease_epoch"] == 4
    assert 'sereno_verdict_state{element="acme-bog",kind="site",state="down"}' in scraped(metrics)


def test_a_verdict_of_what_is_no_longer_watched_is_gone_and_what_nobody_judged_is_unknown(store, clock):
    said(store, "sbc", "sbc-9", "down")
    said(store, "sbc", "sbc-1", "up")
    found = scraped(Metrics(store, SMALL, clock=clock))
    assert not any("sbc-9" in name for name in found)
    assert found['sereno_verdict_state{element="sbc-1",kind="sbc",state="up"}'] == 1
    assert found['sereno_verdict_state{element="sbc-2",kind="sbc",state="unknown"}'] == 1
    for kind, element in (("portal", "web"), ("database", "billing"), ("path", "sbc-1/core-b"), ("probe", "p3")):
        of_element = {
            s: found[f'sereno_verdict_state{{element="{element}",kind="{kind}",state="{s}"}}'] for s in STATES
        }
        assert of_element == {"up": 0, "degraded": 0, "down": 0, "unknown": 1, "maintenance": 0}


STATES = ("up", "degraded", "down", "unknown", "maintenance")


def test_what_the_store_cannot_say_is_left_out(store, clock):
    metrics = of_everything(store, clock)
    assert scraped(metrics)["sereno_store_readable"] == 1
    with store.write() as connection:
        connection.exec_driver_sql("DROP TABLE verdict_changes")
    found = scraped(metrics)
    assert found["sereno_store_readable"] == 0
    assert not any(name.startswith(("sereno_verdict_state", "sereno_incidents")) for name in found)
    assert 'sereno_results_missing_total{probe="p2"}' in found


def test_who_measures_no_more_says_nothing(store, clock):
    metrics = of_everything(store, clock)
    ok = 'sereno_element_ok{check="https",element="web",probe="p1"}'
    granted = 'sereno_register_expires_seconds{core="core-a",probe="p1",sbc="sbc-1"}'
    assert {ok, granted} <= scraped(metrics).keys()
    clock.advance(100)  # a portal asked every minute
    assert ok in scraped(metrics)
    clock.advance(60)
    gone = scraped(metrics)
    assert not any(name.startswith(("sereno_element_ok{", "sereno_tls_", "sereno_portal_")) for name in gone)
    assert granted not in gone, "it has lapsed after 120 s"
    again = result(300, "https", target="web")
    metrics.observe(again)
    assert scraped(metrics)[ok] == 1


def test_files_that_were_refused(store, clock):
    metrics = Metrics(store, SMALL, clock=clock)
    at = "sereno_topology_last_reload_success_timestamp_seconds"
    clock.advance(60)
    metrics.reloaded(ok=False)
    found = scraped(metrics)
    assert (found["sereno_topology_last_reload_successful"], found[at]) == (0, NOW / SECOND_US)
    metrics.reloaded(ok=True)
    assert scraped(metrics)[at] == NOW / SECOND_US + 60
    assert at not in scraped(Metrics(store, SMALL, clock=clock, valid_files=False))


def test_the_hash_in_use_is_one_of_ours_or_other(store, clock):
    metrics = of_everything(store, clock)
    short = topology_hash(SMALL)[:12]
    assert scraped(metrics)[f'sereno_topology_info{{hash="{short}"}}'] == 1
    assert scraped(metrics)[f'sereno_probe_topology_info{{hash="{short}",probe="p1"}}'] == 1
    metrics.status(Status(v=VERSION, probe="p1", state="online", topology_hash="made up"), current=False)
    assert scraped(metrics)['sereno_probe_topology_info{hash="other",probe="p1"}'] == 1


def test_notifications_are_counted_once_whatever_becomes_of_them(any_store, clock):
    metrics = Metrics(any_store, SMALL, clock=clock)

    def put(number, state):
        with any_store.write() as connection:
            connection.execute(outbox.delete().where(outbox.c.id == number))
            connection.execute(
                outbox.insert().values(
                    id=number, key=f"k{number}", channel="mail", recipient="ana", created_us=NOW, due_us=NOW,
                    message="{}", state=state,
                )
            )  # fmt: skip

    def counts():
        name = 'sereno_notifications_total{channel="mail",outcome="%s"}'
        now = scraped(metrics)
        assert 'outcome="pending"' not in "".join(now), "what still waits has no outcome: a counter never goes down"
        waiting = now.get('sereno_notifications_pending{channel="mail"}', 0)
        return waiting, *(now.get(name % state, 0) for state in ("sent", "failed", "expired"))

    put(1, "sent")
    put(2, "pending")
    put(3, "failed")
    assert counts() == (1, 1, 1, 0)
    put(2, "sent")
    assert counts() == (0, 2, 1, 0)
    put(4, "pending")
    assert counts() == (1, 2, 1, 0)
    put(4, "expired")
    assert counts() == (0, 2, 1, 1)


# -- negotiation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False), ("*/*", False), ("text/plain", False), (ASKS, True), ("application/openmetrics-text", True),
        ('application/openmetrics-text; version="1.0.0"', True), ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=0", False), ("application/openmetrics-text;q=x,text/plain", False),
        ("application/openmetrics-text;version=1.0.0;q=0.3, text/plain;q=0.9", False), (",;;=,q=1", False),
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2", True),
    ],
)  # fmt: skip
def test_the_format_is_the_one_that_was_asked_for(accept, openmetrics):
    assert wants_openmetrics(accept) is openmetrics


@given(st.text())
def test_any_accept_header_is_read(header):
    assert wants_openmetrics(header) in (True, False)
    assert takes_gzip(header) in (True, False)


@pytest.mark.parametrize(
    ("header", "takes"),
    [("", False), ("gzip", True), ("deflate, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("*", True)],
)
def test_gzip_is_given_to_who_takes_it(header, takes):
    assert takes_gzip(header) is takes


def test_the_body_in_pieces_is_the_body(store, clock):
    metrics = of_everything(store, clock)

    async def read(squeezed):
        _kind, body = await metrics.scrape(ASKS)
        return b"".join([piece async for piece in (gzipped(body) if squeezed else body)])

    whole = metrics.render(ASKS)[0]
    assert asyncio.run(read(False)) == whole
    assert zlib.decompress(asyncio.run(read(True)), 16 + zlib.MAX_WBITS) == whole


# -- families ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(allow_nan=False, min_value=0, max_value=1e9)), max_size=30))
def test_any_label_and_number_is_read_back(rows):
    values_ = Values(CATALOGUE["sereno_traffic_calls"])
    histograms = Histograms(CATALOGUE["sereno_call_setup_seconds"])
    for text, value in rows:
        values_.child("p", text).value += value
        histograms.child("sbc-1", text).observe(value)
    families = [values_, histograms]
    ours = "".join(pieces(families, openmetrics=False))
    assert values(ours) == values(generate_latest(registry_of(families)).decode())


@given(st.floats() | st.integers(0, 2**60))
def test_numbers_are_written_as_they_are(value):
    assert float(number(value)) == value or math.isnan(value)


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_has_the_catalogue_s_tables():
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    inside = page.partition(BEGIN)[2].partition(END)[0].strip()
    assert inside == tables().strip(), "run `sereno metrics --markdown` and put it between the marks"


def test_other_pages_name_metrics_that_there_are():
    known = set(CATALOGUE) | {f"{name}_{end}" for name in CATALOGUE for end in ("bucket", "count", "sum")}
    for page in DOCS.glob("*.md"):
        for name in re.findall(
            r"(?<![\w:/.-])sereno_[a-z0-9_]+[a-z0-9](?!\w*[:/.(]\w)", page.read_text(encoding="utf-8")
        ):
            assert name in known or any(one.startswith(f"{name}_") for one in known), f"{page.name}: {name}"
