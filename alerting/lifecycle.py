"""The moves between the states of an incident (`sereno.incident.moves`); everything else is refused with words."""

from sereno.errors import SerenoError
from sereno.incident import IncidentRecord, IncidentState
from sereno.incident.moves import MOVES


class RefusedError(SerenoError):
    """A command that would be untrue or out of order; `str()` says why, in the operator's language."""

    exit_code = 1


class UnknownIncidentError(SerenoError):
    """No incident has that number."""

    def __init__(self, number: object) -> None:
        super().__init__(f"no hay ningún incidente {number}; «sereno incidents list --all» los enumera")


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
