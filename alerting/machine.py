"""The alarm machine, pure, one state per alarm × element: (idle) → pending → firing → clearing → (idle).

Nothing here knows of incidents: it turns what is said of an element, and time, into "this alarm holds".
Unknown is neither good nor bad: a pending alarm falls, a firing one stays, a clearing one stops counting.
"""

from typing import Any, Literal

import msgspec

from sereno.alarms import Alarm
from sereno.verdict import Change

Phase = Literal["pending", "firing", "clearing"]


class AlarmState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of an alarm that is not idle."""

    alarm: str
    kind: str
    name: str
    phase: Phase
    bad_since_us: int  # first bad sample of the outage under way
    bad_at_us: int  # when that was decided
    first_since_us: int  # first bad sample since it was last idle
    good_since_us: int | None = None
    good_at_us: int | None = None
    incident: int | None = None
    reason: str | None = None
    facts: dict[str, Any] = {}

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.alarm, self.kind, self.name)

    @property
    def bad(self) -> bool:
        """Bad now, as far as anybody knows."""
        return self.phase != "clearing"


def on_change(name: str, alarm: Alarm, state: AlarmState | None, change: Change) -> AlarmState | None:
    """The state after something was said of the element; None is idle."""
    verdict = alarm.bad(change.state)
    if change.since_us <= 0:  # nobody measured when it began: it began when it was said
        change = msgspec.structs.replace(change, since_us=change.at_us)
    if verdict is None:
        return _nobody_knows(state)
    if verdict:
        return _bad(name, alarm, state, change)
    if state is None or state.phase == "pending":
        return None
    if state.phase == "clearing":
        return state
    return msgspec.structs.replace(
        state, phase="clearing", good_since_us=change.since_us, good_at_us=max(change.at_us, change.since_us)
    )


def _nobody_knows(state: AlarmState | None) -> AlarmState | None:
    if state is None or state.phase == "pending":
        return None
    return msgspec.structs.replace(state, phase="firing", good_since_us=None, good_at_us=None)


def _bad(name: str, alarm: Alarm, state: AlarmState | None, change: Change) -> AlarmState:
    if state is None:
        return AlarmState(
            alarm=name,
            kind=change.kind,
            name=change.name,
            phase="firing" if alarm.for_us == 0 else "pending",
            bad_since_us=change.since_us,
            bad_at_us=change.at_us,
            first_since_us=change.since_us,
            reason=change.reason,
            facts=change.facts,
        )
    if state.phase == "clearing":
        return msgspec.structs.replace(
            state,
            phase="firing",
            bad_since_us=change.since_us,
            bad_at_us=change.at_us,
            good_since_us=None,
            good_at_us=None,
            reason=change.reason,
            facts=change.facts,
        )
    return msgspec.structs.replace(state, reason=change.reason, facts=change.facts)


def due_us(alarm: Alarm, state: AlarmState) -> int | None:
    """When time alone will change it; None if only news will."""
    if state.phase == "pending":  # a monitor's own fault counts from its last sign of life, not from its being noticed
        return max(
            state.bad_at_us, (state.bad_since_us if alarm.class_ == "monitor" else state.bad_at_us) + alarm.for_us
        )
    if state.phase == "clearing" and state.good_since_us is not None and state.good_at_us is not None:
        return max(state.good_at_us, state.good_since_us + alarm.clear_us)
    return None


def on_time(alarm: Alarm, state: AlarmState, now_us: int) -> AlarmState | None:
    """The state once the clock shows `now_us`."""
    due = due_us(alarm, state)
    if due is None or now_us < due:
        return state
    if state.phase == "pending":
        return msgspec.structs.replace(state, phase="firing")
    return None
