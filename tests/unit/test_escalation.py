"""Who is paged and when: levels, time-outs, closed hours, what ends it, and what was due while nobody was there."""

import itertools
from pathlib import Path

import pytest
from alerting_bench import T0, Bench, S, seconds

from alerting.escalation.step import Step, StepChanged

A = ("sbc-1/core-a", "sbc-2/core-a")
B = ("sbc-1/core-b", "sbc-2/core-b")
MINUTE = 60.0
DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people:
  ana: {channels: [hook]}
  leo: {channels: [hook]}
  sol: {channels: [hook]}
levels:
- {name: L1, people: [ana]}
- {name: L2, people: [leo]}
- {name: L3, people: [sol]}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, desk_text=DESK)


def alta(bench: Bench, at: float = 0.0) -> None:
    """core-a down, told 4 s later."""
    bench.down(at + 2.0, *A, "core-a", since=at)
    bench.tick(at + 4.0)


def urgente(bench: Bench) -> None:
    """Everything down, told at once."""
    bench.down(2.0, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=0)
    bench.tick(2.0)


def paged(bench: Bench) -> list[tuple[str, str, float]]:
    return [(one.what, one.to, seconds(one.at_us)) for one in bench.pages()]


def steps(bench: Bench) -> dict[str, Step]:
    return {one.step.key: one.step for one in bench.effects if isinstance(one, StepChanged)}


def lines(bench: Bench) -> list[str]:
    return [entry.what for entry in bench.one().timeline]


def test_alta_climbs_level_by_level_and_begins_again(bench: Bench) -> None:
    alta(bench)
    bench.tick(4 + 56 * MINUTE)
    assert paged(bench) == [
        ("opened", "ana", 4.0),
        ("escalated", "leo", 4.0 + 5 * MINUTE),
        ("escalated", "sol", 4.0 + 20 * MINUTE),
        ("repaged", "ana", 4.0 + 50 * MINUTE),
        ("repaged", "leo", 4.0 + 55 * MINUTE),
    ]


def test_urgente_calls_two_levels_at_once(bench: Bench) -> None:
    urgente(bench)
    bench.tick(2 + 46 * MINUTE)
    assert paged(bench) == [
        ("opened", "ana", 2.0), ("opened", "leo", 2.0), ("repaged", "leo", 2.0 + 5 * MINUTE),
        ("escalated", "sol", 2.0 + 15 * MINUTE), ("repaged", "ana", 2.0 + 45 * MINUTE),
        ("repaged", "leo", 2.0 + 45 * MINUTE),
    ]  # fmt: skip


@pytest.mark.parametrize(("verb", "arguments"), [("ack", {}), ("start", {}), ("assign", {"to": "leo"})])
def test_whoever_takes_it_ends_the_calls(bench: Bench, verb: str, arguments: dict[str, str]) -> None:
    alta(bench)
    bench.act(100, verb, **arguments)
    bench.tick(5 * 3600)
    assert paged(bench) == [("opened", "ana", 4.0)]
    last = steps(bench)["1/0/1"]
    assert (last.state, last.why) == ("cancelled", "assigned" if verb == "assign" else "acknowledged")


def test_what_is_over_calls_nobody(bench: Bench) -> None:
    alta(bench)
    bench.up(200, *A, "core-a", since=200)
    bench.tick(5 * 3600)
    assert paged(bench) == [("opened", "ana", 4.0)]
    assert (steps(bench)["1/0/1"].state, steps(bench)["1/0/1"].why) == ("cancelled", "resolved")
    assert [one.to for one in bench.told("resolved")] == ["ana"]


def test_worse_begins_at_the_first_level_again(bench: Bench) -> None:
    alta(bench)
    bench.tick(4 + 6 * MINUTE)
    bench.down(400, *B, "core-b", "site:p", "site:q", "service:voz", since=399)
    bench.tick(400)
    assert paged(bench)[1:] == [
        ("escalated", "leo", 4.0 + 5 * MINUTE), ("promoted", "ana", 400.0), ("promoted", "leo", 400.0),
    ]  # fmt: skip
    bench.tick(400 + 15 * MINUTE)
    assert paged(bench)[4:] == [("repaged", "leo", 400.0 + 5 * MINUTE), ("escalated", "sol", 400.0 + 15 * MINUTE)]


def test_one_that_is_over_is_told_to_all_who_heard_of_it(bench: Bench) -> None:
    alta(bench)
    bench.tick(4 + 21 * MINUTE)
    bench.up(1300, *A, "core-a", since=1300)
    bench.tick(1500)
    assert [one.to for one in bench.told("resolved")] == ["ana", "leo", "sol"]
    assert not any(one.page for one in bench.told("resolved"))


def test_a_level_that_is_closed_is_passed_over(tmp_path: Path) -> None:
    """T0 is a Saturday, three in the morning."""
    closed = DESK.replace(
        "{name: L1, people: [ana]}", '{name: L1, people: [ana], calendar: {mon-fri: ["08:00-18:00"]}}'
    )
    bench = Bench(tmp_path, desk_text=closed)
    alta(bench)
    bench.tick(4 + 16 * MINUTE)
    assert paged(bench) == [("opened", "leo", 4.0), ("escalated", "sol", 4.0 + 15 * MINUTE)]
    assert "L1 está cerrado a esta hora: se pasa al siguiente" in lines(bench)


def test_when_every_level_is_closed_somebody_is_paged_all_the_same(tmp_path: Path) -> None:
    closed = DESK.replace("]}", '], calendar: {mon-fri: ["08:00-18:00"]}}')
    bench = Bench(tmp_path, desk_text=closed.replace("channels: [hook], calendar", "channels: [hook]} #"))
    alta(bench)
    assert paged(bench) == [("opened", "ana", 4.0)]
    assert "ningún nivel está atendido: se avisa de todos modos" in lines(bench)


def test_without_levels_everybody_is_told_and_nothing_escalates(tmp_path: Path) -> None:
    bench = Bench(tmp_path, desk_text=DESK.partition("levels:")[0])
    alta(bench)
    bench.tick(86_400)
    assert paged(bench) == [("opened", "ana", 4.0), ("opened", "leo", 4.0), ("opened", "sol", 4.0)]


def test_what_pages_nobody_has_no_steps_to_climb(bench: Bench) -> None:
    bench.down(2, A[0], since=0)
    bench.tick(86_400)
    assert bench.one().priority == "Normal"
    assert paged(bench) == []
    assert steps(bench) == {}


def test_the_policy_is_frozen_at_the_opening(tmp_path: Path) -> None:
    bench = Bench(tmp_path, desk_text=DESK)
    alta(bench)
    later = Bench(tmp_path, desk_text=DESK.replace("people: [leo]}", "people: [sol], ack: 1m}"))
    later.desk.restore(bench.desk.snapshot())
    later.tick(4 + 20 * MINUTE)
    assert paged(later) == [("escalated", "leo", 4.0 + 5 * MINUTE), ("escalated", "sol", 4.0 + 20 * MINUTE)]


def test_an_old_record_climbs_by_its_lines(bench: Bench) -> None:
    from msgspec.structs import replace

    alta(bench)
    snapshot = bench.desk.snapshot()
    old = tuple(replace(one, rungs=(), told=()) for one in snapshot.incidents)
    bench.desk.restore(replace(snapshot, incidents=old, steps=()))
    bench.tick(4 + 5 * MINUTE)
    assert paged(bench) == [("opened", "ana", 4.0), ("escalated", "leo", 4.0 + 5 * MINUTE)]


def test_nobody_is_called_twice_within_a_minute(tmp_path: Path) -> None:
    quick = DESK.replace("people: [ana]}\n- ", "people: [ana], ack: 10s}\n- ").replace("[leo]", "[ana, leo]")
    bench = Bench(tmp_path, desk_text=quick)
    alta(bench)
    bench.tick(100)
    assert paged(bench) == [("opened", "ana", 4.0), ("escalated", "leo", 14.0)]


def test_a_flap_in_its_quiet_time_calls_nobody_new(bench: Bench) -> None:
    for turn in range(10):
        alta(bench, 60.0 * turn)
        bench.up(60.0 * turn + 25, *A, "core-a", since=60.0 * turn + 24)
    bench.tick(660)
    assert len(bench.pages()) <= 2
    assert len(bench.incidents()) == 1


def test_a_flap_that_stays_down_is_escalated(bench: Bench) -> None:
    for turn in range(5):
        alta(bench, 60.0 * turn)
        bench.up(60.0 * turn + 25, *A, "core-a", since=60.0 * turn + 24)
    alta(bench, 300)
    bench.tick(302 + 5 * MINUTE - 1)
    before = len(bench.pages())
    bench.tick(302 + 5 * MINUTE + 10)
    assert [one.to for one in bench.pages()[before:]] == ["leo"]


# -- what was due while nobody was there -------------------------------------------------------------------------------


def test_missed_steps_are_told_once_to_each_and_written_down(bench: Bench) -> None:
    """Off from minute 1 to hour 3: L2, L3 and L1 again would have been called, some of them several times."""
    alta(bench)
    bench.tick(60)
    bench.desk.escalation.horizon_us = T0 + 3 * 3600 * S
    bench.tick(3 * 3600)
    assert len(paged(bench)) == 1  # whoever took it meanwhile is heard first
    bench.tick(3 * 3600 + 1)
    assert sorted(paged(bench)[1:]) == sorted(("escalated", who, 10_800.25) for who in ("ana", "leo", "sol"))
    assert sum("cuando nadie podía" in line for line in lines(bench)) == 1
    bench.desk.escalation.horizon_us = T0 + 5 * 3600 * S
    done = steps(bench)["1/0/1"]
    assert (done.state, seconds(done.first_due_us), seconds(done.done_us)) == ("done", 304.0, 10_800.25)


def test_a_short_stop_only_delays(bench: Bench) -> None:
    alta(bench)
    bench.desk.escalation.horizon_us = T0 + 10 * 60 * S
    bench.tick(10 * MINUTE + 1)
    assert paged(bench) == [("opened", "ana", 4.0), ("escalated", "leo", 600.25)]
    bench.tick(25 * MINUTE + 1)
    assert paged(bench)[2:] == [("escalated", "sol", 25 * MINUTE + 0.25)]


def test_who_took_it_while_nobody_was_there_is_not_called_over(bench: Bench) -> None:
    alta(bench)
    bench.tick(60)
    bench.desk.escalation.horizon_us = T0 + 3600 * S
    bench.tick(3600)
    bench.act(3600, "ack")
    bench.tick(2 * 3600)
    assert paged(bench) == [("opened", "ana", 4.0)]


def test_an_outage_over_before_anybody_could_hear_of_it_pages_nobody(bench: Bench) -> None:
    bench.desk.escalation.horizon_us = T0 + 3600 * S
    alta(bench)
    bench.up(200, *A, "core-a", since=200)
    bench.tick(3600)
    assert bench.one().state == "resolved"
    assert bench.told() == []


def test_an_outage_heard_of_late_that_goes_on_is_paged_once(bench: Bench) -> None:
    bench.desk.escalation.horizon_us = T0 + 3600 * S
    alta(bench)
    bench.tick(3601)
    assert paged(bench) == [("opened", "ana", 3600.0)]
    bench.tick(3601 + 5 * MINUTE)
    assert paged(bench)[1:] == [("escalated", "leo", 3600 + 5 * MINUTE)]


# -- what keeps it quiet -----------------------------------------------------------------------------------------------


def test_an_isolated_sbc_calls_nobody_until_it_is_healed(bench: Bench) -> None:
    bench.finding(2, "sbc_unreachable_internet", "sbc", "sbc-1", since=0)
    bench.tick(60)
    opened = len(bench.pages())
    bench.finding(100, "sbc_isolated", "sbc", "sbc-1")
    bench.tick(2000)
    assert len(bench.pages()) == opened
    bench.finding(2100, "sbc_isolated", "sbc", "sbc-1", "false")
    bench.tick(2101)
    assert [one.to for one in bench.pages()[opened:]] == ["leo"]


def test_a_page_that_reaches_nobody_goes_to_the_next_level_at_once(bench: Bench) -> None:
    alta(bench)
    said = {"incident": 1, "person": "ana", "key": "k", "reached": False}
    bench.say(70, "channel", "hook", "true", what="page_undelivered", facts=said)
    bench.tick(70)
    assert paged(bench)[1:] == [("escalated", "leo", 70.0)]


def test_rounds_come_ever_more_rarely(bench: Bench) -> None:
    alta(bench)
    bench.tick(6 * 86_400)
    rounds = [seconds(one.at_us) for one in bench.pages() if one.to == "ana"]
    gaps = [(later - earlier) / MINUTE for earlier, later in itertools.pairwise(rounds)]
    assert gaps[:6] == [50, 50, 50, 80, 140, 260]
    assert max(gaps) == 24 * 60 + 20


def test_a_round_that_had_to_wait_a_minute_is_counted_once(tmp_path: Path) -> None:
    quick = DESK.replace("people: [ana]}", "people: [ana], ack: 10s}").partition("- {name: L2")[0]
    bench = Bench(tmp_path, desk_text=quick)
    alta(bench)
    bench.tick(64)
    assert paged(bench) == [("opened", "ana", 4.0), ("repaged", "ana", 64.0)]
    assert [line for line in lines(bench) if "vuelta" in line] == ["desde el primer nivel otra vez, vuelta 2"]


def test_a_stop_of_the_monitors_own_wakes_nobody_if_it_sees_again(bench: Bench) -> None:
    """After a stop it was blind for as long as it was off; what counts is whether it sees soon after its start."""
    bench.desk.escalation.horizon_us = T0 + 120 * S
    bench.finding(2, "monitor_blind", "monitor", "voz", since=0)
    bench.tick(121)
    assert bench.one().class_ == "monitor"
    bench.finding(125, "monitor_blind", "monitor", "voz", "false", since=124)
    bench.tick(600)
    assert bench.told() == []


def test_a_monitor_that_stays_blind_after_its_start_is_paged(bench: Bench) -> None:
    bench.desk.escalation.horizon_us = T0 + 120 * S
    bench.finding(2, "monitor_blind", "monitor", "voz", since=0)
    bench.tick(151)
    assert paged(bench) == [("opened", "ana", 150.0)]


def test_announced_maintenance_holds_the_calls_until_it_overruns(bench: Bench) -> None:
    alta(bench)
    for kind, name in (("core", "core-a"), ("path", A[0]), ("path", A[1])):
        bench.say(60, kind, name, "maintenance")
    bench.tick(1799)
    assert paged(bench) == [("opened", "ana", 4.0)]
    assert steps(bench)["1/0/1"].state == "held"
    assert sum("mantenimiento anunciado" in line for line in lines(bench)) == 1
    bench.down(1800, *A, "core-a", since=1800)  # the window is over, and it is still down
    bench.tick(1800)
    assert paged(bench)[1:] == [("escalated", "leo", 1800.0)]


def test_a_silence_holds_the_calls_until_it_ends(bench: Bench) -> None:
    alta(bench)
    asked = {"kind": "core", "why": "obras", "to_us": T0 + 3600 * S}
    bench.effects += bench.desk.command("silence.add", {**asked, "alarm": None, "name": None}, "ana", T0 + 60 * S)
    for kind in ("path", "site"):
        bench.effects += bench.desk.command("silence.add", {**asked, "kind": kind}, "ana", T0 + 60 * S)
    bench.tick(3599)
    assert paged(bench) == [("opened", "ana", 4.0)]
    bench.tick(3601)
    assert [one[:2] for one in paged(bench)[1:]] == [("escalated", "leo")]


def test_a_level_waits_while_one_of_its_people_can_be_reached(tmp_path: Path) -> None:
    bench = Bench(tmp_path, desk_text=DESK.replace("people: [ana]", "people: [ana, leo]").replace("[leo]}", "[sol]}"))
    alta(bench)
    for at, person in ((70, "ana"), (71, "leo")):
        assert "sol" not in [one.to for one in bench.pages()]
        said = {"incident": 1, "person": person, "key": "k", "reached": False}
        bench.say(at, "channel", "hook", "true", what="page_undelivered", facts=said)
        bench.tick(at)
    assert [one.to for one in bench.pages()] == ["ana", "leo", "sol"]
    assert "no hay cómo llegar a ana, leo: el siguiente nivel no espera" in lines(bench)
