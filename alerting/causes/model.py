"""What root cause speaks of: alarms by key, and groups of them that one cause explains."""

import msgspec

from alerting.machine import AlarmState
from sereno.incident import Element, IncidentClass

Key = tuple[str, str, str]  # alarm, kind, name
RANK = {"service": 0, "core": 1, "sbc": 2, "path": 3, "network": 4, "site": 5}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one cause explains."""

    class_: IncidentClass
    cause: Element
    members: tuple[Key, ...]
    elements: tuple[Element, ...] = ()  # the cause's own parts, when it is the sum of them

    @property
    def rank(self) -> int:
        return RANK.get(self.cause.kind, 9)

    def own(self, state: AlarmState) -> bool:
        """The alarm speaks of the cause itself (or of its parts), not of something it brought with it."""
        mine = Element(state.kind, state.name)
        return mine == self.cause or mine in self.elements
