"""What an incident is called: its cause, or the sum of many alike; and the change that came shortly before it."""

from collections import Counter

from alerting import words
from alerting.causes import Group
from alerting.words import say
from sereno.alarms import Alarm
from sereno.incident import Element, PlatformChange
from sereno.incident.titles import TITLES
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

Named = tuple[str, dict[str, str]]  # the English id of a title, and its values

_MANY: dict[tuple[str, str], str] = {
    ("sbc", VERDICT): "{count} SBCs down at once",
    ("core", VERDICT): "{count} cores down at once",
    ("path", VERDICT): "{count} paths down at once",
    ("site", VERDICT): "{count} sites without voice at once",
    ("network", "network_split"): "{count} network splits at once",
    ("portal", VERDICT): "{count} portals down at once",
    ("database", VERDICT): "{count} databases down at once",
}
_ALL_OVER: dict[tuple[str, str], str] = {
    ("service", "register_failing"): "Registrations fail through every SBC",
    ("service", "audio_broken"): "No good audio through any SBC",
    ("service", "mos_bad"): "Calls through every SBC sound bad",
    ("service", "call_failing"): "Calls fail on every path",
    ("core", "call_failing"): "Calls fail on every path of core {name}",
    ("sbc", "call_failing"): "Calls fail on every path of SBC {name}",
}
_LISTED = 4
_CHANGES = {
    "maintenance_began": "announced work on {kind} {name} began",
    "maintenance_ended": "announced work on {kind} {name} ended",
    "isolated": "SBC {name} was isolated",
    "returned": "SBC {name} came back into service",
    "topology": "another topology was taken up",
    "desk": "another desk file was taken up",
    "alarms": "other alarms were taken up",
    "takeover": "another collector took over, or began again",
    "unsilenced": "a silence ended",
    "recorded": "change on {kind} {name}",
}


def title(
    topology: Topology,
    group: Group,
    elements: tuple[Element, ...],
    alarm: Alarm,
    *,
    unconfirmed: bool,
    gone: bool = True,
) -> Named:
    """The English id of an incident's title, and its values; `gone`: an SBC of it does not answer at all."""
    cause, what = group.cause, alarm.what
    if group.many:
        return _many(group, alarm)
    if cause.kind == "service" and what == VERDICT and elements and not gone and all(p.kind == "sbc" for p in elements):
        return "Voice service down: nobody can talk through {names}", {"names": ", ".join(p.name for p in elements)}
    paths = {key[2] for key in group.members if key[1] == "path"}
    if cause.kind == "service" and what == VERDICT and not elements and len(paths) < len(topology.paths()):
        return "Voice service down: no call gets through", {}
    databases = [part.name for part in elements if part.kind == "database"]
    if cause.kind == "service" and what == VERDICT and databases:
        names = {"names": ", ".join(databases)}
        return "Voice service down: every core refuses, database {names} is down", names
    parts = {part.kind for part in elements}
    if parts and cause.kind in {"core", "sbc", "service"} and (cause.kind, what) not in TITLES and what != VERDICT:
        return _all_over(cause, elements, alarm)
    return words.title(topology, cause, elements, alarm, unconfirmed=unconfirmed)


def _all_over(cause: Element, elements: tuple[Element, ...], alarm: Alarm) -> Named:
    if (known := _ALL_OVER.get((cause.kind, alarm.what))) is not None:
        return known, {"name": cause.name}
    if (alike := TITLES.get((elements[0].kind, alarm.what))) is not None:  # of one of them, said of all
        return alike, {"name": _listed(elements)}
    values = {"kind": cause.kind, "name": cause.name, "what": alarm.title or alarm.what}
    return "{kind} {name}, all over: {what}", values


def _listed(elements: tuple[Element, ...]) -> str:
    names = [part.name for part in elements]
    return ", ".join([*names[:_LISTED], *(["…"] if len(names) > _LISTED else [])])


def _many(group: Group, alarm: Alarm) -> Named:
    kind, count = Counter(part.kind for part in group.elements).most_common(1)[0]
    values = {"count": str(count), "name": group.cause.name, "kind": kind, "what": alarm.title or alarm.what}
    alike = TITLES.get((kind, alarm.what))
    if alike is not None and (kind, alarm.what) not in _MANY:
        return alike, {"name": _listed(tuple(part for part in group.elements if part.kind == kind))}
    return _MANY.get((kind, alarm.what), "{count} alike at once ({kind}): {what}"), values


def change_line(language: str, change: PlatformChange) -> str:
    """The change in words, with what a person wrote of it."""
    said = say(language, _CHANGES[change.what], kind=say(language, change.kind), name=change.name)
    text = f"{said}: {change.text}" if change.what in {"recorded", "unsilenced"} and change.text else said
    return f"{text} ({change.who})" if change.who else text
