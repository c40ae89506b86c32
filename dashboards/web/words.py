"""Sentences that a person reads: built from records, in the reader's language, with its numbers, dates and zones."""

from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal

from dashboards.web.records import Panorama
from sereno.clock import SECOND_US, to_datetime
from sereno.i18n import catalogue

GLYPHS = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "◆"}
_DAY = 86_400
_HOUR = 3_600
_MINUTE = 60


class Words:
    """The words of one language, its numbers and dates as in one country, in one time zone."""

    def __init__(self, language: str, timezone: str, locale: str = "") -> None:
        self.language = language
        self.locale = locale if locale[:2] == language else language
        self.zone = ZoneInfo(timezone)
        self._translations = catalogue("dashboards", language)

    def text(self, message: str, **values: object) -> str:
        """The message in the reader's language, its placeholders filled."""
        found = self._translations.gettext(message)
        return found.format(**values) if values else found

    def state(self, state: str) -> str:
        return self.text(f"state:{state}")

    def reason(self, reason: str | None) -> str:
        """The reason in words; a reason without a translation is shown as it is, never hidden."""
        if not reason:
            return ""
        key = f"reason:{reason}"
        found = self._translations.gettext(key)
        return reason.replace("_", " ") if found == key else found

    def moment(self, at_us: int | None, *, seconds: bool = True) -> str:
        if at_us is None:
            return "—"
        pattern = "d MMM HH:mm:ss" if seconds else "d MMM HH:mm"
        return format_datetime(to_datetime(at_us), pattern, tzinfo=self.zone, locale=self.locale)

    def exactly(self, at_us: int | None) -> str:
        """With milliseconds."""
        if at_us is None:
            return "—"
        return format_datetime(to_datetime(at_us), "d MMM HH:mm:ss.SSS", tzinfo=self.zone, locale=self.locale)

    def day(self, at_us: int) -> str:
        """A local date: `12 nov`."""
        return format_datetime(to_datetime(at_us), "d MMM", tzinfo=self.zone, locale=self.locale)

    def clock(self, at_us: int) -> str:
        """The time of the day: `14:32`."""
        return format_datetime(to_datetime(at_us), "HH:mm", tzinfo=self.zone, locale=self.locale)

    def percent(self, ratio: float | None, digits: int = 3) -> str:
        """A ratio cut and never rounded up: 100 % is only what lost nothing."""
        if ratio is None:
            return "—"
        cut = (Decimal(repr(float(ratio))) * 100).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)
        return format_decimal(cut, format="0." + "#" * digits, locale=self.locale) + " %"

    def number(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return "—"
        return _decimal(round(value, digits), digits, self.locale)

    def milliseconds(self, seconds: float | None) -> str:
        return "—" if seconds is None else f"{self.number(seconds * 1_000, 1)} ms"

    def span(self, microseconds: int) -> str:
        """A duration in its two largest units: `2 h 05 min`, `45 s`."""
        total = max(0, microseconds) // SECOND_US
        if total < _MINUTE:
            return f"{total} s"
        if total < _HOUR:
            return f"{total // _MINUTE} min {total % _MINUTE:02d} s"
        if total < _DAY:
            return f"{total // _HOUR} h {total % _HOUR // _MINUTE:02d} min"
        return f"{total // _DAY} d {total % _DAY // _HOUR:02d} h"

    def names(self, names: Iterable[str]) -> str:
        """`a, b y c`."""
        listed = list(names)
        if len(listed) <= 1:
            return "".join(listed)
        return ", ".join(listed[:-1]) + " " + self.text("and") + " " + listed[-1]

    def some(self, names: Iterable[str], most: int = 6) -> str:
        """The same of the first ones, and how many more there are."""
        listed = list(names)
        if len(listed) <= most:
            return self.names(listed)
        return self.text("{names} and {count} more", names=", ".join(listed[: most - 1]), count=len(listed) - most + 1)


@lru_cache(10_000)
def _decimal(value: float, digits: int, locale: str) -> str:
    """Screens say the same numbers again and again, and Babel takes its time."""
    pattern = "#,##0." + "0" * digits if digits else "#,##0"
    return format_decimal(value, format=pattern, locale=locale)


def sentence(words: Words, page: Panorama) -> str:
    """One sentence: is voice up, and if not wholly, what is not."""
    if not page.collector_alive:
        return words.text("Nobody is watching: the collector has stopped; what stands below is old.")
    maker: Callable[[Words, Panorama], str] = {
        "up": _up,
        "degraded": _degraded,
        "down": _down,
        "maintenance": lambda w, _page: w.text("In maintenance."),
    }.get(page.service.state, _unknown)
    return maker(words, page)


def _up(words: Words, page: Panorama) -> str:
    return words.text("Voice is up on all {count} paths.", count=len(page.paths))


def broken(words: Words, page: Panorama) -> str:
    """The smallest elements that explain what is broken: cores, then SBCs, then the paths left over."""
    cores = [core.name for core in page.cores if core.state == "down"]
    sbcs = [row.name for row in page.rows if row.verdict.state == "down"]
    refusing = [str(f["name"]) for f in page.findings if f["what"] == "core_refusing" and f["name"] not in cores]
    paths = [
        cell.name
        for cell in page.paths
        if cell.verdict.state == "down" and cell.core not in {*cores, *refusing} and cell.sbc not in sbcs
    ]
    said = (
        (cores, "core {names} down", "cores {names} down"),
        (refusing, "core {names} refuses service", "cores {names} refuse service"),
        (sbcs, "SBC {names} down", "SBCs {names} down"),
        (paths, "path {names} down", "paths {names} down"),
    )
    return "; ".join(
        words.text(one if len(names) == 1 else several, names=words.some(names))
        for names, one, several in said
        if names
    )


def _degraded(words: Words, page: Panorama) -> str:
    down_sites = [site.name for site in page.sites if site.state == "down"]
    what = broken(words, page)
    if down_sites:
        head = words.text("Voice down at {names}", names=words.some(down_sites))
    else:
        head = words.text("Voice is up, degraded")
    detail = what or words.reason(page.service.reason)
    return f"{head}: {detail}." if detail else f"{head}."


def _down(words: Words, page: Panorama) -> str:
    what = broken(words, page) or words.reason(page.service.reason)
    head = words.text("Voice is down")
    return f"{head}: {what}." if what else f"{head}."


def _unknown(words: Words, page: Panorama) -> str:
    detail = words.reason(page.service.reason)
    head = words.text("Unknown: there is not enough valid data to say whether voice is up")
    return f"{head} ({detail})." if detail else f"{head}."
