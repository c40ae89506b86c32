"""Threshold alarms: results in, what they make true or false out (docs/measures.md). Pure."""

from collector.thresholds.engine import Thresholds

__all__ = ["Thresholds"]
