"""Whatever probes send, series are bounded by the topology, labels are from closed lists, and a scrape can be read."""

import itertools

import msgspec
import pytest
from exposition import SMALL, scraped, values
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families

from collector.exposition.kinds import STATES
from collector.exposition.names import CODECS
from collector.exposition.sizes import at_most, expected
from collector.metrics import Metrics
from sereno.clock import FakeClock, parse_instant
from sereno.errors import WireError
from sereno.store import open_store
from sereno.wire import CHECKS, REASONS, VERSION, Lateness, Result, Status, decode

CLOCK = FakeClock(parse_instant("2026-11-21T10:00:01Z"))
WORDS = (
    st.sampled_from(["sbc-1", "sbc-2", "core-a", "core-b", "p1", "", "other", 'a"b\\c\n', "\ud800", "ñ" * 80])
    | st.text()
)
NUMBERS = st.floats() | st.integers(-(10**400), 10**400) | st.booleans() | WORDS
THINGS = st.recursive(NUMBERS | st.none(), lambda inner: st.dictionaries(WORDS, inner, max_size=4), max_leaves=8)
STREAM = st.dictionaries(
    st.sampled_from(["packets", "lost", "discarded", "jitter_mean_seconds", "mos_lq", "mos_cq", "codec"]), NUMBERS
)
RESULT = st.fixed_dictionaries(
    {"check": st.sampled_from(CHECKS), "outcome": st.sampled_from(["ok", "failed", "invalid"]), "probe": WORDS},
    optional={
        "sbc": WORDS, "core": WORDS, "target": WORDS, "address": WORDS, "codec": WORDS,
        "reason": st.sampled_from(REASONS), "code": st.integers(-(10**18), 10**18),
        "duration_seconds": st.floats(), "setup_seconds": st.floats(), "post_dial_delay_seconds": st.floats(),
        "expires_seconds": st.floats(), "media": st.dictionaries(st.sampled_from(["rx", "tx", "zz"]), STREAM),
        "facts": st.dictionaries(
            st.sampled_from(
                ["tls", "addresses", "answering", "total", "lag_seconds", "backup", "replicas", "registered", "calls",
                 "call_id", "own_jitter_seconds", "quality_unmeasured"]
            ),
            THINGS,
        ),
    },
)  # fmt: skip
STATUS = st.builds(
    Status, v=st.just(VERSION), probe=WORDS, state=st.sampled_from(["online", "offline"]),
    topology_hash=st.none() | WORDS, version=st.none() | WORDS, spooled=st.none() | st.integers(),
    clock_offset_seconds=st.none() | st.floats(), canaries=st.none() | st.dictionaries(WORDS, st.booleans()),
    doubted=st.none() | st.dictionaries(WORDS, st.integers()), meter_dropped=st.none() | st.integers(),
    lateness=st.none() | st.builds(
        Lateness, bounds=st.lists(st.floats(), max_size=40).map(tuple),
        counts=st.lists(st.integers(), max_size=41).map(tuple), sum_seconds=st.floats(),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("labels"))
    yield opened
    opened.dispose()


def sizes(metrics):
    return {family.declared.name: len(family) for family in metrics.families()}


def of(seq, **fields):
    """A result that a probe may put on the wire."""
    body = {"v": 1, "boot": "b", "seq": seq, "at": "2026-11-21T10:00:00.000000Z", **fields}
    return decode(msgspec.json.encode(body), Result)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(RESULT | STATUS, max_size=40))
def test_nothing_that_is_sent_breaks_a_scrape_or_a_bound(store, sent):
    metrics = Metrics(store, SMALL, clock=CLOCK)
    for seq, one in enumerate(sent, 1):
        if isinstance(one, Status):
            metrics.status(one, current=False)
            continue
        try:
            found = of(seq, **one)
        except (WireError, msgspec.EncodeError, UnicodeEncodeError, OverflowError):
            found = None
        if found is not None:
            metrics.observe(found)
    within(metrics)
    labelled = scraped(metrics)
    text = metrics.render("application/openmetrics-text")[0].decode()
    list(openmetrics_families(text))
    for name, value in labelled.items():
        if "_total" in name.partition("{")[0] or "_count" in name.partition("{")[0]:
            assert value >= 0, name


def within(metrics):
    limits = at_most(SMALL)
    for name, count in sizes(metrics).items():
        assert count <= limits[name], name


def test_a_flood_of_names_is_folded(store):
    metrics = Metrics(store, SMALL, clock=CLOCK)
    for seq in range(1, 3_001):
        word = f"x{seq}"
        metrics.observe(
            of(seq, probe=f"q{seq}", check="call", outcome="failed", reason="sip_4xx", sbc=word, core=word, codec=word,
               code=10_000 + seq, setup_seconds=0.1, post_dial_delay_seconds=0.1, duration_seconds=1.0,
               media={"rx": {"packets": 1, "mos_lq": 4.0, "codec": word}})
        )  # fmt: skip
        metrics.observe(of(seq, probe="p1", check="dns", outcome="ok", target=word))
        metrics.observe(of(seq, probe="p1", check="https", outcome="ok", target="web",
                           facts={"addresses": {word: {"tls": {"grade": "A", "days_to_expiry": 1.0}}}}))  # fmt: skip
        metrics.missing(word, 1)
        metrics.status(Status(v=VERSION, probe=word, state="online", version=word, topology_hash=word), current=False)
    within(metrics)
    found = scraped(metrics)
    assert len(found) < 3_000
    labels = 'check="call",core="other",outcome="failed",probe="other",reason="sip_4xx",sbc="other"'
    assert found[f"sereno_check_results_total{{{labels}}}"] > 2_900
    assert sum(value for name, value in found.items() if name.startswith("sereno_check_results_total{")) == 9_000
    assert found["sereno_label_values_folded_total"] > 3_000
    assert len(metrics._slots) < 100, "names that somebody made up fill no memory"


def test_one_probe_s_flood_of_reasons_and_codes_takes_no_room_from_the_others(store):
    metrics = Metrics(store, SMALL, clock=CLOCK)
    places = list(itertools.product(("sbc-1", "sbc-2"), ("core-a", "core-b")))
    for seq, ((sbc, core), reason, check) in enumerate(itertools.product(places, REASONS, CHECKS), 1):
        metrics.observe(
            of(seq, probe="p1", check=check, outcome="failed", reason=reason, sbc=sbc, core=core, code=400 + seq % 90)
        )
    before = sizes(metrics)["sereno_check_results_total"]
    assert before <= metrics.names.limit("sereno_check_results_total") + len(CHECKS) * 3
    metrics.observe(of(1, probe="p2", check="options", outcome="failed", reason="timeout", sbc="sbc-1", core="core-a"))
    found = scraped(metrics)
    labels = 'check="options",core="core-a",outcome="failed",probe="p2",reason="timeout",sbc="sbc-1"'
    assert found[f"sereno_check_results_total{{{labels}}}"] == 1
    total = sum(value for name, value in found.items() if name.startswith("sereno_check_results_total{"))
    assert total == len(places) * len(REASONS) * len(CHECKS) + 1
    within(metrics)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (200, "200"),
        (477, "477"),
        (404, "404"),
        (499, "4xx"),
        (299, "2xx"),
        (99, "other"),
        (700, "other"),
        (-1, "other"),
    ],
)
def test_odd_codes_are_shown_as_their_class(store, code, shown):
    metrics = Metrics(store, SMALL, clock=CLOCK)
    metrics.observe(of(1, probe="p1", check="options", outcome="ok", sbc="sbc-1", core="core-a", code=code))
    assert (
        f'sereno_sip_responses_total{{check="options",code="{shown}",core="core-a",probe="p1",sbc="sbc-1"}}'
        in scraped(metrics)
    )


def test_what_is_expected_of_a_topology_is_what_a_good_day_gives(store):
    """The documented size is that of a real scrape: every probe, every check, all well."""
    document = SMALL.model_copy(update={"checks": CHECKED, "portals": {}, "databases": {}})
    metrics = Metrics(store, document, clock=CLOCK)
    seq = 0
    for probe in document.probes:
        for path in document.paths():
            for check, more in (("options", {}), ("register", {"expires_seconds": 60.0}), ("call", CALL)):
                seq += 1
                metrics.observe(
                    of(seq, probe=probe, check=check, outcome="ok", sbc=path.sbc, core=path.core, code=200,
                       duration_seconds=0.1, **more)
                )  # fmt: skip
        for sbc, check in itertools.product(document.sbcs, ("edge", "natural")):
            metrics.observe(of(seq, probe=probe, check=check, outcome="ok", sbc=sbc, code=200, duration_seconds=0.1))
    scraped(metrics)
    wanted, found = expected(document), sizes(metrics)
    for name in (
        "sereno_check_results_total", "sereno_sip_responses_total", "sereno_check_duration_seconds",
        "sereno_register_expires_seconds", "sereno_call_setup_seconds", "sereno_rtp_packets_total",
        "sereno_rtp_jitter_seconds", "sereno_mos_lq", "sereno_verdict_state", "sereno_site_state_seconds_total",
        "sereno_incidents", "sereno_probe_last_result_timestamp_seconds",
    ):  # fmt: skip
        assert found[name] == wanted[name], name
    assert len(values(metrics.render()[0].decode())) == sum(found.values())
    assert len(STATES) * len(metrics.names.elements()) == wanted["sereno_verdict_state"]
    assert "PCMA" in CODECS


CALL = {
    "codec": "PCMA", "setup_seconds": 0.2, "post_dial_delay_seconds": 0.1,
    "media": {d: {"packets": 1, "lost": 0, "jitter_mean_seconds": 0.001, "mos_lq": 4.4} for d in ("rx", "tx")},
}  # fmt: skip
CHECKED = SMALL.checks.model_validate(
    {name: {"every": "1s", "timeout": "900ms"} for name in ("edge", "options", "natural")}
    | {"register": {"every": "60s", "accounts": ["m"]}, "call": {"every": "60s", "account": "m", "to": "sip:e@{core}"}}
)
