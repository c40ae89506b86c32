"""What an alarm means and what to do, as an incident keeps it: in both languages, as it was declared then."""

from sereno.alarms import Alarm
from sereno.incident import Guide

_LANGUAGES = ("es", "en")


def guide(alarm: Alarm) -> dict[str, Guide]:
    """By language; nothing where the alarm's declaration says nothing."""
    found = {}
    for language in _LANGUAGES:
        told = alarm.told(language)
        if any(told):
            found[language] = Guide(meaning=told.meaning, first_step=told.first_step, runbook=told.runbook)
    return found
