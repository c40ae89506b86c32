"""Instants as people read them, with the year where it is another one and the zone where it could be misread."""

from zoneinfo import ZoneInfo

from babel.dates import format_datetime, get_timezone_name

from dashboards.web.words import Words
from sereno.clock import to_datetime


def moment(words: Words, at_us: int | None, now_us: int, *, zone: str | None = None, seconds: bool = True) -> str:
    """`21 nov 15:00:12`; of another year `21 nov 2025 15:00:12`; in another zone with its name."""
    if at_us is None:
        return "—"
    where = words.zone if zone is None else ZoneInfo(zone)
    at = to_datetime(at_us).astimezone(where)
    year = "" if at.year == to_datetime(now_us).astimezone(where).year else " y"
    said: str = format_datetime(
        at, f"d MMM{year} HH:mm:ss" if seconds else f"d MMM{year} HH:mm", tzinfo=where, locale=words.locale
    )
    return said if zone is None or zone == words.zone.key else f"{said} ({place(words, zone, at_us)})"


def place(words: Words, zone: str, at_us: int) -> str:
    """A zone as people call it, with its offset then: `hora de Colombia, −05:00`."""
    where = ZoneInfo(zone)
    at = to_datetime(at_us).astimezone(where)
    name: str = get_timezone_name(where, width="long", zone_variant="generic", locale=words.locale)
    offset = at.strftime("%z")
    return f"{name}, {offset[:3].replace('-', '−')}:{offset[3:5]}"
