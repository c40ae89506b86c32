"""What root cause speaks of: alarms by key, and groups of them that one cause explains."""

import msgspec

from alerting.machine import AlarmState
from sereno.incident import Element, IncidentClass

Key = tuple[str, str, str]  # alarm, kind, name
RANK = {
    "service": 0, "database": 1, "core": 2, "sbc": 3, "path": 4, "network": 5, "site": 6, "portal": 7, "account": 8,
    "external": 9, "monitor": 10, "probe": 11, "channel": 12,
}  # fmt: skip
"""The larger cause first."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one cause explains."""

    class_: IncidentClass
    cause: Element
    members: tuple[Key, ...]
    elements: tuple[Element, ...] = ()  # the cause's own parts, when it is the sum of them
    topic: str = ""  # a standing matter of the element, apart from its outages
    many: bool = False  # the sum of many alike that failed together, and no verdict of the cause itself
    speakers: frozenset[tuple[str, str]] = frozenset()  # the cause and its parts, by kind and name

    def __post_init__(self) -> None:
        named = {(part.kind, part.name) for part in (self.cause, *self.elements)}
        msgspec.structs.force_setattr(self, "speakers", frozenset(named))

    @property
    def rank(self) -> int:
        return RANK.get(self.cause.kind, len(RANK))

    def own(self, state: AlarmState) -> bool:
        """The alarm speaks of the cause itself (or of its parts), not of something it brought with it."""
        return (state.kind, state.name) in self.speakers
