"""The arithmetic of availability, and which time a contract takes out of it, by hand."""

import pytest

from collector.availability import Book, figures, weighted_down
from collector.exclusion import Exclusions, accepted, target_ppm
from collector.ledger import spans
from collector.ledger.fold import Interval
from sereno.availability import Figures, Scope, percent
from sereno.clock import parse_instant
from sereno.contract import load_contract
from sereno.topology import topology_from_json
from sereno.verdict import MaintenanceWindow

S = 1_000_000
DAY = 86_400 * S
MONTH = 30 * DAY


def figure(down=0, excluded=0, unknown=0, bound=0, total=MONTH, target=999_900):
    return Figures(Scope("service", "voz"), 0, total, down, excluded, unknown, bound, 1, target)


@pytest.mark.parametrize(
    ("down", "unknown", "bound", "expected"),
    [
        (0, 0, 0, "met"),
        (258.2, 0, 1, "met"),  # 259.2 s are 0.01 % of 30 days; exactly on it is met
        (258.3, 0, 1, "not_provable"),
        (260.2, 0, 1, "not_provable"),  # could be 259.2
        (260.3, 0, 1, "missed"),
        (0, 259.2, 0, "met"),
        (0, 300, 0, "not_provable"),  # nobody saw it: neither met nor missed
        (100, 200, 1, "not_provable"),
    ],
)
def test_verdict_against_four_nines(down, unknown, bound, expected):
    assert figure(round(down * S), 0, round(unknown * S), bound * S).verdict == expected


def test_excluded_time_leaves_the_denominator():
    one = figure(down=100 * S, excluded=600 * S, unknown=300 * S, total=1000 * S)
    assert one.observed == pytest.approx(0)  # 100 down of the 100 seen
    assert one.low == pytest.approx(0)
    assert one.high == pytest.approx(0.75)
    assert figure(excluded=1000 * S, total=1000 * S).observed is None
    assert figure(unknown=1000 * S, total=1000 * S).observed is None


def test_no_target_no_verdict():
    assert figure(target=None).verdict is None
    assert figure(target=None).as_json()["target"] is None


TOPOLOGY = {
    "service": "voz",
    "cores": {"a": {"uri": "sip:10.0.0.1"}, "b": {"uri": "sip:10.0.0.2"}},
    "sbcs": {
        name: {"addresses": [f"sip:192.0.2.{name[-1]}"], "primary": "a", "backup": "b"} for name in ("sbc-1", "sbc-2")
    },
    "customers": {"acme": {"name": "A", "contract": "wekall"}, "beta": {"name": "B", "contract": "callmyway"}},
    "sites": {
        "x": {"customer": "acme", "sbcs": ["sbc-1"], "weight": 3},
        "y": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "z": {"customer": "beta", "sbcs": ["sbc-2"]},
    },
}
CONTRACTS = {name: load_contract(name) for name in ("wekall", "callmyway")}


def interval(kind, name, state, begin, end, bound=1):
    return Interval(kind, name, state, begin * S, end * S, None, bound * S if state == "down" else 0)


def measure(intervals, scope, to=100, excluded=lambda _: []):
    topology = topology_from_json(TOPOLOGY)
    return figures(topology, Book(intervals), scope, 0, to * S, excluded=excluded, target_ppm=999_900)


def test_time_without_intervals_is_unknown():
    found = measure([interval("site", "z", "up", 20, 90), interval("site", "z", "down", 90, 95)], Scope("site", "z"))
    assert (found.unknown_us, found.down_us, found.bound_us, found.outages) == (25 * S, 5 * S, S, 1)


def test_precedence_is_excluded_then_down_then_unknown():
    intervals = [interval("site", "z", "down", 0, 50), interval("site", "z", "unknown", 50, 100)]
    found = measure(intervals, Scope("site", "z"), excluded=lambda _: [(40 * S, 60 * S)])
    assert (found.excluded_us, found.down_us, found.unknown_us) == (20 * S, 40 * S, 40 * S)


def test_a_customer_is_its_worst_site_at_every_instant():
    intervals = [
        interval("site", "x", "up", 0, 100), interval("site", "y", "down", 0, 10), interval("site", "y", "up", 10, 60),
        interval("site", "y", "unknown", 60, 100), interval("site", "x", "down", 70, 80),
    ]  # fmt: skip
    found = measure(intervals, Scope("customer", "acme"))
    assert (found.down_us, found.unknown_us, found.outages) == (20 * S, 30 * S, 2)
    skipped = measure(intervals, Scope("customer", "acme"), excluded=lambda s: [(0, 10 * S)] if s.name == "y" else [])
    assert (skipped.down_us, skipped.excluded_us) == (10 * S, 0)


def test_the_platform_is_weighted_by_site():
    topology = topology_from_json(TOPOLOGY)
    by_site = {"x": figure(down=40 * S), "y": figure(), "z": figure(down=20 * S)}
    assert weighted_down(topology, by_site) == pytest.approx((3 * 40 + 0 + 20) / 5)


def window(begins, ends, announced, critical=False, kind="service", name="voz"):
    return MaintenanceWindow(
        scope_kind=kind,
        scope_name=name,
        from_us=parse_instant(begins),
        to_us=parse_instant(ends),
        announced_us=parse_instant(announced),
        critical_fix=critical,
    )


NIGHT = ("2026-11-20T20:00-05:00", "2026-11-20T22:00-05:00")


@pytest.mark.parametrize(
    ("begins", "ends", "announced", "critical", "seconds"),
    [
        (*NIGHT, "2026-11-08T12:00-05:00", False, 7200),  # 12 days
        (*NIGHT, "2026-11-10T23:59-05:00", False, 7200),  # 10 local days, though fewer than 240 hours
        (*NIGHT, "2026-11-11T00:01-05:00", False, 0),  # 9 local days
        (*NIGHT, "2026-11-05T12:00-05:00", False, 7200),  # 15
        (*NIGHT, "2026-11-04T12:00-05:00", False, 0),  # 16
        (*NIGHT, "2026-11-20T08:00-05:00", False, 0),  # the same day, nothing critical
        (*NIGHT, "2026-11-20T08:00-05:00", True, 7200),
        (*NIGHT, "2026-11-19T08:00-05:00", True, 0),
        (*NIGHT, "2026-11-20T21:00-05:00", True, 0),  # announced after it began
        ("2026-11-20T14:00-05:00", "2026-11-20T16:00-05:00", "2026-11-08T12:00-05:00", False, 0),
        ("2026-11-20T18:00-05:00", "2026-11-20T20:00-05:00", "2026-11-08T12:00-05:00", False, 3600),
        ("2026-11-20T23:00-05:00", "2026-11-21T06:00-05:00", "2026-11-08T12:00-05:00", False, 6 * 3600),
        ("2026-11-21T01:00-05:00", "2026-11-21T03:00-05:00", "2026-11-08T12:00-05:00", False, 7200),
    ],
)
def test_wekall_terms(begins, ends, announced, critical, seconds):
    version = CONTRACTS["wekall"].versions[0]
    assert spans.total(accepted(window(begins, ends, announced, critical), version)) == seconds * S


def test_callmyway_excludes_nothing():
    version = CONTRACTS["callmyway"].versions[0]
    assert accepted(window(*NIGHT, "2026-11-08T12:00-05:00"), version) == []


@pytest.mark.parametrize(
    ("kind", "name", "scope", "seconds"),
    [
        ("service", "voz", Scope("site", "x"), 7200),
        ("service", "voz", Scope("site", "z"), 0),  # its contract excludes nothing
        ("service", "voz", Scope("service", "voz"), 0),  # it serves both
        ("sbc", "sbc-1", Scope("site", "x"), 7200),
        ("sbc", "sbc-1", Scope("site", "y"), 0),  # another SBC serves it
        ("customer", "acme", Scope("site", "y"), 7200),
        ("customer", "acme", Scope("customer", "acme"), 7200),
        ("path", "sbc-1/a", Scope("site", "x"), 0),
    ],
)
def test_the_announced_scope_must_cover_every_path_of_the_site(kind, name, scope, seconds):
    announced = window(*NIGHT, "2026-11-08T12:00-05:00", kind=kind, name=name)
    excluded = Exclusions(topology_from_json(TOPOLOGY), CONTRACTS, [announced])
    assert spans.total(excluded(scope)) == seconds * S


def test_two_windows_cover_a_site_together():
    windows = [window(*NIGHT, "2026-11-08T12:00-05:00", kind="sbc", name=name) for name in ("sbc-1", "sbc-2")]
    excluded = Exclusions(topology_from_json(TOPOLOGY), CONTRACTS, windows)
    assert spans.total(excluded(Scope("site", "y"))) == 7200 * S


def test_targets():
    topology = topology_from_json(TOPOLOGY)
    now = parse_instant("2026-11-01T00:00Z")
    assert target_ppm(topology, CONTRACTS, Scope("site", "x"), now) is None
    assert target_ppm(topology, CONTRACTS, Scope("site", "z"), now) == 999_900
    assert target_ppm(topology, CONTRACTS, Scope("service", "voz"), now) == 999_900  # the strictest that is promised


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (None, "—"),
        (1.0, "100.000000%"),
        (0.9999, "99.990000%"),
        (0.99999999999, "99.999999%"),  # 26 µs of a month: not a hundred
        (0.9915718817703497, "99.157188%"),
        (0.0, "0.000000%"),
    ],
)
def test_people_never_read_more_than_there_was(ratio, shown):
    assert percent(ratio) == shown
