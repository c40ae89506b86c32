"""What people read, Spanish by default: titles, timeline lines, messages. English ids; the catalogue has the rest."""

from collections.abc import Mapping

from alerting.clocks import heavier
from alerting.machine import AlarmState
from sereno.alarms import Alarm
from sereno.i18n import catalogue
from sereno.incident import Element, IncidentRecord
from sereno.incident.reading import titled
from sereno.incident.titles import TITLES
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

DESK_LANGUAGE = "es"
_LISTED = 8


def say(language: str, message: str, /, **values: object) -> str:
    """A message in a language, with its values."""
    return catalogue("alerting", language.partition("_")[0]).gettext(message).format(**values)


def title(
    topology: Topology, cause: Element, elements: tuple[Element, ...], alarm: Alarm, *, unconfirmed: bool
) -> tuple[str, dict[str, str]]:
    """The English id of an incident's title, and its values; `unconfirmed`: the path's core may be down, or not."""
    what = alarm.what
    if cause.kind == "path" and what == VERDICT and unconfirmed:
        return "Path {name} down; core {core} unconfirmed", {"name": cause.name, "core": cause.name.partition("/")[2]}
    if cause.kind == "service" and what == VERDICT:
        return _service_title(topology, elements)
    if cause.kind == "sbc" and what == VERDICT and elements:
        return "SBC {name}: its edge answers, no path works", {"name": cause.name}
    own = alarm.title or "{name}: {what}"
    return TITLES.get((cause.kind, what), own), {"name": cause.name, "what": what}


def _service_title(topology: Topology, elements: tuple[Element, ...]) -> tuple[str, dict[str, str]]:
    cores = [part.name for part in elements if part.kind == "core"]
    sbcs = [part.name for part in elements if part.kind == "sbc"]
    if len(cores) == len(topology.cores):
        both = "Voice service down: both cores ({names})"
        return both if len(cores) == 2 else "Voice service down: every core ({names})", {"names": _listed(cores)}  # noqa: PLR2004
    if len(sbcs) == len(topology.sbcs):
        return "Voice service down: every SBC ({names})", {"names": _listed(sbcs)}
    if cores or sbcs:
        return "Voice service down: no path works (known so far: {names})", {"names": _listed(cores + sbcs)}
    return "Voice service down: no path answers", {}


def _listed(names: list[str]) -> str:
    """The first of them, and how many more: a title is read on a telephone."""
    more = f" +{len(names) - _LISTED}" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def evidence(language: str, state: AlarmState) -> str | None:
    """One line of what was seen: reason, who answered, with what."""
    facts = state.facts
    parts = []
    if state.reason:
        parts.append(say(language, "reason {reason}", reason=state.reason))
    if facts.get("answered_by"):
        parts.append(say(language, "answered by {who}", who=facts["answered_by"]))
    if facts.get("code"):
        parts.append(say(language, "SIP code {code}", code=facts["code"]))
    planes = facts.get("planes")
    if isinstance(planes, Mapping):
        down = [str(plane) for plane, said in planes.items() if said == "down"]
        if down:
            parts.append(say(language, "planes down: {planes}", planes=", ".join(down)))
    return "; ".join(parts) or None


def subject(record: IncidentRecord, what: str, language: str) -> str:
    """The first line of a notification: it must be enough on a phone's lock screen."""
    return say(language, SUBJECTS[what], number=record.number, priority=grade(record), title=titled(record, language))


SUBJECTS = {
    "opened": "[{priority}] Incident {number}: {title}",
    "promoted": "[{priority}] Incident {number} is worse: {title}",
    "reopened": "[{priority}] Incident {number} again: {title}",
    "repaged": "[{priority}] Incident {number} still waits for an answer: {title}",
    "escalated": "[{priority}] Incident {number} escalated to you: {title}",
    "acknowledged": "[{priority}] Incident {number} acknowledged: {title}",
    "assigned": "[{priority}] Incident {number} is yours: {title}",
    "answered": "[{priority}] Incident {number}, the customer answered: {title}",
    "audit": "[{priority}] Incident {number}, a step did not happen: {title}",
    "resolved": "[resolved] Incident {number}: {title}",
    "found_late": "[found late, over] Incident {number}: {title}",
    "breach_warning": "[{priority}] Incident {number}, time is running out: {title}",
    "breached": "[{priority}] Incident {number}, overdue: {title}",
}


def grade(record: IncidentRecord) -> str:
    """`Urgente S1`."""
    return f"{record.priority} {record.severity}" if record.severity else record.priority


def news(before: IncidentRecord, after: IncidentRecord, *, fresh: bool) -> str | None:
    """The timeline's words for what changed; None for what is no news (a symptom more or less)."""
    values = {"title": after.title, "grade": grade(after)}
    if fresh:
        return say(DESK_LANGUAGE, "opened: {title} ({grade})", **values)
    if heavier(after.priority, before.priority):
        return say(DESK_LANGUAGE, "promoted: {title} ({grade})", **values)
    if heavier(before.priority, after.priority):
        return say(DESK_LANGUAGE, "eased: {title} ({grade})", **values)
    if after.cause != before.cause or after.title != before.title:
        return say(DESK_LANGUAGE, "cause now: {title} ({grade})", **values)
    return None
