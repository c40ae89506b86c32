"""Alerts of other systems, as Alertmanager tells them: what they say of whom, how grave it is, once each."""

from alerting.external.gather import Gathered
from alerting.external.read import Heard, Reading, change_of, named
from alerting.external.take import expire_alerts, take_alerts, unrepeated
from alerting.external.words import alert_evidence, alert_title

__all__ = [
    "Gathered",
    "Heard", "Reading", "alert_evidence", "alert_title", "change_of", "expire_alerts", "named", "take_alerts",
    "unrepeated",
]  # fmt: skip
