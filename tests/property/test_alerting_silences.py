"""Silences, whatever happens under them: nothing opens, nobody is paged; what still holds at their end speaks."""

from alerting_bench import T0, S, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.causes import View
from alerting.desk import DeskMachine
from alerting.effects import Notification
from sereno.alarms import load_alarms
from sereno.alarms.silence import Silence
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.incident import ACTIVE
from sereno.verdict import VERDICT, Change

CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}
ALARMS = load_alarms()
TOPOLOGY = topology()
KINDS = sorted({kind for alarm in ALARMS.alarms.values() for kind in alarm.kinds})
DESK = parse_desk(
    "desk.yaml",
    b"contract: callmyway\nchannels: {hook: {webhook: 'http://127.0.0.1:1/'}}\npeople: {ana: {channels: [hook]}}\n",
)
LEVELS = parse_desk(
    "desk.yaml",
    b"contract: callmyway\nchannels: {hook: {webhook: 'http://127.0.0.1:1/'}}\n"
    b"people: {ana: {channels: [hook]}, leo: {channels: [hook]}}\n"
    b"levels: [{name: L1, people: [ana]}, {name: L2, people: [leo]}]\n",
)
ELEMENTS = [
    ("service", "voz", VERDICT), ("site", "q", VERDICT), ("core", "core-a", VERDICT), ("sbc", "sbc-1", VERDICT),
    ("path", "sbc-2/core-b", VERDICT), ("sbc", "sbc-2", "register_failing"), ("probe", "bog-1", "probe_lost"),
    ("sbc", "sbc-1", "loss_high"),
]  # fmt: skip
events = st.lists(
    st.tuples(st.sampled_from([0.5, 4.0, 40.0, 200.0]), st.sampled_from(ELEMENTS), st.booleans()),
    min_size=1,
    max_size=25,
)
ENDS_US = T0 + 10_000 * S


def said(element: tuple[str, str, str], at_us: int, *, bad: bool) -> Change:
    kind, name, what = element
    state = ("down" if bad else "up") if what == VERDICT else str(bad).lower()
    return Change(kind=kind, name=name, what=what, state=state, since_us=at_us, at_us=at_us)


def machine(*silences: dict[str, object]) -> DeskMachine:
    desk = DeskMachine(TOPOLOGY, DESK, CONTRACTS, ALARMS)
    desk.tick(T0)
    for asked in silences:
        desk.command("silence.add", {"to_us": ENDS_US, "why": "x", **asked}, "ana", T0)
    return desk


@settings(max_examples=60, deadline=None)
@given(events)
def test_nothing_is_heard_while_all_is_silent_and_what_holds_then_speaks(story: list) -> None:
    silent, loud = machine(*({"kind": kind} for kind in KINDS)), machine()
    now_us = T0
    for pause, element, bad in story:
        now_us += round(pause * S)
        effects = silent.change(said(element, now_us, bad=bad)) + silent.tick(now_us)
        assert not [one for one in effects if isinstance(one, Notification)]
        loud.change(said(element, now_us, bad=bad))
    silent.tick(ENDS_US - S)
    assert silent.incidents() == []
    assert set(silent.states) == set(loud_states(loud)), "a silenced alarm is judged as any other"
    silent.tick(ENDS_US + 60 * S)
    for desk in (silent, loud):
        desk.tick(ENDS_US + 60 * S)
    active = [one for one in silent.incidents() if one.state in ACTIVE]
    assert len(active) == len(silent.incidents()), "what was over while it was silent is never told"
    groups = View(TOPOLOGY, ALARMS, silent.heard()).groups()
    assert {one.cause for one in active} == {group.cause for group in groups}


def loud_states(desk: DeskMachine) -> set[tuple[str, str, str]]:
    desk.tick(ENDS_US - S)
    return set(desk.states)


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from(["core_down", "sbc_down", "register_failing", "path_down"]))
def test_a_silence_of_one_alarm_takes_no_word_from_another(story: list, alarm: str) -> None:
    """An incident that the silenced desk opens is one that the other opens too; none is led by the silenced alarm."""
    silent, now_us = machine({"alarm": alarm}), T0
    for pause, element, bad in story:
        now_us += round(pause * S)
        silent.change(said(element, now_us, bad=bad))
    silent.tick(now_us + 100 * S)
    assert alarm not in {one.alarm for one in silent.incidents()}
    if silent.states and any(state.held and state.alarm == "service_down" for state in silent.states.values()):
        assert any(one.cause.kind == "service" for one in silent.incidents() if one.state in ACTIVE)


@given(st.text(max_size=8), st.text(max_size=8), st.integers(0, 100), st.integers(0, 100))
def test_a_silence_is_for_whom_it_names_and_as_long_as_it_says(pattern: str, name: str, at: int, ends: int) -> None:
    one = Silence(
        id=1, alarm=None, kind="sbc", name=name, from_us=10, to_us=ends, why="x", who="ana", recorded_us=0
    )  # fmt: skip
    assert one.holds(at) == (10 <= at < ends)
    assert not one.matches("a", "core", name)
    if not set(name) & set("*?["):
        assert one.matches("a", "sbc", pattern) == (pattern == name)


def test_an_open_incident_that_is_silenced_calls_nobody_more() -> None:
    """The next level is not called while the cause is silenced, even if what it brought is not; after it, it is."""
    desk = DeskMachine(TOPOLOGY, LEVELS, CONTRACTS, ALARMS)
    effects = []
    for path in ("sbc-1/core-a", "sbc-2/core-a"):
        effects += desk.change(said(("path", path, VERDICT), T0, bad=True))
    effects += desk.change(said(("core", "core-a", VERDICT), T0, bad=True))
    effects += desk.tick(T0 + 60 * S)
    assert [one.to for one in effects if isinstance(one, Notification)] == ["ana"]
    asked = {"alarm": "core_down", "to_us": T0 + 3_600 * S, "why": "x"}
    effects = desk.command("silence.add", asked, "ana", T0 + 60 * S) + desk.tick(T0 + 3_599 * S)
    assert not [one for one in effects if isinstance(one, Notification) and one.page]
    assert desk.incidents()[0].state == "open"
    effects = desk.tick(T0 + 3_700 * S)
    assert "leo" in {one.to for one in effects if isinstance(one, Notification) and one.page}
