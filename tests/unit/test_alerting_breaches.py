"""Promises about to be broken, and broken: told once, in time, to those whose it is; also over a restart."""

from pathlib import Path

import msgspec
import pytest
from alerting_bench import DESK, T0, TOPOLOGY, Bench, S, seconds

from alerting.desk import DeskSnapshot
from sereno.compliance import Scope, monthly
from sereno.contract import load_contract
from sereno.incident import decode_record, encode_record

A = ("sbc-1/core-a", "sbc-2/core-a")
HOUR = 3_600
WHOLE = {
    "title": "sin tono", "reporter": "eva", "extension": "101", "direction": "saliente", "counterpart": "5551234",
    "occurred": "2026-07-11T07:59:00Z", "description": "no sale",
}  # fmt: skip
BREACHES = ("breach_warning", "breached")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def core_a_dies(bench: Bench) -> float:
    """Alta for acme (callmyway: 1 h 30 and 4 h); when it was opened."""
    bench.down(2.0, A[0], since=0)
    bench.down(2.8, A[1], "core-a", since=0)
    bench.say(2.8, "site", "p", "degraded", since=0)
    bench.say(2.8, "service", "voz", "degraded", since=0)
    bench.tick(10)
    return seconds(bench.one().opened_us)


def told(bench: Bench, number: int = 1) -> list[tuple[str, float, str]]:
    return [
        (one.what, round(seconds(one.at_us), 3), one.to)
        for one in bench.told() if one.what in BREACHES and one.incident == number
    ]  # fmt: skip


def through_the_store(bench: Bench) -> None:
    """The process died; another one reads what was committed."""
    snapshot = bench.desk.snapshot()
    records = tuple(decode_record(encode_record(one), one.timeline) for one in snapshot.incidents)
    stored = msgspec.json.decode(msgspec.json.encode(snapshot), type=DeskSnapshot)
    bench.desk = bench.make()
    bench.desk.restore(msgspec.structs.replace(stored, incidents=records))


def test_warned_at_three_quarters_and_told_of_the_breach(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.act(100, "ack")
    bench.tick(5 * HOUR)
    assert told(bench) == [("breach_warning", opened + 3 * HOUR, "ana"), ("breached", opened + 4 * HOUR, "ana")]
    clock = next(one for one in bench.one().clocks if one.clock == "solution")
    assert (clock.state, seconds(clock.warned_us)) == ("missed", opened + 3 * HOUR)
    lines = [(line.what, seconds(line.at_us)) for line in bench.one().timeline if line.what.startswith("plazo")]
    assert lines == [
        ("plazo por vencer: solución de acme, vence sáb 11 jul 2026, 06:00:04 -06:00", opened + 3 * HOUR),
        ("plazo incumplido: solución de acme", opened + 4 * HOUR + 1e-6),
    ]


def test_attention_that_nobody_gave_is_warned_and_missed_too_and_pages_nobody(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.tick(2 * HOUR)
    found = [(what, at) for what, at, _ in dict.fromkeys(told(bench))]
    assert list(dict.fromkeys(found)) == [
        ("breach_warning", opened + 1.125 * HOUR), ("breached", opened + 1.5 * HOUR),
    ]  # fmt: skip
    assert not any(one.page for one in bench.told() if one.what in BREACHES)


def test_who_has_it_hears_of_it(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.act(100, "assign", to="leo")
    bench.act(101, "ack")
    bench.tick(3.5 * HOUR)
    assert ("breach_warning", opened + 3 * HOUR, "leo") in told(bench)


def test_where_it_has_been_escalated_to_hears_of_it(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.tick(1.2 * HOUR)
    warned_at = opened + 1.125 * HOUR
    last = [one.to for one in bench.pages() if seconds(one.at_us) <= warned_at][-1]
    assert last in [to for what, at, to in told(bench) if (what, at) == ("breach_warning", warned_at)]
    bench.act(1.21 * HOUR, "ack")  # by ana, and leo was the last level
    bench.tick(3.5 * HOUR)
    assert {to for what, at, to in told(bench) if at == opened + 3 * HOUR} == {"ana", "leo"}


def test_said_once_over_restarts_between_any_two_seconds(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.act(100, "ack")
    for moment in (2.9 * HOUR, opened + 3 * HOUR, opened + 3 * HOUR + 1, 3.9 * HOUR, opened + 4 * HOUR, 4.1 * HOUR):
        bench.tick(moment)
        through_the_store(bench)
    bench.tick(9 * HOUR)
    assert [what for what, _, _ in told(bench)] == ["breach_warning", "breached"]


def test_what_fell_due_while_everything_was_off_is_caught_up_in_order(bench: Bench) -> None:
    opened = core_a_dies(bench)
    bench.act(100, "ack")
    through_the_store(bench)
    bench.desk.escalation.horizon_us = T0 + 10 * HOUR * S
    bench.tick(10 * HOUR)
    lines = [(line.what[:16], seconds(line.at_us)) for line in bench.one().timeline if line.what.startswith("plazo")]
    assert lines == [("plazo por vencer", opened + 3 * HOUR), ("plazo incumplido", opened + 4 * HOUR + 1e-6)]
    assert [what for what, _, _ in told(bench)] == ["breached"]  # a warning of what is broken already helps nobody


def test_what_is_solved_in_time_warns_nobody(bench: Bench) -> None:
    core_a_dies(bench)
    bench.act(100, "ack")
    bench.up(2 * HOUR, *A, "core-a", since=2 * HOUR - 1)
    bench.say(2 * HOUR, "site", "p", "up", since=2 * HOUR - 1)
    bench.say(2 * HOUR, "service", "voz", "up", since=2 * HOUR - 1)
    bench.tick(9 * HOUR)
    assert told(bench) == []
    assert {clock.state for clock in bench.one().clocks} == {"met"}


def test_a_pause_stops_the_warning_and_the_clock(bench: Bench) -> None:
    bench.act(0, "incident.open", customer="acme", priority="Alta", **WHOLE)
    bench.act(60, "ack")
    bench.act(2 * HOUR, "pause", note="¿desde qué equipo?")
    bench.tick(20 * HOUR)
    assert told(bench) == []
    bench.act(20 * HOUR, "resume")
    bench.tick(30 * HOUR)
    assert [(what, at) for what, at, _ in told(bench)] == [("breach_warning", 21 * HOUR), ("breached", 22 * HOUR)]


def test_the_report_of_callmyway_starts_attention_when_complete_and_wekall_s_at_once(bench: Bench) -> None:
    half = {"reporter": "eva", "description": "no sale", "title": "sin tono", "priority": "Alta"}
    bench.act(0, "incident.open", 1, customer="acme", **half)
    bench.act(0, "incident.open", 2, customer="beta", **half)
    acme, beta = bench.incidents()
    assert [one.clock for one in acme.clocks] == ["solution"]
    assert [one.clock for one in beta.clocks] == ["attention"]
    bench.act(HOUR, "incident.update", 1, extension="101", direction="saliente", counterpart="5551234",
              occurred="2026-07-11T07:59:00Z")  # fmt: skip
    found = {one.clock: seconds(one.due_us) for one in bench.incidents()[0].clocks}
    assert found == {"solution": 4 * HOUR, "attention": 2.5 * HOUR}


def test_a_person_s_priority_recounts_from_the_opening_and_development_redates(bench: Bench) -> None:
    bench.act(0, "incident.open", customer="acme", priority="Normal", **WHOLE)
    bench.act(HOUR, "incident.priority", priority="Urgente")
    found = {one.clock: (one.priority, seconds(one.due_us)) for one in bench.one().clocks}
    assert found == {"attention": ("Urgente", HOUR), "solution": ("Urgente", 3 * HOUR)}
    bench.act(1.5 * HOUR, "incident.ack")
    bench.act(2 * HOUR, "incident.redate", due="2026-07-20T12:00:00-06:00", reason="pasa a desarrollo")
    attention, solution = bench.one().clocks
    assert (attention.state, solution.state, solution.agreed) == ("missed", "running", True)
    bench.tick(9 * 86_400 + 9 * HOUR)
    assert {what for what, at, _ in told(bench) if at > 2 * HOUR} == {"breach_warning"}


def test_a_merge_by_people_keeps_the_earlier_promise(bench: Bench) -> None:
    fields = {**WHOLE, "customer": "acme", "priority": "Normal"}
    bench.act(0, "incident.open", 1, **fields)
    bench.act(HOUR, "incident.open", 2, **fields)
    bench.act(1.1 * HOUR, "incident.ack", 2)
    bench.act(1.2 * HOUR, "incident.merge", 1, into=2)
    gone, stays = bench.incidents()
    assert [(one.clock, one.state) for one in gone.clocks] == [("attention", "met")]
    assert [(one.clock, one.state, seconds(one.due_us)) for one in stays.clocks] == [
        ("attention", "met", 3 * HOUR), ("solution", "running", 4 * HOUR),
    ]  # fmt: skip


def test_a_core_that_flaps_raises_no_compliance(bench: Bench) -> None:
    """Scenario 24: ten outages, one incident, one case by each clock; and nobody worked on it."""
    for turn in range(10):
        begin = 60.0 * turn
        bench.down(begin + 2, *A, "core-a", since=begin)
        bench.say(begin + 2, "site", "p", "degraded", since=begin)
        bench.say(begin + 2, "service", "voz", "degraded", since=begin)
        bench.up(begin + 31, *A, "core-a", since=begin + 30)
        bench.say(begin + 31, "site", "p", "up", since=begin + 30)
        bench.say(begin + 31, "service", "voz", "up", since=begin + 30)
    bench.tick(6 * HOUR)
    assert bench.one().state == "resolved"
    found = monthly(bench.incidents(), load_contract("callmyway"), Scope("acme"), 2026, 7, T0 + 40 * 86_400 * S)
    assert (found.tally.total, found.verdict) == (0, "no_cases")
    assert [case.clock for case in found.alone] == ["attention", "solution"]
    bench.act(6 * HOUR, "note", note="se reinició el conmutador")  # a word afterwards is no work
    found = monthly(bench.incidents(), load_contract("callmyway"), Scope("acme"), 2026, 7, T0 + 40 * 86_400 * S)
    assert found.tally.total == 0


def test_a_customer_and_a_contract_that_are_gone_stop_no_desk(tmp_path: Path) -> None:
    """The topology in force is another one by now; what was promised before is still owed, by the same dates."""
    bench = Bench(tmp_path)
    bench.act(0, "incident.open", customer="acme", priority="Alta", **WHOLE)
    dues = [one.due_us for one in bench.one().clocks]
    later = TOPOLOGY.replace("acme: {name: Acme, contract: callmyway}", "").replace("customer: acme", "customer: beta")
    other = Bench(tmp_path, topology_text=later, desk_text=DESK.replace("callmyway", "wekall"), contracts=("wekall",))
    other.desk.restore(bench.desk.snapshot())
    other.act(600, "ack")
    other.act(HOUR, "pause", note="¿desde qué equipo?")
    other.act(2 * HOUR, "resume")
    attention, solution = other.one().clocks
    assert (attention.due_us, attention.state) == (dues[0], "met")
    assert solution.due_us > dues[1]
    other.tick(9 * 86_400)
    assert other.one().clocks[1].state == "missed"


def test_a_contract_that_changes_changes_no_open_ticket(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.act(0, "incident.open", customer="acme", priority="Normal", **WHOLE)
    other = Bench(tmp_path, topology_text=TOPOLOGY.replace("contract: callmyway", "contract: wekall"))
    other.desk.restore(bench.desk.snapshot())
    other.act(HOUR, "incident.priority", priority="Urgente")
    assert [(one.contract, one.clock, seconds(one.due_us)) for one in other.one().clocks] == [
        ("callmyway", "attention", HOUR), ("callmyway", "solution", 3 * HOUR),
    ]  # fmt: skip


def test_without_levels_everybody_hears_of_it_whoever_has_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, desk_text=DESK.partition("levels:")[0])
    bench.act(0, "incident.open", customer="acme", priority="Alta", **WHOLE)
    bench.act(60, "assign", to="somebody whom the desk does not know")
    bench.act(61, "ack")
    bench.tick(3 * HOUR)
    assert told(bench) == [("breach_warning", 3 * HOUR, "ana"), ("breach_warning", 3 * HOUR, "leo")]


def test_everybody_s_breach_is_one_line_and_one_message(tmp_path: Path) -> None:
    customers = "".join(f"  c{place}: {{name: C, contract: callmyway}}\n" for place in range(40))
    sites = "".join(f"  s{place}: {{customer: c{place}, sbcs: [sbc-1, sbc-2]}}\n" for place in range(40))
    text = TOPOLOGY.replace("customers:\n", f"customers:\n{customers}").replace("sites:\n", f"sites:\n{sites}")
    bench = Bench(tmp_path, topology_text=text)
    places = [f"site:s{place}" for place in range(40)]
    bench.down(2.0, *A, "sbc-1/core-b", "sbc-2/core-b", "core-a", "core-b", *places, "site:p", "site:q", "service:voz",
               since=0)  # fmt: skip
    bench.tick(1.01 * HOUR)
    record = bench.one()
    assert len(record.clocks) == 41 * 2 + 1
    lines = [line.what for line in record.timeline if line.what.startswith("plazo")]
    assert [line.partition(":")[0] for line in lines] == ["plazo por vencer", "plazo incumplido"]
    assert lines[1] == "plazo incumplido: atención de c0, c1, c2, c3, c4, c5, c6, c7 +33"
    people = [one.to for one in bench.told("breached")]
    assert people
    assert len(people) == len(set(people))
