"""The two shipped contracts say what their operators' documents say; due dates worked out by hand."""

import pytest

from sereno.clock import SECOND_US, iso, parse_instant
from sereno.contract import load_contract, shipped
from sereno.contract.model import IMPACTS, PRIORITIES
from sereno.errors import ConfigError

HOUR = 3_600 * SECOND_US
MATRIX = {
    "alto": ("Urgente", "Alta", "Normal"),
    "medio": ("Alta", "Normal", "Baja"),
    "bajo": ("Normal", "Baja", "Baja"),
}


def wekall():
    return load_contract("wekall").at(parse_instant("2026-07-10T00:00-05:00"))


def callmyway():
    return load_contract("callmyway").at(parse_instant("2026-07-10T00:00-06:00"))


def hours(version, kind, clock):
    rules = [version.clock(kind, clock, priority) for priority in PRIORITIES]
    return [None if rule is None else rule.budget_us / HOUR for rule in rules]


def due(version, kind, clock, priority, opened, pauses=()):
    return iso(version.clock(kind, clock, priority).due(parse_instant(opened), pauses))


def test_both_ship():
    assert shipped() == ["callmyway", "wekall"]
    assert [load_contract(name).name for name in shipped()] == shipped()


@pytest.mark.parametrize("version", [wekall(), callmyway()], ids=["wekall", "callmyway"])
def test_the_matrix(version):
    for urgency, row in MATRIX.items():
        assert tuple(version.priority(urgency, impact) for impact in IMPACTS) == row
    with pytest.raises(ValueError, match="no urgency"):
        version.priority("Alto", "organizacion")
    with pytest.raises(ValueError, match="impact"):
        version.priority("alto", "planeta")


def test_wekall_s_clocks():
    version = wekall()
    assert hours(version, "incident", "attention") == [1, 6, 10, 16]
    assert hours(version, "request", "attention") == [8, 12, 24, 32]
    assert hours(version, "incident", "solution") == [None] * 4
    assert hours(version, "request", "solution") == [None] * 4


def test_wekall_s_terms():
    version = wekall()
    assert version.timezone == "America/Bogota"
    assert version.target_ppm is None
    assert version.maintenance.notice_days == (10, 15)
    assert version.maintenance.window == (19 * 60, 5 * 60)
    assert version.maintenance.critical_fix == "same_day"
    assert [version.maintenance.in_window(m * 60) for m in (18, 19, 23, 0, 4, 5, 12)] == [
        False, True, True, True, True, False, False,
    ]  # fmt: skip
    assert version.closing.after_resolved_us == 48 * HOUR
    assert not version.closing.confirmation
    assert [version.severity(priority) for priority in PRIORITIES] == [None] * 4


def test_callmyway_s_clocks():
    version = callmyway()
    for kind in ("incident", "request"):
        assert hours(version, kind, "attention") == [1, 1.5, 2, 2]
        assert hours(version, kind, "solution") == [3, 4, 4, 4]


def test_callmyway_s_terms():
    version = callmyway()
    assert version.timezone == "America/Costa_Rica"
    assert version.target_ppm == 999_900
    assert version.downtime_planes == ("signalling", "registration", "call")
    assert version.maintenance is None
    assert version.closing.after_resolved_us is None
    assert version.closing.confirmation
    assert version.compliance.target_percent == 98
    agreed = version.compliance.credits  # three penalties, whose amounts both parties agree on
    assert [one.invoice for one in (agreed.shortfall, agreed.late, agreed.activities)] == [
        "general", "site", "general",
    ]  # fmt: skip
    assert {one.amount for one in (agreed.shortfall, agreed.late, agreed.activities)} == {None}
    assert [version.severity(priority) for priority in PRIORITIES] == ["S1", "S2", "S3", "S4"]
    assert [version.priority_named(word) for word in ("S1", "s4", "urgente", "S5")] == [
        "Urgente", "Baja", "Urgente", None,
    ]  # fmt: skip
    assert version.clock("incident", "solution", "Urgente").calendar.always


@pytest.mark.parametrize(
    ("priority", "opened", "expected"),
    [
        ("Baja", "2026-07-10T17:30-05:00", "2026-07-15T20:30:00.000000Z"),  # Mon 13 is a holiday (Ley 2578 of 2026)
        ("Urgente", "2026-07-09T12:00-05:00", "2026-07-09T19:30:00.000000Z"),  # 14:30, over the midday closing
        ("Urgente", "2026-07-09T11:30-05:00", "2026-07-09T17:30:00.000000Z"),  # 12:30, not 14:00
        ("Urgente", "2026-07-09T13:00-05:00", "2026-07-09T20:00:00.000000Z"),  # opened while closed
        ("Urgente", "2026-07-09T17:00-05:00", "2026-07-09T23:00:00.000000Z"),  # 18:00, not the next morning
        ("Urgente", "2026-07-18T03:00-05:00", "2026-07-21T13:30:00.000000Z"),  # Saturday; Mon 20 July is a holiday
        ("Urgente", "2026-07-25T03:00-05:00", "2026-07-27T13:30:00.000000Z"),  # Saturday → Monday 08:30
        ("Alta", "2026-12-24T16:00-05:00", "2026-12-28T16:30:00.000000Z"),  # Christmas, then a week-end; 2 h + 4 h
        ("Normal", "2026-07-06T07:30-05:00", "2026-07-07T13:30:00.000000Z"),  # 9 h a day: 1 h on the second
    ],
)
def test_wekall_s_golden_dates(priority, opened, expected):
    assert due(wekall(), "incident", "attention", priority, opened) == expected


def test_callmyway_s_clocks_run_day_and_night():
    assert (
        due(callmyway(), "incident", "solution", "Urgente", "2026-12-25T23:00-06:00") == "2026-12-26T08:00:00.000000Z"
    )
    assert due(callmyway(), "incident", "attention", "Alta", "2026-12-25T23:00-06:00") == "2026-12-26T06:30:00.000000Z"


def test_the_call_centre_s_hours():
    calendar = callmyway().calendar("call_centre")
    for moment, is_open in (
        ("2026-07-10T06:00-06:00", True), ("2026-07-10T20:59-06:00", True), ("2026-07-10T21:00-06:00", False),
        ("2026-07-11T06:59-06:00", False), ("2026-07-11T07:00-06:00", True), ("2026-07-12T17:00-06:00", False),
    ):  # fmt: skip
        assert calendar.is_open(parse_instant(moment)) is is_open, moment


def test_versions_come_into_force_at_local_midnight(tmp_path):
    text = """
contract: mine
versions:
- &v
  effective: 2026-01-01
  timezone: America/Bogota
  availability: {target_ppm: 999900}
  maintenance: null
  calendars: {always: 24x7}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  clocks: {incident: {solution: {calendar: always, Urgente: 3h}}}
  closing: {confirmation: true}
- {<<: *v, effective: 2026-07-01, availability: {target_ppm: 999990}}
"""
    (tmp_path / "mine.yaml").write_text(text)
    contract = load_contract(tmp_path / "mine.yaml")
    assert contract.at(parse_instant("2026-07-01T04:59:59.999999Z")).target_ppm == 999_900
    assert contract.at(parse_instant("2026-07-01T05:00Z")).target_ppm == 999_990
    assert contract.in_force(parse_instant("2026-01-01T04:59Z")) is None
    assert contract.at(parse_instant("2025-01-01T00:00Z")).target_ppm == 999_900
    version = contract.versions[0]
    assert version.clock("incident", "solution", "Baja") is None
    assert version.clock("incident", "attention", "Urgente") is None
    assert version.clock("request", "solution", "Urgente") is None
    with pytest.raises(ValueError, match="no 'solution' clock of 'problem'"):
        version.clock("problem", "solution", "Urgente")
    assert load_contract("mine", beside=tmp_path) == contract
    assert load_contract("mine", beside=tmp_path / "topology.yaml") == contract


def test_a_contract_that_is_nowhere():
    with pytest.raises(ConfigError) as caught:
        load_contract("wekal")
    assert str(caught.value) == (
        "wekal: no contract named wekal; shipped are callmyway and wekall (did you mean wekall?), or give a file"
    )
