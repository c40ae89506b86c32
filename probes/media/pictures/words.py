"""Words, numbers and times of pictures and reports, in the reader's language and zone."""

import math
from datetime import UTC, datetime

from babel.dates import LOCALTZ, format_datetime, get_timezone, get_timezone_name
from babel.numbers import format_decimal

from sereno.i18n import catalogue

UNKNOWN = "—"
_LOCALES = {"es": "es_CR", "en": "en_US"}
_MINUTE, _HOUR = 60, 3_600


class Words:
    """One language, one time zone: the machine's own unless told."""

    def __init__(self, language: str, zone: str | None = None) -> None:
        self.language = language
        self._locale = _LOCALES[language]
        self._zone = get_timezone(zone) if zone else LOCALTZ
        self._translations = catalogue("probes", language)

    def text(self, message: str, **values: object) -> str:
        """The message in the reader's language, its placeholders filled."""
        found = self._translations.gettext(message)
        return found.format(**values) if values else found

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None or not math.isfinite(value):
            return UNKNOWN
        return format_decimal(value, format="#,##0" + ("." + "0" * digits if digits else ""), locale=self._locale)

    def brief(self, value: float) -> str:
        """A number on an axis: no more digits than it has."""
        return format_decimal(value, format="#,##0.####", locale=self._locale)

    def milliseconds(self, seconds: float | None, digits: int = 1) -> str:
        return UNKNOWN if seconds is None else f"{self.number(seconds * 1000, digits)}\N{NO-BREAK SPACE}ms"

    def percent(self, ratio: float | None, digits: int = 2) -> str:
        return UNKNOWN if ratio is None else f"{self.number(ratio * 100, digits)}\N{NO-BREAK SPACE}%"

    def moment(self, iso: str) -> str:
        """An ISO 8601 time of a stream, with its date, in the reader's zone."""
        at = datetime.fromisoformat(iso)
        pattern = "d MMM y, HH:mm:ss" if self.language == "es" else "MMM d, y, HH:mm:ss"
        return format_datetime(at, pattern, tzinfo=self._zone, locale=self._locale)

    def now(self, at: datetime | None = None) -> str:
        return self.moment((at or datetime.now(UTC)).isoformat())

    def zone(self, iso: str) -> str:
        """The zone that times are told in: its name, and how far from UTC it was then."""
        at = datetime.fromisoformat(iso).astimezone(self._zone)
        offset = f"UTC{at:%z}"
        return f"{get_timezone_name(at, locale=self._locale)} ({offset[:6]}:{offset[6:8]})"

    def span(self, seconds: float) -> str:
        """A duration: `4,2 s`, `3 min 05 s`, `2 h 05 min`."""
        if seconds < _MINUTE:
            return f"{self.number(seconds, 1)} s"
        whole = round(seconds)
        if whole < _HOUR:
            return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
        return f"{self.number(whole // _HOUR)} h {whole % _HOUR // _MINUTE:02d} min"
