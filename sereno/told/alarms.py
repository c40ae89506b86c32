"""Alarms, where they hold, and silences: the shape of `alarms list --json`."""

from typing import Any, NamedTuple

from sereno.alarms import Alarm, Alarms, ThresholdAlarm
from sereno.alarms.describe import watches
from sereno.alarms.held import Holding
from sereno.alarms.silence import Silence
from sereno.clock import iso


class Scene(NamedTuple):
    """The alarms in use and what the store knows; `holding` is None where there is no store."""

    alarms: Alarms
    holding: list[Holding] | None
    silences: list[Silence]
    at_us: int
    zone: str = "UTC"  # of the service


def as_json(found: Scene, *, now: bool) -> dict[str, Any]:
    """Everything, by alarm."""
    rows = [alarm_json(found, name, alarm) for name, alarm in found.alarms.alarms.items()]
    return {
        "at": iso(found.at_us),
        "alarms": [row for row in rows if row["holding"]] if now else rows,
        "silences": [silence_json(one, found.at_us) for one in found.silences],
        "silenced_service_down": [
            one.name for one in found.holding or () if one.silence and one.holds and one.alarm == "service_down"
        ],
    }


def alarm_json(found: Scene, name: str, alarm: Alarm) -> dict[str, Any]:
    """One alarm: its declaration and where it holds; `holding` is null where there is no store."""
    spanish, english = alarm.told("es"), alarm.told("en")
    held = None if found.holding is None else [_held_json(one) for one in found.holding if one.alarm == name]
    return {
        "alarm": name,
        "type": "threshold" if isinstance(alarm, ThresholdAlarm) else "verdict",
        "kinds": list(alarm.kinds),
        "what": alarm.what,
        "fires_when": watches(alarm),
        "for_seconds": alarm.for_us / 1e6,
        "clear_seconds": alarm.clear_us / 1e6,
        "urgency": alarm.urgency,
        "impact": alarm.impact,
        "page": alarm.page,
        "class": alarm.class_,
        "meaning": spanish.meaning,
        "first_step": spanish.first_step,
        "runbook": list(spanish.runbook),
        "english": {
            "meaning": english.meaning, "first_step": english.first_step, "runbook": list(english.runbook),
        },
        "holding": held,
    }  # fmt: skip


def _held_json(one: Holding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "phase": one.phase,
        "since": iso(one.since_us),
        "reason": one.reason,
        "flapping": one.flapping,
        "incident": one.incident,
        "silence": None if one.silence is None else one.silence.id,
    }


def silence_json(one: Silence, at_us: int) -> dict[str, Any]:
    """One silence."""
    return {
        "id": one.id,
        "alarm": one.alarm,
        "kind": one.kind,
        "name": one.name,
        "from": iso(one.from_us),
        "to": iso(one.to_us),
        "why": one.why,
        "who": one.who,
        "recorded": iso(one.recorded_us),
        "cancelled": None if one.cancelled_us is None else iso(one.cancelled_us),
        "in_force": one.holds(at_us),
    }
