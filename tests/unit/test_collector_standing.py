"""What gets slowly worse: certificates, TLS, DNS, replication, backups. It holds until it is measured well."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.engine import Engine
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.verdict import Change
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "domain": "v.example",
        "cores": {"a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"s": {"addresses": ["sips:sbc.example"], "primary": "a"}},
        "probes": {"p": {"network": "n"}, "q": {"network": "m"}},
        "portals": {"web": {"url": "https://w.example", "every": "60s"}},
        "databases": {
            "db": {
                "dsn": {"env": "X"}, "replicas": ["db2"], "every": "60s",
                "backup": {"max_age": "8h", "status_file": "/x"},
            },
            "db2": {"dsn": {"env": "X"}, "role": "replica", "every": "60s"},
        },
    }
)  # fmt: skip


class Desk:
    def __init__(self):
        self.engine, self.count = Engine(TOPOLOGY), 0

    def tell(self, minute, check, facts, target=None, outcome="ok", probe="p", **more):
        self.count += 1
        at = T0 + minute * 60 * S
        result = Result(
            v=1, probe=probe, boot="b", seq=self.count, at=iso(at), check=check, target=target, outcome=outcome,
            facts=facts, **more,
        )  # fmt: skip
        return {
            (one.kind, one.name, one.what, one.state)
            for one in self.engine.feed(result, at + S)
            if one.what not in {"verdict", "portal_member", "probe_lost", "canary_fault", "monitor_blind"}
        }


@pytest.fixture
def desk():
    return Desk()


def portal(**tls):
    return {"answering": 1, "total": 1, "addresses": {"192.0.2.1": {"tls": tls}}}


def test_a_certificate_that_ends(desk):
    assert desk.tell(0, "https", portal(days_to_expiry=40), "web") == set()
    assert desk.tell(1, "https", portal(days_to_expiry=29.5), "web") == {("portal", "web", "cert_expiry", "true")}
    assert desk.tell(2, "https", portal(), "web") == set()  # not measured: it holds
    assert desk.tell(3, "https", None, "web", outcome="failed", reason="timeout") == set()
    assert desk.tell(4, "https", portal(days_to_expiry=1), "web") == {
        ("portal", "web", "cert_expiry_7_days", "true"),
        ("portal", "web", "cert_expiry_2_days", "true"),
    }
    assert len(desk.tell(5, "https", portal(days_to_expiry=89), "web")) == 3


def test_a_listener_of_an_sbc_has_its_own(desk):
    found = desk.tell(0, "edge", {"tls": {"days_to_expiry": 5}}, sbc="s", address="sips:192.0.2.1")
    assert found == {("sbc", "s", "cert_expiry", "true"), ("sbc", "s", "cert_expiry_7_days", "true")}


def test_a_low_grade_holds_until_a_good_one_is_measured_whole(desk):
    low = {("portal", "web", "tls_grade", "true")}
    assert desk.tell(0, "https", portal(grade_at_most="A"), "web") == set()
    assert desk.tell(1, "https", portal(grade_at_most="B"), "web") == low
    assert desk.tell(2, "https", portal(grade_at_most="A+"), "web") == set()
    assert desk.tell(3, "https", portal(grade="A"), "web") == {("portal", "web", "tls_grade", "false")}


def test_any_server_and_any_probe_is_enough(desk):
    two = {"answering": 2, "total": 2, "addresses": {
        "192.0.2.1": {"tls": {"grade": "A+"}}, "192.0.2.2": {"tls": {"grade": "C"}}}}  # fmt: skip
    assert desk.tell(0, "https", two, "web") == {("portal", "web", "tls_grade", "true")}
    assert desk.tell(1, "https", portal(grade="A+"), "web", probe="q") == set()
    two["addresses"]["192.0.2.2"]["tls"]["grade"] = "A"
    assert desk.tell(2, "https", two, "web") == {("portal", "web", "tls_grade", "false")}


def test_names_that_lead_to_too_little(desk):
    missing = {"missing": ["192.0.2.9"]}
    assert desk.tell(0, "dns", missing, "w.example", outcome="failed") == {("portal", "web", "dns_incomplete", "true")}
    assert desk.tell(1, "dns", missing, "sbc.example", outcome="failed") == {("sbc", "s", "dns_incomplete", "true")}
    assert desk.tell(2, "dns", missing, "v.example", outcome="failed") == {("service", "voz", "dns_incomplete", "true")}
    assert desk.tell(3, "dns", {"agree": True}, "v.example") == {("service", "voz", "dns_incomplete", "false")}


def replica(**facts):
    return {"role": "replica", "receiving": True} | facts


def test_a_replica_that_stays_behind_for_five_minutes(desk):
    for minute in range(5):
        assert desk.tell(minute, "database", replica(lag_seconds=40), "db2") == set()
    assert desk.tell(5, "database", replica(lag_seconds=40), "db2") == {("database", "db2", "replication_lag", "true")}
    assert desk.tell(6, "database", replica(lag_seconds=1), "db2") == set()
    assert desk.tell(8, "database", replica(lag_seconds=10), "db2") == set()  # neither well nor bad
    assert desk.tell(9, "database", replica(lag_seconds=1), "db2") == set()
    assert desk.tell(13, "database", replica(lag_seconds=1), "db2") == set()
    well = {("database", "db2", "replication_lag", "false")}
    assert desk.tell(14, "database", replica(lag_seconds=1), "db2") == well


def test_a_replication_that_stopped_is_said_at_once(desk):
    stopped = {("database", "db2", "replication_stopped", "true")}
    assert desk.tell(0, "database", {"role": "replica", "receiving": False}, "db2") == stopped
    assert desk.tell(1, "database", {"role": "primary", "replicas": {}}, "db") == {
        ("database", "db", "replication_stopped", "true")
    }
    assert desk.tell(2, "database", {"role": "primary", "replicas": {"db2": {"lag_seconds": 0.0}}}, "db") == {
        ("database", "db", "replication_stopped", "false")
    }


@pytest.mark.parametrize(
    ("backup", "whats"),
    [
        ({"age_seconds": 3600, "verified": True}, set()),
        ({"age_seconds": 9 * 3600, "verified": True}, {"backup_stale"}),
        ({"age_seconds": 17 * 3600, "verified": True}, {"backup_stale", "backup_failed"}),
        ({"age_seconds": 3600, "verified": False}, {"backup_stale", "backup_failed"}),
        ({"trouble": "no such file"}, {"backup_stale"}),
    ],
)
def test_backups(desk, backup, whats):
    primary = {"role": "primary", "replicas": {"db2": {"lag_seconds": 0.0}}, "backup": backup}
    assert {what for _, _, what, _ in desk.tell(0, "database", primary, "db")} == whats


def test_what_the_probe_calls_invalid_says_nothing(desk):
    assert desk.tell(0, "https", portal(days_to_expiry=1), "web", outcome="invalid", reason="probe_fault") == set()


def test_an_older_result_that_comes_late_changes_nothing(desk):
    desk.tell(5, "https", portal(days_to_expiry=80), "web")
    assert desk.tell(1, "https", portal(days_to_expiry=1), "web") == set()


def kept(desk, kind, name, what):
    desk.engine.keep(Change(kind=kind, name=name, what=what, state="true", since_us=T0, at_us=T0))


def test_what_was_said_before_a_restart_holds_until_it_is_measured(desk):
    kept(desk, "portal", "web", "tls_grade")
    kept(desk, "database", "db2", "replication_lag")
    kept(desk, "portal", "gone", "tls_grade")
    assert desk.engine.findings() == [("database", "db2", "replication_lag"), ("portal", "web", "tls_grade")]
    assert desk.tell(0, "https", portal(), "web") == set()
    two = {"answering": 2, "total": 2, "addresses": {
        "192.0.2.1": {"tls": {"grade": "A+"}}, "192.0.2.2": {"tls": {"grade": "C"}}}}  # fmt: skip
    assert desk.tell(1, "https", two, "web") == set()  # one of them still is bad
    two["addresses"]["192.0.2.2"]["tls"]["grade"] = "A"
    assert desk.tell(2, "https", two, "web") == {("portal", "web", "tls_grade", "false")}
    for minute in range(5):
        assert desk.tell(minute, "database", replica(lag_seconds=0), "db2") == set()
    assert desk.tell(5, "database", replica(lag_seconds=0), "db2") == {("database", "db2", "replication_lag", "false")}


FIELDS = ["addresses", "answering", "total", "missing", "tls", "grade", "grade_at_most", "days_to_expiry", "replicas",
          "lag_seconds", "receiving", "role", "backup", "age_seconds", "verified", "trouble"]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=3)
FACTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(FIELDS), FACTS, max_size=8),
    st.sampled_from([("https", "web"), ("database", "db"), ("dns", "v.example"), ("edge", None)]),
    st.sampled_from([("ok", None), ("failed", "role"), ("failed", "timeout"), ("failed", "lag")]),
)
def test_whatever_facts_say_the_machines_take_it(facts, what, how):
    check, target = what
    sbc = {"sbc": "s", "address": "sips:192.0.2.1"} if check == "edge" else {}
    desk = Desk()
    for minute in range(3):
        desk.tell(minute, check, facts, target, outcome=how[0], reason=how[1], **sbc)
