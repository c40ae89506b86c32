"""Availability by hand: every case has one answer, and replay, ledger rows, a fold and --recompute all give it.

D, U, X and b are written down from the case; ratios and verdicts are recomputed here in fractions.
"""

from datetime import date
from fractions import Fraction

import pytest
from ledger_month import DAY, HOUR, Desk, S, commit, contract, empty_store, put_topology, replayed, samples, settings
from msgspec.structs import replace
from sqlalchemy import insert

from collector import measure
from collector.measure import Asked, report
from collector.months import month_window
from collector.stream import Maintenance, ScopeWords
from sereno.clock import iso, parse_instant
from sereno.contract.model import Availability, MaintenanceTerms
from sereno.store.tables import maintenance

EVERY = 300 * S
HOLD = 750 * S
CHECKS = {"options": {"every": "300s", "timeout": "900ms"}}
_TERMS = {"notice_days": (10, 15), "window": (19 * 60, 5 * 60), "critical_fix": "same_day"}
NIGHTS = MaintenanceTerms.model_construct(**_TERMS)
NINES = Availability(target_ppm=999_900)


def at(text):
    return parse_instant(text)


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Ask four ways, insist that they agree, give the figures."""
    count = iter(range(100))

    def ask(given, contracts, results, scope, window, works=(), *, rows=True):
        store = empty_store(tmp_path / str(next(count)))
        put_topology(store, given)
        commit(store, results)
        with store.write() as connection:
            for work in works:
                connection.execute(insert(maintenance).values(**work))
        monkeypatch.setattr(measure, "contracts_of", lambda _: contracts)
        now_us = window[1] + 10 * DAY

        def figures(**flags):
            return report(store, Asked(scope, *window), now_us, **flags).figures

        found = {"fold": figures(), "recompute": figures(recompute=True)}
        events = [_event(work) for work in works if work["cancelled_us"] is None]
        if len(events) == len(works):  # a replay has no word for work that is called off
            found["replay"] = replayed(given, contracts, results, scope, window, events)
        if rows:
            Desk(store, contracts, 0).work(now_us)
            found["rows"] = figures()
            assert report(store, Asked(scope, *window), now_us, recompute=True).differs == []
        store.dispose()
        assert len(set(found.values())) == 1, found
        _consistent(found["fold"])
        return found["fold"]

    return ask


def _consistent(one):
    """Ratios and verdict from D, X, U, T, b and the allowance, in fractions."""
    down, excluded, unknown, total = one.down_us, one.excluded_us, one.unknown_us, one.total_us
    seen, counted = total - excluded - unknown, total - excluded
    assert one.observed == (float(1 - Fraction(down, seen)) if seen else None)
    assert one.low == (float(1 - Fraction(down + unknown, counted)) if counted else None)
    assert one.high == (float(1 - Fraction(down, counted)) if counted else None)
    if one.allowed is None:
        assert one.verdict is None
        return
    met = 10**6 * (down + one.bound_us + unknown) <= one.allowed
    missed = 10**6 * (down - one.bound_us) > one.allowed
    assert one.verdict == ("met" if met else "missed" if missed else "not_provable")


def work(begins, ends, announced, kind="service", name="voz", *, critical=False, cancelled=None):
    return {
        "scope_kind": kind, "scope_name": name, "from_us": at(begins), "to_us": at(ends), "announced_us": at(announced),
        "critical_fix": critical, "who": "ana", "recorded_us": at(announced),
        "cancelled_us": None if cancelled is None else at(cancelled),
    }  # fmt: skip


def _event(one):
    words = ScopeWords(kind=one["scope_kind"], name=one["scope_name"])
    begins, ends, announced = iso(one["from_us"]), iso(one["to_us"]), iso(one["announced_us"])
    return Maintenance(
        v=1, at=announced, from_=begins, to=ends, announced=announced, scope=words, critical_fix=one["critical_fix"]
    )


def numbers(one):
    """D, X, U, b in seconds."""
    return tuple(value / S for value in (one.down_us, one.excluded_us, one.unknown_us, one.bound_us))


def hourly(begin, end, **more):
    return samples(begin, end, EVERY, **more)


PLAIN = settings(checks=CHECKS)


# -- months ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "month", "begins", "hours"),
    [
        ("Europe/Madrid", "2026-03", "2026-03-01T00:00+01:00", 31 * 24 - 1),
        ("Europe/Madrid", "2026-10", "2026-10-01T00:00+02:00", 31 * 24 + 1),
        ("America/Santiago", "2026-09", "2026-09-01T00:00-04:00", 30 * 24 - 1),
        ("America/Santiago", "2026-04", "2026-04-01T00:00-03:00", 30 * 24 + 1),
        ("America/Asuncion", "2023-10", "2023-10-01T01:00-03:00", 31 * 24 - 1),  # midnight of the first was skipped
        ("America/Asuncion", "2024-03", "2024-03-01T00:00-03:00", 31 * 24 + 1),
        ("America/Mexico_City", "2026-10", "2026-10-01T00:00-06:00", 31 * 24),  # no change any more
        ("America/Bogota", "2027-02", "2027-02-01T00:00-05:00", 28 * 24),
        ("America/Bogota", "2028-02", "2028-02-01T00:00-05:00", 29 * 24),
        ("America/Bogota", "2026-12", "2026-12-01T00:00-05:00", 31 * 24),
    ],
)
def test_a_month_has_the_hours_that_its_clock_shows(zone, month, begins, hours):
    begin, end = month_window(zone, month)
    assert (begin, (end - begin) // HOUR) == (at(begins), hours)


@pytest.mark.parametrize(
    ("zone", "month", "days"),
    [("Europe/Madrid", "2026-10", 31), ("America/Santiago", "2026-09", 30), ("America/Bogota", "2028-02", 29)],
)
def test_a_month_by_name_is_cut_at_the_contracts_midnight(tmp_path, monkeypatch, zone, month, days):
    """Four minutes and ten seconds of budget: 0.01 % of the month's true length."""
    store = empty_store(tmp_path)
    put_topology(store, PLAIN)
    begin, end = month_window(zone, month)
    outage = (end - 600 * S, end + 600 * S)  # across the month's bound: half of it is this month's
    commit(store, hourly(begin - DAY, end + DAY, bad=[outage]))
    monkeypatch.setattr(measure, "contracts_of", lambda _: contract(timezone=zone))
    found = report(store, Asked("site:hq", month=month), end + 30 * DAY)
    assert found.zone == zone
    assert (found.figures.from_us, found.figures.to_us) == (begin, end)
    assert numbers(found.figures) == (600, 0, 0, 300)
    assert found.budget_us == (end - begin) // 10_000
    assert len(found.days) == days
    under_way = report(store, Asked("site:hq", month=month), end - DAY)
    assert (under_way.figures.to_us, under_way.budget_us) == (end - DAY, (end - begin) // 10_000)
    uneven = report(store, Asked("site:hq", month=month), end - DAY - 4_321)  # not a microsecond is lost in two halves
    assert uneven.budget_us == (end - begin) // 10_000
    store.dispose()


# -- outages and windows -----------------------------------------------------------------------------------------------

T0 = at("2026-10-31T18:00:00Z")
NIGHT = (T0, T0 + 12 * HOUR)


@pytest.mark.parametrize(
    ("bad", "window", "expected"),
    [
        ([(6 * HOUR - 900 * S, 6 * HOUR + 900 * S)], (0, 12 * HOUR), (1800, 0, 0, 300)),  # midnight, month and day
        ([(2 * HOUR, 4 * HOUR)], (3 * HOUR, 12 * HOUR), (3600, 0, 0, 300)),  # begins before the window
        ([(2 * HOUR, 4 * HOUR)], (0, 3 * HOUR), (3600, 0, 0, 300)),  # goes on after it
        ([(2 * HOUR, 4 * HOUR)], (2 * HOUR + 1, 4 * HOUR - 1), (7199.999998, 0, 0, 300)),  # covers it
        ([(2 * HOUR, 4 * HOUR)], (4 * HOUR, 12 * HOUR), (0, 0, 0, 0)),  # just before it
        ([(2 * HOUR, 4 * HOUR)], (0, 2 * HOUR), (0, 0, 0, 0)),  # just after it
        ([(HOUR, 2 * HOUR), (3 * HOUR, 5 * HOUR)], (0, 12 * HOUR), (3 * 3600, 0, 0, 600)),
        ([(HOUR, HOUR + 300 * S)], (0, 12 * HOUR), (0, 0, 0, 0)),  # one failure alone confirms nothing
    ],
)
def test_outages_and_the_windows_that_cut_them(answer, bad, window, expected):
    spans = [(T0 + begin, T0 + end) for begin, end in bad]
    results = hourly(T0 - HOUR, T0 + 13 * HOUR, bad=spans)
    found = answer(PLAIN, contract(), results, "site:hq", (T0 + window[0], T0 + window[1]))
    assert numbers(found) == expected


def test_what_nobody_measured_is_unknown(answer):
    """Two hours without samples: the last one before them, five minutes earlier, speaks for twelve and a half."""
    gap = (T0 + 4 * HOUR, T0 + 6 * HOUR)
    found = answer(PLAIN, contract(), hourly(T0, T0 + 12 * HOUR, gone=[gap]), "service", NIGHT)
    assert numbers(found) == (0, 0, 7200 + 300 - 750, 0)
    assert found.verdict == "not_provable"


def test_nothing_measured_at_all(answer):
    found = answer(PLAIN, contract(), hourly(T0, T0 + HOUR), "site:hq", (T0 + 5 * HOUR, T0 + 6 * HOUR))
    assert numbers(found) == (0, 0, 3600, 0)
    assert (found.low, found.observed, found.high, found.verdict) == (0.0, None, 1.0, "not_provable")


def test_a_contract_without_a_target_has_figures_and_no_verdict(answer):
    promises = contract(availability=Availability(target_ppm=None))
    found = answer(PLAIN, promises, hourly(T0, T0 + 12 * HOUR, bad=[(T0 + HOUR, T0 + 2 * HOUR)]), "site:hq", NIGHT)
    assert numbers(found) == (3600, 0, 0, 300)
    assert (found.target, found.verdict, found.budget_us) == (None, None, None)


# -- maintenance -------------------------------------------------------------------------------------------------------

M0 = at("2026-11-20T18:00-05:00")
EVENING = (M0, M0 + 12 * HOUR)
ANNOUNCED = "2026-11-08T12:00-05:00"


def excluding(**changes):
    return contract(maintenance=NIGHTS, timezone="America/Bogota", **changes)


@pytest.mark.parametrize(
    ("works", "bad", "down", "excluded"),
    [
        ([("20:00", "22:00", ANNOUNCED)], [("20:30", "21:10")], 0, 7200),  # wholly inside
        ([("20:00", "22:00", ANNOUNCED)], [("19:50", "20:30")], 600, 7200),  # over its beginning
        ([("20:00", "22:00", ANNOUNCED)], [("21:30", "22:10")], 600, 7200),  # an overrun counts
        ([("20:00", "22:00", ANNOUNCED)], [("19:30", "22:30")], 3600, 7200),  # over both
        ([("18:30", "20:00", ANNOUNCED)], [("18:30", "20:00")], 1800, 3600),  # before seven nothing is excluded
        ([("20:00", "22:00", "2026-11-11T00:30-05:00")], [("20:30", "21:10")], 2400, 0),  # nine local days
        ([("20:00", "22:00", "2026-11-10T23:30-05:00")], [("20:30", "21:10")], 0, 7200),  # ten, the 11th in UTC
        ([("20:00", "21:00", ANNOUNCED), ("20:30", "22:00", ANNOUNCED)], [("20:30", "21:10")], 0, 7200),
        ([("20:00", "21:00", ANNOUNCED), ("21:30", "22:00", ANNOUNCED)], [("20:30", "21:40")], 1800, 5400),
    ],
)
def test_announced_work(answer, works, bad, down, excluded):
    day = "2026-11-20T{}-05:00"
    announced = [work(day.format(begin), day.format(end), told) for begin, end, told in works]
    spans = [(at(day.format(begin)), at(day.format(end))) for begin, end in bad]
    found = answer(PLAIN, excluding(), hourly(M0, M0 + 12 * HOUR, bad=spans), "site:hq", EVENING, announced, rows=False)
    assert numbers(found)[:3] == (down, excluded, 0)


@pytest.mark.parametrize(
    ("critical", "told", "excluded"), [(True, "08:00", 7200), (False, "08:00", 0), (True, "20:30", 0)]
)
def test_a_critical_fix_may_be_told_the_same_day_and_before_it_begins(answer, critical, told, excluded):
    one = work(
        "2026-11-20T20:00-05:00", "2026-11-20T22:00-05:00", f"2026-11-20T{told}-05:00", critical=critical
    )  # fmt: skip
    found = answer(PLAIN, excluding(), hourly(M0 - DAY, M0 + 12 * HOUR), "site:hq", EVENING, [one], rows=False)
    assert numbers(found) == (0, excluded, 0, 0)


@pytest.mark.parametrize(
    ("cancelled", "excluded"),
    [("2026-11-20T19:00-05:00", 0), ("2026-11-20T21:00-05:00", 3600), ("2026-11-20T23:00-05:00", 7200)],
)
def test_work_that_was_called_off(answer, cancelled, excluded):
    one = work("2026-11-20T20:00-05:00", "2026-11-20T22:00-05:00", ANNOUNCED, cancelled=cancelled)
    found = answer(PLAIN, excluding(), hourly(M0, M0 + 12 * HOUR), "site:hq", EVENING, [one], rows=False)
    assert numbers(found) == (0, excluded, 0, 0)


@pytest.mark.parametrize(
    ("begins", "ends", "hours"),
    [
        ("2026-09-05T18:00-04:00", "2026-09-06T06:00-03:00", 9),  # midnight skipped: 19:00 to 05:00 are nine hours
        ("2026-04-04T18:00-03:00", "2026-04-05T06:00-04:00", 11),  # an hour twice
        ("2026-05-09T18:00-04:00", "2026-05-10T06:00-04:00", 10),
    ],
)
def test_the_night_in_which_the_clock_changes(answer, begins, ends, hours):
    told = iso(at(begins) - 12 * DAY)
    window = (at(begins) - HOUR, at(ends) + HOUR)
    promises = contract(maintenance=NIGHTS, timezone="America/Santiago")
    found = answer(PLAIN, promises, hourly(*window), "site:hq", window, [work(begins, ends, told)], rows=False)
    assert found.excluded_us == hours * HOUR


def test_all_of_it_excluded_leaves_nothing_to_say(answer):
    one = work("2026-11-20T20:00-05:00", "2026-11-20T22:00-05:00", ANNOUNCED)
    window = (one["from_us"], one["to_us"])
    found = answer(PLAIN, excluding(), hourly(M0, M0 + 12 * HOUR), "site:hq", window, [one], rows=False)
    assert (found.low, found.observed, found.high) == (None, None, None)
    assert found.verdict == "met"  # nothing was owed


# -- contracts that change ---------------------------------------------------------------------------------------------


def test_each_part_of_the_window_by_the_promise_of_its_time(answer):
    """Six hours at 99.99 %, then six at 99 %: 2.16 s and 216 s of room."""
    promises = contract(
        availability=NINES,
        timezone="UTC",
        then=[(date(2026, 11, 1), {"availability": Availability(target_ppm=990_000)})],
    )
    found = answer(PLAIN, promises, hourly(T0, T0 + 12 * HOUR), "site:hq", NIGHT)
    assert found.allowed == 10**6 * (2_160_000 + 216 * S)
    assert found.budget_us == 218_160_000
    assert found.verdict == "met"
    none = contract(timezone="UTC", then=[(date(2026, 11, 1), {"availability": Availability(target_ppm=None)})])
    assert answer(PLAIN, none, hourly(T0, T0 + 12 * HOUR), "site:hq", NIGHT).verdict is None


def test_work_is_judged_by_the_version_in_force_when_it_began(answer):
    promises = excluding(then=[(date(2026, 11, 21), {"maintenance": None})])
    before = work("2026-11-20T20:00-05:00", "2026-11-20T22:00-05:00", ANNOUNCED)
    after = work("2026-11-21T01:00-05:00", "2026-11-21T03:00-05:00", ANNOUNCED)
    found = answer(
        PLAIN, promises, hourly(M0, M0 + 12 * HOUR), "site:hq", EVENING, [before, after], rows=False
    )  # fmt: skip
    assert found.excluded_us == 2 * HOUR


# -- several sites -----------------------------------------------------------------------------------------------------

SBCS = {name: {"addresses": [f"sip:192.0.2.{name[-1]}"], "primary": "a"} for name in ("sbc-1", "sbc-2")}
PROBES = {"p1": {"network": "isp-1"}, "p2": {"network": "isp-2"}}


def two_sites(**more):
    sites = {
        "north": {"customer": "acme", "sbcs": ["sbc-1"], "networks": ["isp-1"], "weight": 3},
        "south": {"customer": "acme", "sbcs": ["sbc-2"], "networks": ["isp-2"], "weight": 1},
    }
    return settings(checks=CHECKS, sbcs=SBCS, sites=sites, probes=PROBES, **more)


def both(bad_north=(), bad_south=()):
    """Each network's probe on both SBCs; what fails for a site fails for its own network alone."""
    return [
        *hourly(T0, T0 + 12 * HOUR, bad=bad_north, sbc="sbc-1", probe="p1"),
        *hourly(T0, T0 + 12 * HOUR, sbc="sbc-1", probe="p2"),
        *hourly(T0, T0 + 12 * HOUR, sbc="sbc-2", probe="p1", seq=5_000),
        *hourly(T0, T0 + 12 * HOUR, bad=bad_south, sbc="sbc-2", probe="p2", seq=5_000),
    ]


NORTH = [(T0 + HOUR, T0 + 3 * HOUR)]
SOUTH = [(T0 + 2 * HOUR, T0 + 4 * HOUR), (T0 + 6 * HOUR, T0 + 7 * HOUR)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("site:north", (7200, 0, 0, 300)),
        ("site:south", (10800, 0, 0, 600)),
        ("customer:acme", (4 * 3600, 0, 0, 600)),  # 1 to 4 and 6 to 7: two outages
        ("service", (3600, 0, 0, 300)),  # both at once, 2 to 3
    ],
)
def test_two_networks_two_sites_one_customer(answer, scope, expected):
    assert numbers(answer(two_sites(), contract(), both(NORTH, SOUTH), scope, NIGHT, rows=False)) == expected


def test_the_platform_is_weighted_beside_its_worst_site(tmp_path):
    store = empty_store(tmp_path)
    put_topology(store, two_sites())
    commit(store, both(NORTH, SOUTH))
    found = report(store, Asked("service", *NIGHT), NIGHT[1])
    store.dispose()
    assert found.weighted_down_us == (3 * 7200 + 10800) * S // 4
    assert (found.worst[0], found.worst[1].down_us) == ("south", 10800 * S)
    assert found.figures.down_us == 3600 * S


@pytest.mark.parametrize(("failover", "down"), [("auto", 0), ("manual", 7200), ("none", 7200)])
def test_the_first_sbc_dies_and_the_second_lives(answer, failover, down):
    sites = {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"], "failover": failover}}
    given = settings(checks=CHECKS, sbcs=SBCS, sites=sites)
    results = [
        *hourly(T0, T0 + 12 * HOUR, bad=[(T0 + HOUR, T0 + 3 * HOUR)]),
        *hourly(T0, T0 + 12 * HOUR, sbc="sbc-2", seq=5_000),
    ]
    found = answer(given, contract(), results, "site:hq", NIGHT, rows=False)
    assert numbers(found) == (down, 0, 0, 300 if down else 0)


@pytest.mark.parametrize(("names", "excluded"), [(["sbc-1"], 0), (["sbc-1", "sbc-2"], 3600)])
def test_windows_cover_a_site_together_where_they_overlap(answer, names, excluded):
    sites = {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}}
    hours = {"sbc-1": ("20:00", "22:00"), "sbc-2": ("21:00", "23:00")}
    works = [
        work(f"2026-11-20T{hours[one][0]}-05:00", f"2026-11-20T{hours[one][1]}-05:00", ANNOUNCED, "sbc", one)
        for one in names
    ]
    results = [*hourly(M0, M0 + 12 * HOUR), *hourly(M0, M0 + 12 * HOUR, sbc="sbc-2", seq=5_000)]
    given = settings(checks=CHECKS, sbcs=SBCS, sites=sites)
    assert answer(given, excluding(), results, "site:hq", EVENING, works, rows=False).excluded_us == excluded * S


def test_planes_count_while_the_contract_counts_them(answer):
    """Registrations fail from an hour before the contract stops counting them to an hour after."""
    given = settings(
        checks={**CHECKS, "register": {"every": "300s", "accounts": ["m"], "expires": "900s"}},
        accounts={"m": {"user": "9000", "realm": "x.example", "password": {"env": "X"}}},
    )
    six = T0 + 6 * HOUR
    failing = [(six - HOUR, six + HOUR)]
    registrations = [
        replace(one, check="register", account="m") for one in hourly(T0, T0 + 12 * HOUR, bad=failing, seq=5_000)
    ]
    promises = contract(timezone="UTC", then=[(date(2026, 11, 1), {"downtime_planes": ("signalling", "call")})])
    found = answer(given, promises, [*hourly(T0, T0 + 12 * HOUR), *registrations], "site:hq", NIGHT)
    assert numbers(found) == (3600, 0, 0, 300)
