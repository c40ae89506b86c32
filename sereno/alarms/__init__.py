"""Alarms are declared, not programmed: what collector, desk and rules share of `alarms.yaml`."""

from sereno.alarms.load import FILE, load_alarms, parse_alarms
from sereno.alarms.model import Alarm, AlarmKind, Alarms, Impact, Urgency

__all__ = ["FILE", "Alarm", "AlarmKind", "Alarms", "Impact", "Urgency", "load_alarms", "parse_alarms"]
