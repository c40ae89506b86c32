"""What is kept in the desk's language, as a reader of another one sees it: the title and the evidence."""

import functools
import re

from sereno.i18n import catalogue
from sereno.incident.record import IncidentRecord

_ROOM = "alerting"  # whose words they are
_KEPT_IN = "es"
_PARTS = (
    "reason {reason}", "answered by {who}", "SIP code {code}", "planes down: {planes}", "guide: {url}", "seen at {url}",
    "Alertmanager left {count} more out", "gravity not known: {label}; taken as Normal",
)  # fmt: skip
_BETWEEN = "; "


def titled(record: IncidentRecord, language: str) -> str:
    """The title in a language."""
    if not record.title_id:
        return record.title
    return catalogue(_ROOM, _short(language)).gettext(record.title_id).format(**record.title_values)


def witnessed(record: IncidentRecord, language: str) -> str:
    """The evidence in a language: our own words of it; what others wrote (an alert's text) stays as it is."""
    kept = record.evidence or ""
    if _short(language) == _KEPT_IN:
        return kept
    said = catalogue(_ROOM, _short(language))
    for message, pattern in _patterns():
        kept = pattern.sub(functools.partial(_said, said.gettext(message)), kept)
    return kept


def _said(message: str, found: re.Match[str]) -> str:
    return message.format(**found.groupdict())


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """How each part looks as it is kept; a part ends where the next one begins."""
    desk = catalogue(_ROOM, _KEPT_IN)
    return tuple((message, _pattern(desk.gettext(message))) for message in _PARTS)


def _pattern(kept: str) -> re.Pattern[str]:
    found = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^;]*)", re.escape(kept))
    return re.compile(rf"(?:(?<=^)|(?<={re.escape(_BETWEEN)})){found}(?={re.escape(_BETWEEN)}|$)")


def _short(language: str) -> str:
    return language.partition("_")[0]
