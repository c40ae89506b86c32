"""What people read, Spanish by default: titles, timeline lines, messages. English ids; the catalogue has the rest."""

from collections.abc import Mapping

from alerting.clocks import heavier
from alerting.machine import AlarmState
from sereno.clock import iso
from sereno.i18n import catalogue
from sereno.incident import Element, IncidentRecord
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

DESK_LANGUAGE = "es"
TITLES: dict[tuple[str, str], str] = {
    ("core", VERDICT): "Core {name} down",
    ("core", "core_refusing"): "Core {name} refuses registrations and calls",
    ("core", "intermittent"): "Core {name} intermittent on every path",
    ("core", "options_slow"): "Core {name} slow on every path",
    ("sbc", VERDICT): "SBC {name} down",
    ("sbc", "sbc_unreachable_internet"): "SBC {name} unreachable from the Internet",
    ("sbc", "sbc_isolated"): "SBC {name} isolated for hours",
    ("sbc", "failover_broken"): "SBC {name} does not fail over",
    ("sbc", "register_failing"): "Registrations fail through SBC {name}",
    ("sbc", "audio_broken"): "No good audio through SBC {name}",
    ("sbc", "intermittent"): "SBC {name} intermittent on every path",
    ("sbc", "options_slow"): "SBC {name} slow on every path",
    ("path", VERDICT): "Path {name} down",
    ("path", "wrong_core"): "Path {name} answered by another core: not proved",
    ("path", "intermittent"): "Path {name} intermittent",
    ("path", "options_slow"): "Path {name} slow",
    ("path", "call_failing"): "Calls fail on path {name}",
    ("sbc", "steering"): "SBC {name} refuses our forced routes",
    ("site", VERDICT): "Site {name} without voice",
    ("site", "outage_suspected"): "Outage suspected at site {name}: one witness only",
    ("site", "redundancy_lost"): "Site {name} lost its redundancy",
    ("site", "quorum_short"): "Site {name} has too few witnesses",
    ("service", "outage_suspected"): "Outage of the whole service suspected: one witness only",
    ("service", "redundancy_lost"): "The service lost its redundancy",
    ("service", "intermittent"): "Every path intermittent",
    ("service", "options_slow"): "Every path slow",
    ("network", "network_split"): "Network split: {name}",
    ("account", "account_refused"): "Test account {name} refused",
    ("probe", "probe_lost"): "Probe {name} lost",
    ("probe", "canary_fault"): "A canary of probe {name} does not answer",
    ("probe", "clock_off"): "Clock of probe {name} is off",
    ("monitor", "monitor_blind"): "The monitor is blind",
}


def say(language: str, message: str, /, **values: object) -> str:
    """A message in a language, with its values."""
    return catalogue("alerting", language.partition("_")[0]).gettext(message).format(**values)


def title(
    topology: Topology, cause: Element, elements: tuple[Element, ...], what: str, *, unconfirmed: bool
) -> tuple[str, dict[str, str]]:
    """The English id of an incident's title, and its values; `unconfirmed`: the path's core may be down, or not."""
    if cause.kind == "path" and what == VERDICT and unconfirmed:
        return "Path {name} down; core {core} unconfirmed", {"name": cause.name, "core": cause.name.partition("/")[2]}
    if cause.kind == "service" and what == VERDICT:
        return _service_title(topology, elements)
    if cause.kind == "sbc" and what == VERDICT and elements:
        return "SBC {name}: its edge answers, no path works", {"name": cause.name}
    return TITLES.get((cause.kind, what), "{name}: {what}"), {"name": cause.name, "what": what}


def _service_title(topology: Topology, elements: tuple[Element, ...]) -> tuple[str, dict[str, str]]:
    cores = [part.name for part in elements if part.kind == "core"]
    sbcs = [part.name for part in elements if part.kind == "sbc"]
    if len(cores) == len(topology.cores):
        both = "Voice service down: both cores ({names})"
        return both if len(cores) == 2 else "Voice service down: every core ({names})", {"names": ", ".join(cores)}  # noqa: PLR2004
    if len(sbcs) == len(topology.sbcs):
        return "Voice service down: every SBC ({names})", {"names": ", ".join(sbcs)}
    if cores or sbcs:
        return "Voice service down: no path works (known so far: {names})", {"names": ", ".join(cores + sbcs)}
    return "Voice service down: no path answers", {}


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
    "resolved": "[resolved] Incident {number}: {title}",
    "found_late": "[found late, over] Incident {number}: {title}",
    "breach_warning": "[{priority}] Incident {number}, time is running out: {title}",
    "breached": "[{priority}] Incident {number}, overdue: {title}",
}


def grade(record: IncidentRecord) -> str:
    """`Urgente S1`."""
    return f"{record.priority} {record.severity}" if record.severity else record.priority


def titled(record: IncidentRecord, language: str) -> str:
    """The title in a language."""
    return say(language, record.title_id, **record.title_values) if record.title_id else record.title


def body(
    record: IncidentRecord, what: str, language: str, service: str, first_step: str, url: str | None = None
) -> str:
    """The whole message: what, where, since when, how grave, what to do first, what was seen."""
    lines = [subject(record, what, language), ""]
    lines.append(say(language, "Service: {service}", service=service))
    lines.append(say(language, "Cause: {kind} {name}", kind=say(language, record.cause.kind), name=record.cause.name))
    lines.append(say(language, "Since: {since}", since=iso(record.since_us)))
    lines.append(say(language, "Opened: {opened}", opened=iso(record.opened_us)))
    if record.resolved_us is not None:
        lines.append(say(language, "Good again since: {resolved}", resolved=iso(record.resolved_us)))
    if record.customers:
        names = ", ".join(f"{name} ({priority})" for name, priority in record.customers.items())
        lines.append(say(language, "Customers affected: {names}", names=names))
    if record.symptoms:
        names = ", ".join(dict.fromkeys(f"{one.name}" for one in record.symptoms))
        lines.append(say(language, "Also seen: {names}", names=names))
    if record.evidence:
        lines.append(say(language, "Evidence: {evidence}", evidence=record.evidence))
    if what not in {"resolved", "found_late"} and first_step:
        lines += ["", say(language, "First step: {step}", step=first_step)]
    if url:
        lines += ["", say(language, "Incident: {url}", url=url)]
    return "\n".join(lines)


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
