"""The acceptance scenario about announced work (23), as streams with answers computed by hand."""

from datetime import date
from importlib.resources import files

import pytest
import yaml
from streams import T0, TIMEOUT, Run, at, spans, topology, window

from sereno.clock import SECOND_US, parse_instant


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**changes))


WEKALL = {"acme": {"name": "Acme", "contract": "wekall"}}
TEN = {name: {"every": "10s", "timeout": "900ms"} for name in ("edge", "options", "natural")}
HOUR = 3600
# T0 is Monday 2026-11-02 07:00 in Bogota (GMT−5); 20:00 there is 13 hours later, 14:00 seven.
EVENING, AFTERNOON = 13 * HOUR, 7 * HOUR


@pytest.mark.parametrize(
    ("begins", "announced_days", "excluded"), [(EVENING, 12, 7200), (AFTERNOON, 12, 0), (EVENING, 9, 0)]
)
def test_23_only_maintenance_by_the_terms_is_excluded(run, begins, announced_days, excluded):
    def bad(_check, _sbc, _core, second):
        return TIMEOUT if begins <= second < begins + 2 * HOUR - 60 else None

    stream = run(customers=WEKALL, checks=TEN).watch(
        begins + 3 * HOUR, bad, checks=("edge", "natural", "options"), every=10, since=begins - HOUR
    )
    stream.event(
        0,
        event="maintenance",
        announced=at(begins - announced_days * 24 * HOUR),
        scope={"kind": "service", "name": "voz"},
        critical_fix=False,
        **{"from": at(begins), "to": at(begins + 2 * HOUR)},
    )
    answer = stream.go(*window("site:hq", begins + 3 * HOUR, since=begins - HOUR))
    figures = answer["availability"][0]
    assert figures["excluded_seconds"] == excluded
    assert figures["down_seconds"] == (0 if excluded else 7140)
    assert (figures["verdict"], figures["target"]) == (None, None)  # WeKall promises no availability
    assert answer["notifications"] == []  # announced work silences, whatever the contract says of its time


def test_23_an_overrun_counts_and_pages_at_the_windows_end(run):
    end = EVENING + 2 * HOUR

    def bad(_check, _sbc, _core, second):
        return TIMEOUT if EVENING <= second < end + 600 else None

    stream = run(customers=WEKALL, checks=TEN).watch(
        end + HOUR, bad, checks=("edge", "natural", "options"), every=10, since=EVENING - HOUR
    )
    stream.event(
        0,
        event="maintenance",
        announced=at(EVENING - 12 * 24 * HOUR),
        scope={"kind": "service"},
        **{"from": at(EVENING), "to": at(end)},
    )
    answer = stream.go(*window("site:hq", end + HOUR, since=EVENING))
    figures = answer["availability"][0]
    assert (figures["excluded_seconds"], figures["down_seconds"]) == (7200, 600)
    assert spans(answer, "site", "hq", "maintenance") == [(EVENING, end)]
    assert spans(answer, "site", "hq", "down") == [(end, end + 600)]
    urgent = [one for one in answer["incidents"] if one["priority_peak"] == "Urgente"]
    assert len(urgent) == 1
    assert 0 <= parse_instant(urgent[0]["opened"]) - T0 - end * SECOND_US <= 5 * SECOND_US


def test_23_the_twin_that_dies_during_maintenance_counts(run):
    def bad(_check, sbc, _core, second):
        return (
            TIMEOUT if (sbc == "sbc-1" and 600 <= second < 1800) or (sbc == "sbc-2" and 900 <= second < 1200) else None
        )

    stream = run(customers=WEKALL, checks=TEN).watch(2400, bad, checks=("edge", "natural", "options"), every=10)
    stream.event(
        0,
        event="maintenance",
        announced=at(-12 * 24 * HOUR),
        scope={"kind": "sbc", "name": "sbc-1"},
        **{"from": at(600), "to": at(1800)},
    )
    answer = stream.go(*window("site:hq", 2400))
    figures = answer["availability"][0]
    assert (figures["excluded_seconds"], figures["down_seconds"]) == (0, 300)
    assert any(one["priority_peak"] == "Urgente" for one in answer["incidents"])
    assert spans(answer, "sbc", "sbc-1", "maintenance") == [(600, 1800)]


def test_planes_that_a_later_version_counts_count_from_its_date(tmp_path):
    """The fold is cut where a version of the contract comes into force within the recording."""
    shipped = load_contract_text()
    old = shipped["versions"][0] | {"timezone": "UTC", "downtime_planes": ["signalling"]}
    new = old | {"effective": date(2026, 11, 3), "downtime_planes": ["signalling", "registration"]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"contract": "own", "versions": [old, new]}, sort_keys=False))
    midnight = 12 * HOUR

    def bad(check, _sbc, _core, second):
        refused = {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core"}
        return refused if check == "register" and -300 <= second - midnight < 300 else None

    customers = {"acme": {"name": "Acme", "contract": "own"}}
    stream = Run(tmp_path, topology(customers=customers)).watch(midnight + 600, bad, since=midnight - 600)
    answer = stream.go(*window("site:hq", midnight + 600, since=midnight - 600))
    assert spans(answer, "site", "hq", "degraded") == [(midnight - 300, midnight)]
    assert spans(answer, "site", "hq", "down") == [(midnight, midnight + 300)]


def load_contract_text():
    return yaml.safe_load((files("sereno.contract") / "data" / "callmyway.yaml").read_text())
