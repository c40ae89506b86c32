"""Alarms are declared, not programmed: what collector, desk and rules share of `alarms.yaml`."""

from sereno.alarms.load import FILE, load_alarms, parse_alarms, read_alarms
from sereno.alarms.measures import MEASURES, Measure
from sereno.alarms.model import (
    Alarm,
    AlarmKind,
    Alarms,
    Condition,
    Flapping,
    Impact,
    Samples,
    ThresholdAlarm,
    Urgency,
    VerdictAlarm,
)

__all__ = [
    "FILE", "MEASURES", "Alarm", "AlarmKind", "Alarms", "Condition", "Flapping", "Impact", "Measure", "Samples",
    "ThresholdAlarm", "Urgency", "VerdictAlarm", "load_alarms", "parse_alarms", "read_alarms",
]  # fmt: skip
