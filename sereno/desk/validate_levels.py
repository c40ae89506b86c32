"""References and rules of `levels:` and `rotas:`; shapes were checked before."""

from collections.abc import Collection, Iterator
from typing import get_args

from sereno.desk.model import Desk
from sereno.desk.people import Level, Loud, Rota, pages_at_once
from sereno.errors import ConfigError
from sereno.yamlfile import Document, Where, is_url


def faults(document: Document, desk: Desk, calendars: Collection[str] | None) -> Iterator[ConfigError]:
    """Every fault; `calendars` are those of the desk's contract, None where that is not known."""
    for name, rota in desk.rotas.items():
        yield from _rota(document, ("rotas", name), rota, desk)
    seen: dict[str, int] = {}
    for index, level in enumerate(desk.levels):
        where = ("levels", index)
        if level.name in seen:
            yield document.fault((*where, "name"), f"{level.name} is two levels", "give each level its own name")
        seen[level.name] = index
        yield from _level(document, where, level, desk, calendars)
    if desk.levels:
        yield from _paging(document, desk)


def _level(
    document: Document, where: Where, level: Level, desk: Desk, calendars: Collection[str] | None
) -> Iterator[ConfigError]:
    for place, name in enumerate(level.people):
        yield from document.named((*where, "people", place), "person", "people", name, desk.people)
    if isinstance(level.calendar, str) and calendars is not None:
        yield from document.named((*where, "calendar"), "calendar", "calendars", level.calendar, calendars)
    if level.rota is not None:
        yield from document.named((*where, "rota"), "rota", "rotas", level.rota, desk.rotas)
    rota = desk.rotas.get(level.rota or "")
    if not level.people and level.rota is None:
        yield document.fault(where, "has nobody on it", "add `people:` or `rota:`")
    elif not level.people and rota is not None and rota.icalendar is not None:
        yield document.fault(
            where, "has nobody on it while its feed names nobody", "add `people:`, who are paged instead"
        )


def _rota(document: Document, where: Where, rota: Rota, desk: Desk) -> Iterator[ConfigError]:
    if (rota.icalendar is None) == (not rota.people):
        which = "nobody on it" if rota.icalendar is None else "people and a feed at once"
        yield document.fault(where, f"has {which}", "write `people:` who take turns, or `icalendar:` FILE or URL")
    for place, name in enumerate(rota.people):
        yield from document.named((*where, "people", place), "person", "people", name, desk.people)
    if rota.timezone is not None:
        yield from document.zone((*where, "timezone"), rota.timezone)
    if rota.turn == "day" and rota.names_a_day:
        yield document.fault(
            (*where, "handover"), "names a day of the week for turns of a day", 'write the time alone, "08:00"'
        )
    if rota.icalendar is not None:
        if "://" in rota.icalendar and not is_url(rota.icalendar, {"http", "https"}):
            yield document.fault((*where, "icalendar"), "is no address of a feed", "write https://HOST/PATH or a file")
        given = document.data["rotas"][where[-1]]
        for key in ("turn", "handover", "start"):
            if key in given:
                yield document.fault((*where, key), "says nothing where a feed says whose turn it is", "remove it")


def _paging(document: Document, desk: Desk) -> Iterator[ConfigError]:
    for priority in get_args(Loud):
        if not any(priority in pages_at_once(place, level.pages) for place, level in enumerate(desk.levels)):
            yield document.fault(
                ("levels",), f"no level is paged at once for {priority}", f"write `pages: [{priority}]`"
            )
