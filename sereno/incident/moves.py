"""What may be done to an incident in each of its states, as one table: the desk refuses by it, pages offer by it."""

from typing import NamedTuple

from sereno.incident.record import IncidentState


class Move(NamedTuple):
    """From which states an action may come, and where it leads (None: it stays where it is)."""

    sources: frozenset[str]
    target: IncidentState | None


_ACTIVE = frozenset({"open", "acknowledged", "in_progress", "reopened"})
_LIVING = _ACTIVE | {"resolved", "closed"}
MOVES: dict[str, Move] = {
    "ack": Move(frozenset({"open", "reopened"}), "acknowledged"),
    "start": Move(frozenset({"open", "acknowledged", "reopened"}), "in_progress"),
    "resolve": Move(_ACTIVE, "resolved"),
    "close": Move(frozenset({"resolved"}), "closed"),
    "reopen": Move(frozenset({"resolved", "closed"}), "reopened"),
    "merge": Move(_ACTIVE, "merged"),
    "update": Move(_ACTIVE | {"resolved"}, None),
    "assign": Move(_ACTIVE, None),
    "priority": Move(_ACTIVE, None),
    "split": Move(_ACTIVE, None),
    "pause": Move(frozenset({"acknowledged", "in_progress"}), None),
    "resume": Move(_ACTIVE, None),
    "redate": Move(_ACTIVE, None),
    "note": Move(_LIVING, None),
    "tell": Move(_LIVING, None),
    "answer": Move(_LIVING | {"merged"}, None),
    "confirm": Move(frozenset({"resolved"}), None),  # and closes where nothing else is wanted
    "survey": Move(frozenset({"resolved", "closed"}), None),
}
