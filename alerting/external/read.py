"""What an alert says, pure: its cause's name, the element of ours that it speaks of, how grave it is.

Alerts of one rule in one of Alertmanager's groups are one cause: it holds while any of them fires.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from sereno.alarms import Alarms
from sereno.alertmanager import Status, Told
from sereno.desk.inbound import Alerts, Gravity, Impact, Urgency
from sereno.incident import Element
from sereno.topology.model import Topology
from sereno.verdict import Change

WHAT = "external_alert"
KIND = "external"
LONGEST_NAME = 140  # what the store keeps of an element's name
LISTED = 20  # alerts of a cause that are named one by one
_TITLES = ("summary", "title", "message")
_TEXTS = ("description", "message", "summary")
_GUIDES = ("runbook_url", "runbook", "dashboard_url")
_OURS = ("alarm", "kind", "element")
_NAMED_BY_US = frozenset({"monitor", "channel", "account", "network"})  # no section of the topology names them all
_NORMAL = Gravity(urgency="medio", impact="departamento")
_ALTA = Gravity(urgency="alto", impact="departamento")
_BAJA = Gravity(urgency="bajo", impact="departamento")
_URGENTE = Gravity(urgency="alto", impact="organizacion")
SHIPPED: dict[str, Gravity] = {  # folded; a page of Prometheus' world is worth waking somebody, not everybody
    **dict.fromkeys(("urgente", "s1", "p1", "emergency", "disaster"), _URGENTE),
    **dict.fromkeys(("alta", "s2", "p2", "critical", "page", "high", "crit", "alert"), _ALTA),
    **dict.fromkeys(("normal", "s3", "p3", "error", "major", "average", "medium", "warning", "warn"), _NORMAL),
    **dict.fromkeys(("baja", "s4", "p4", "minor", "info", "low", "notice", "none"), _BAJA),
}
_URGENCIES: tuple[Urgency, ...] = ("alto", "medio", "bajo")
_IMPACTS: tuple[Impact, ...] = ("organizacion", "departamento", "individual")


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that fires, or the last one that did: what is kept of it."""

    told: Told
    status: Status
    since_us: int


class Reading:
    """How this desk reads labels: by its topology, its alarms and its own words for gravity."""

    def __init__(self, topology: Topology, alarms: Alarms, alerts: Alerts) -> None:
        self._topology, self._alarms = topology, alarms
        self._labels = alerts.labels
        self._gravity = {**SHIPPED, **{word.casefold(): gravity for word, gravity in alerts.gravity.items()}}
        self._known = {
            "service": {topology.service}, "core": set(topology.cores), "sbc": set(topology.sbcs),
            "path": {path.name for path in topology.paths()}, "site": set(topology.sites),
            "probe": set(topology.probes), "portal": set(topology.portals), "database": set(topology.databases),
        }  # fmt: skip

    def element(self, labels: Mapping[str, str]) -> Element | None:
        """The element of ours: by `kind` and `element`, else by labels named as our metrics name them."""
        kind, name = labels.get("kind", ""), labels.get("element", "")
        if name in self._known.get(kind, ()) or (name and kind in _NAMED_BY_US and self.alarm(labels) is not None):
            return Element(kind, name)
        path = f"{labels.get('sbc')}/{labels.get('core')}"
        if path in self._known["path"]:
            return Element("path", path)
        for kind in ("sbc", "core", "site", "portal", "database"):
            if labels.get(kind) in self._known[kind]:
                return Element(kind, labels[kind])
        return None

    def alarm(self, labels: Mapping[str, str]) -> str | None:
        """The alarm of ours that this one repeats: Prometheus evaluates the rules that we render."""
        name = labels.get("alarm", "")
        return name if name in self._alarms.alarms else None

    def is_monitors(self, labels: Mapping[str, str]) -> bool:
        """It speaks of the monitor itself, which is what reads it."""
        name = self.alarm(labels)
        return name is not None and self._alarms.alarms[name].class_ == "monitor"

    def gravity(self, labels: Mapping[str, str]) -> tuple[Gravity, str | None]:
        """(how grave, the word that nobody knows)."""
        urgency, impact = labels.get("urgency"), labels.get("impact")
        for one in _URGENCIES:
            for other in _IMPACTS:
                if (urgency, impact) == (one, other):
                    return Gravity(urgency=one, impact=other), None
        unknown = None
        for label in self._labels:
            word = labels.get(label)
            if word is None:
                continue
            if (found := self._gravity.get(word.strip().casefold())) is not None:
                return found, None
            unknown = unknown or f"{label}={word}"
        return _NORMAL, unknown


def is_echo_of(reading: Reading, told: Told, known: Callable[[Element], bool]) -> bool:
    """It repeats an alarm of ours: of the monitor, or of an element of which the desk itself knows how it is."""
    element = reading.element(told.labels)
    return reading.is_monitors(told.labels) or (
        element is not None and reading.alarm(told.labels) is not None and known(element)
    )


def named(told: Told, element: Element | None) -> str:
    """The cause's name: the rule, and what Alertmanager groups by; the element where it is one of ours."""
    parts = [told.name]
    if element is not None:
        parts.append(f"{element.kind} {element.name}")
    parts += [f"{key}={value}" for key, value in sorted(told.group.items()) if key not in ("alertname", *_OURS)]
    name = " ".join(" ".join(parts).split()) or "alert"
    if len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9]}…{mark}"


def change_of(name: str, heard: Sequence[Heard], reading: Reading, at_us: int, *, echo: bool = False) -> Change:
    """What is said of a cause: true while any of its alerts fires, with the gravest one's words.

    `echo`: it repeats what the desk itself watches, so it opens nothing and holds nothing open.
    """
    firing = [one for one in heard if one.status == "firing"]
    shown = sorted(firing or heard, key=lambda one: (_weight(reading.gravity(one.told.labels)[0]), one.since_us))
    first = shown[0].told
    gravity, unknown = reading.gravity(first.labels)
    element = reading.element(first.labels) or Element(KIND, name)
    since = min(one.since_us for one in firing) if firing else max(one.since_us for one in heard)
    facts: dict[str, object] = {
        "element": {"kind": element.kind, "name": element.name},
        "urgency": gravity.urgency,
        "impact": gravity.impact,
        "title": _first(first.annotations, _TITLES) or _labelled(first),
        "text": _first(first.annotations, _TEXTS),
        "guide": _first(first.annotations, _GUIDES),
        "link": first.generator,
        "alerts": [_labelled(one.told) for one in shown[:LISTED]],
        "firing": len(firing),
        "truncated": max(one.told.truncated for one in shown),
        "unknown": unknown,
        "echo": echo,
    }
    return Change(
        kind="external", name=name, what=WHAT, state="true" if firing else "false", since_us=min(since, at_us),
        at_us=at_us, facts={key: value for key, value in facts.items() if value},
    )  # fmt: skip


def _weight(gravity: Gravity) -> int:
    return _URGENCIES.index(gravity.urgency) + _IMPACTS.index(gravity.impact)


def _first(annotations: Mapping[str, str], names: Sequence[str]) -> str:
    for name in names:
        if text := " ".join(annotations.get(name, "").split()):
            return text
    return ""


def _labelled(told: Told) -> str:
    """`InstanceDown instance=web-1 job=node`."""
    shown = [f"{key}={value}" for key, value in sorted(told.labels.items()) if key != "alertname"]
    return " ".join([told.name, *shown])[:400]
