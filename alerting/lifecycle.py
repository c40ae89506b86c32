"""The states of an incident and the moves between them, as one table; everything else is refused with words."""

from typing import NamedTuple

from sereno.errors import SerenoError
from sereno.incident import IncidentRecord, IncidentState


class RefusedError(SerenoError):
    """A command that would be untrue or out of order; `str()` says why, in the operator's language."""

    exit_code = 1


class UnknownIncidentError(SerenoError):
    """No incident has that number."""

    def __init__(self, number: object) -> None:
        super().__init__(f"no hay ningún incidente {number}; «sereno incidents list --all» los enumera")


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
STATE_WORDS = {
    "open": "abierto",
    "acknowledged": "reconocido",
    "in_progress": "en curso",
    "resolved": "resuelto",
    "closed": "cerrado",
    "reopened": "reabierto",
    "merged": "unido a otro",
}
_ACTION_WORDS = {
    "ack": "reconocer",
    "start": "empezar",
    "resolve": "resolver",
    "close": "cerrar",
    "reopen": "reabrir",
    "merge": "unir",
    "split": "separar",
    "update": "completar",
    "priority": "cambiar de prioridad",
    "redate": "dar otra fecha",
    "tell": "avisar al cliente",
    "answer": "recibir respuestas",
    "confirm": "confirmar",
    "survey": "encuestar",
    "assign": "asignar",
    "note": "anotar",
    "pause": "pausar",
    "resume": "reanudar",
}


def move(record: IncidentRecord, action: str) -> IncidentState:
    """The state after the action; RefusedError when the table does not hold it."""
    found = MOVES[action]
    if record.state not in found.sources:
        allowed = ", ".join(STATE_WORDS[state] for state in STATE_WORDS if state in found.sources)
        raise RefusedError(
            f"el incidente {record.number} está {STATE_WORDS[record.state]}: "
            f"no se puede {_ACTION_WORDS[action]} (solo desde {allowed})"
        )
    return found.target or record.state
