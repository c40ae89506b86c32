"""Small readings of alarms and elements that root cause is made of."""

from collections.abc import Iterable, Mapping

from alerting.machine import AlarmState
from sereno.incident import Element


def attached(state: AlarmState) -> Element | None:
    """The element of ours that somebody else's alert speaks of, by its labels."""
    named = state.facts.get("element")
    if not isinstance(named, Mapping) or not isinstance(named.get("kind"), str) or not named.get("name"):
        return None
    return Element(named["kind"], str(named["name"]))


def mute(state: AlarmState) -> bool:
    """The path's very signalling is down: registrations and calls fail there because of it."""
    planes = state.facts.get("planes")
    return isinstance(planes, Mapping) and planes.get("signalling") == "down"


def first_of_sbc(paths: Iterable[str]) -> dict[str, str]:
    """SBC -> the first of these paths that goes through it."""
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(path.partition("/")[0], path)
    return found


def in_order(parts: Iterable[Element]) -> tuple[Element, ...]:
    return tuple(sorted(parts, key=lambda part: (part.kind, part.name)))
