"""The alarm machine alone, whatever is said when: it holds while it must and never ends by not knowing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting import machine
from alerting.machine import AlarmState
from sereno.alarms import Alarm, Flapping, parse_alarms
from sereno.verdict import Change

S = 1_000_000
ALARM = (
    "alarms: {{a: {{kind: core, what: verdict, states: [down], for: {wait}s, clear: {clear}s, "
    "class: {class_}}}}}\nflapping: {{falls: {falls}, within: {within}s, calm: {calm}s}}\n"
)
said = st.sampled_from(["down", "down", "up", "degraded", "unknown", "maintenance"])
moves = st.lists(st.tuples(st.sampled_from([0, 1, 3, 10, 29, 31, 70, 400, 1_000]), said), max_size=40)
files = st.fixed_dictionaries({
    "wait": st.sampled_from([0, 5, 30]), "clear": st.sampled_from([0, 30]),
    "class_": st.sampled_from(["service", "monitor"]),
    "falls": st.integers(2, 4), "within": st.sampled_from([60, 900]), "calm": st.sampled_from([20, 300]),
})  # fmt: skip


class Story:
    """One alarm on one element, with all that it was."""

    def __init__(self, file: dict) -> None:
        found = parse_alarms("alarms.yaml", ALARM.format(**file).encode())
        self.alarm: Alarm = found.alarms["a"]
        self.damping: Flapping = found.flapping
        self.state: AlarmState | None = None
        self.now_us = 0
        self.past: list[tuple[int, AlarmState | None]] = []

    def pass_until(self, at_us: int) -> None:
        while self.state is not None and (due := machine.due_us(self.alarm, self.state, self.damping)) is not None:
            if due > at_us:
                break
            assert due >= self.now_us, "time runs back"
            self._become(due, machine.on_time(self.alarm, self.state, due, self.damping))
        self.now_us = at_us

    def say(self, state: str, at_us: int) -> None:
        change = Change(kind="core", name="c", what="verdict", state=state, since_us=at_us - S, at_us=at_us)
        self._become(at_us, machine.on_change("a", self.alarm, self.state, change, self.damping))

    def _become(self, at_us: int, after: AlarmState | None) -> None:
        self.now_us, self.state = at_us, after
        self.past.append((at_us, after))


def held(state: AlarmState | None) -> bool:
    return state is not None and state.held


@settings(max_examples=150, deadline=None)
@given(files, moves)
def test_it_begins_by_what_is_bad_and_ends_by_what_is_good(file: dict, events: list) -> None:
    story, at_us = Story(file), 10 * S
    last = "up"
    for pause, state in events:
        at_us += pause * S
        before = held(story.state)
        story.pass_until(at_us)
        assert held(story.state) <= (before or last == "down"), "nothing but bad news makes it hold"
        if before and not held(story.state):
            assert last in {"up", "degraded"}, "it never ends by not knowing"
        before = held(story.state)
        story.say(state, at_us)
        if state == "down":
            assert story.state is not None
            assert story.state.bad
            assert held(story.state) or story.alarm.for_us > 0
        else:
            assert held(story.state) == before, "one word of good news, or of none, ends nothing"
        last = state
    story.say("up", at_us)
    story.pass_until(at_us + 10_000 * S)
    assert not held(story.state), "it ends once all is well"


@settings(max_examples=150, deadline=None)
@given(files, moves)
def test_it_falls_no_oftener_than_flapping_allows(file: dict, events: list) -> None:
    """However it comes and goes: within the time it is said to be over fewer times than make it flap."""
    story, at_us = Story(file), 10 * S
    for pause, state in events:
        at_us += pause * S
        story.pass_until(at_us)
        story.say(state, at_us)
    story.pass_until(at_us + 10_000 * S)
    ends, since_us = [], None
    for (at, after), (_, before) in zip(story.past[1:], story.past, strict=False):
        if before is not None and before.phase == "clearing" and not held(after):
            ends.append(at)
            calm_us = at - (before.good_since_us or 0)
            assert calm_us >= story.alarm.clear_us
            assert not before.flapping or calm_us >= story.damping.calm_us
        since_us = at if held(after) and not held(before) else since_us
    for first, later in zip(ends, ends[story.damping.falls :], strict=False):
        assert later - first > min(story.damping.within_us, story.damping.calm_us)


@settings(max_examples=100, deadline=None)
@given(files, moves, st.integers(0, 40))
def test_looking_oftener_changes_nothing(file: dict, events: list, steps: int) -> None:
    """Time may be told in pieces: the machine depends on instants, not on how often it is asked."""
    whole, pieces, at_us = Story(file), Story(file), 10 * S
    for pause, state in events:
        for part in range(1, steps % 5 + 1):
            pieces.pass_until(at_us + pause * S * part // (steps % 5 + 1))
        at_us += pause * S
        for story in (whole, pieces):
            story.pass_until(at_us)
            story.say(state, at_us)
    assert whole.state == pieces.state
    assert whole.past == pieces.past
