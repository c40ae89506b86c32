"""What a silenced cause keeps quiet: itself and what it brings, but never that voice is down."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from alerting.causes.model import Key
from alerting.machine import AlarmState
from sereno.alarms import Alarm
from sereno.verdict import VERDICT


def hushed(
    states: Iterable[AlarmState], own: Callable[[AlarmState], bool], silenced: AbstractSet[Key],
    alarms: Mapping[str, Alarm],
) -> bool:  # fmt: skip
    """All that speaks of a cause itself is silenced: what it brings is told only where it takes the voice away."""
    speaking = loud = False
    for state in states:
        if not state.held:
            continue
        mine = own(state)
        down = state.kind in {"service", "site"} and alarms[state.alarm].what == VERDICT
        speaking = speaking or mine
        loud = loud or ((mine or down) and state.key not in silenced)
    return speaking and not loud
