"""The alarm machine, pure, one state per alarm × element: (idle) → pending → firing → clearing → (idle).

Nothing here knows of incidents: it turns what is said of an element, and time, into "this alarm holds".
Unknown is neither good nor bad: a pending alarm falls, a firing one stays, a clearing one stops counting.
An alarm that fell too often within a time flaps: it is held until it was good for longer than usual. Counted in time
and not in checks, because elements are looked at at different intervals.
"""

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from sereno.alarms import Alarm, Flapping
from sereno.verdict import Change

Phase = Literal["pending", "firing", "clearing", "idle"]
DAMPING = Flapping()


class AlarmState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of an alarm; of an idle one only that it fell lately."""

    alarm: str
    kind: str
    name: str
    phase: Phase
    bad_since_us: int  # first bad sample of the outage under way
    bad_at_us: int  # when that was decided
    first_since_us: int  # first bad sample since it was last idle
    good_since_us: int | None = None
    good_at_us: int | None = None
    falls: tuple[int, ...] = ()  # when it began to fire, or fell again, lately
    flapping: bool = False
    incident: int | None = None
    reason: str | None = None
    facts: dict[str, Any] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.alarm, self.kind, self.name)

    @property
    def bad(self) -> bool:
        """Bad now, as far as anybody knows."""
        return self.phase in {"pending", "firing"}

    @property
    def held(self) -> bool:
        """It has fired and not cleared."""
        return self.phase in {"firing", "clearing"}


def on_change(
    name: str, alarm: Alarm, state: AlarmState | None, change: Change, damping: Flapping | None = None
) -> AlarmState | None:
    """The state after something was said of the element; None is idle, with nothing to remember."""
    damping = damping or DAMPING
    verdict = alarm.bad(change.state)
    if change.since_us <= 0:  # nobody measured when it began: it began when it was said
        change = replace(change, since_us=change.at_us)
    if verdict:
        return _bad(name, alarm, state, change, damping)
    if state is None or not state.held:
        return _idle(state, change.at_us, damping) if state is not None else None
    if verdict is None:
        return replace(state, phase="firing", good_since_us=None, good_at_us=None)
    if state.phase == "clearing":
        return state
    return replace(
        state, phase="clearing", good_since_us=change.since_us, good_at_us=max(change.at_us, change.since_us)
    )


def _bad(name: str, alarm: Alarm, state: AlarmState | None, change: Change, damping: Flapping) -> AlarmState:
    if state is None or state.phase == "idle":
        begun = AlarmState(
            alarm=name,
            kind=change.kind,
            name=change.name,
            phase="pending",
            bad_since_us=change.since_us,
            bad_at_us=change.at_us,
            first_since_us=change.since_us,
            falls=state.falls if state is not None else (),
            reason=change.reason,
            facts=change.facts,
        )
        return _fallen(begun, change.at_us, damping) if alarm.for_us == 0 else begun
    if state.phase == "clearing":
        state = replace(
            _fallen(state, change.at_us, damping),
            bad_since_us=change.since_us,
            bad_at_us=change.at_us,
            good_since_us=None,
            good_at_us=None,
        )
    return replace(state, reason=change.reason, facts=change.facts)


def _fallen(state: AlarmState, at_us: int, damping: Flapping) -> AlarmState:
    """It fires, once more: so many falls within the time, and it flaps."""
    falls = (*_lately(state.falls, at_us, damping), at_us)[-damping.falls :]
    return replace(
        state, phase="firing", falls=falls, flapping=state.flapping or len(falls) >= damping.falls
    )  # once it flaps it does so until it was calm, however slowly it goes on


def _lately(falls: tuple[int, ...], at_us: int, damping: Flapping) -> tuple[int, ...]:
    return tuple(fall for fall in falls if at_us - fall <= damping.within_us)


def _idle(state: AlarmState, at_us: int, damping: Flapping) -> AlarmState | None:
    """What stays of an alarm that is over: its falls, while they count."""
    falls = _lately(state.falls, at_us, damping)
    if not falls:
        return None
    return AlarmState(
        alarm=state.alarm,
        kind=state.kind,
        name=state.name,
        phase="idle",
        bad_since_us=state.bad_since_us,
        bad_at_us=state.bad_at_us,
        first_since_us=state.first_since_us,
        falls=falls,
    )


def due_us(alarm: Alarm, state: AlarmState, damping: Flapping | None = None) -> int | None:
    """When time alone will change it; None if only news will."""
    if state.phase == "pending":  # a monitor's own fault counts from its last sign of life, not from its being noticed
        return max(
            state.bad_at_us, (state.bad_since_us if alarm.class_ == "monitor" else state.bad_at_us) + alarm.for_us
        )
    if state.phase == "clearing" and state.good_since_us is not None and state.good_at_us is not None:
        calm_us = max(alarm.clear_us, (damping or DAMPING).calm_us) if state.flapping else alarm.clear_us
        return max(state.good_at_us, state.good_since_us + calm_us)
    return None


def on_time(alarm: Alarm, state: AlarmState, now_us: int, damping: Flapping | None = None) -> AlarmState | None:
    """The state once the clock shows `now_us`."""
    damping = damping or DAMPING
    due = due_us(alarm, state, damping)
    if due is None or now_us < due:
        return state
    if state.phase == "pending":
        return _fallen(state, now_us, damping)
    return _idle(state, now_us, damping)


def worth_keeping(state: AlarmState, now_us: int, damping: Flapping) -> bool:
    """An idle state matters only while its falls count."""
    return state.phase != "idle" or bool(_lately(state.falls, now_us, damping))
