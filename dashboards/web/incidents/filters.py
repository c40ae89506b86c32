"""What of the incidents is asked for: everything of it stands in the address, so that it can be sent to somebody."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from sereno.contract.calendar import day_start_us
from sereno.incident import PRIORITIES, STATES, IncidentRecord

CLASSES = ("service", "monitor")
LONGEST = 200  # characters of what is looked for
MOST_PAGES = 10_000
_SEVERAL = ("state", "priority")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing chosen is everything; `from_day` and `to_day` are whole local days of the opening."""

    states: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    class_: str = ""
    customer: str = ""
    site: str = ""
    element: str = ""  # kind:name, or a name alone
    text: str = ""
    from_day: date | None = None
    to_day: date | None = None
    page: int = 1

    @property
    def chosen(self) -> bool:
        """Whether it leaves anything out."""
        return self != Filters(page=self.page)

    def query(self, **changes: Any) -> str:
        """As it stands in an address, with some of it changed."""
        one = msgspec.structs.replace(self, **changes)
        said: list[tuple[str, str]] = [("state", state) for state in one.states]
        said += [("priority", priority) for priority in one.priorities]
        said += [
            ("class", one.class_), ("customer", one.customer), ("site", one.site), ("element", one.element),
            ("text", one.text), ("from", one.from_day.isoformat() if one.from_day else ""),
            ("to", one.to_day.isoformat() if one.to_day else ""), ("page", str(one.page) if one.page > 1 else ""),
        ]  # fmt: skip
        return urlencode([(name, value) for name, value in said if value])

    def window(self, zone: str) -> tuple[int | None, int | None]:
        """[from, to) of the opening."""
        begins = day_start_us(zone, self.from_day) if self.from_day else None
        ends = day_start_us(zone, self.to_day + timedelta(days=1)) if self.to_day else None
        return begins, ends

    def holds(self, record: IncidentRecord, said: str) -> bool:
        """Whether an incident is one of them, beyond what the store picks out; `said` is all that can be looked for."""
        if self.customer and self.customer not in record.customers:
            return False
        if self.site and self.site not in record.sites and ("site", self.site) not in elements_of(record):
            return False
        if self.element and not _about(record, self.element):
            return False
        return all(word in said for word in self.text.casefold().split())


def elements_of(record: IncidentRecord) -> set[tuple[str, str]]:
    """Everything that an incident is about: its cause, the parts and earlier causes, what it brought with it."""
    found = {(record.cause.kind, record.cause.name)}
    found |= {(one.kind, one.name) for one in (*record.elements, *record.causes, *record.absorbed)}
    return found | {(one.kind, one.name) for one in (*record.symptoms, *record.faults)}


def _about(record: IncidentRecord, element: str) -> bool:
    kind, colon, name = element.partition(":")
    if not colon:
        return any(element in (one[1], *one[1].split("/")) for one in elements_of(record))
    return (kind, name) in elements_of(record)


def filters_of(asked: Mapping[str, Any]) -> Filters:
    """What an address asks for; what is no word of ours is left out."""
    several = {name: _several(asked, name) for name in _SEVERAL}
    from_day, to_day = _day(asked.get("from")), _day(asked.get("to"))
    if from_day and to_day and to_day < from_day:
        from_day, to_day = to_day, from_day
    class_ = str(asked.get("class", ""))
    return Filters(
        states=tuple(state for state in STATES if state in several["state"]),
        priorities=tuple(priority for priority in PRIORITIES if priority in several["priority"]),
        class_=class_ if class_ in CLASSES else "",
        customer=_text(asked, "customer"),
        site=_text(asked, "site"),
        element=_text(asked, "element"),
        text=_text(asked, "text"),
        from_day=from_day,
        to_day=to_day,
        page=_page(asked.get("page")),
    )


def _text(asked: Mapping[str, Any], name: str) -> str:
    return str(asked.get(name, "")).replace("\x00", "").strip()[:LONGEST]


def _several(asked: Mapping[str, Any], name: str) -> set[str]:
    given = asked.getlist(name) if hasattr(asked, "getlist") else [asked.get(name, "")]
    return {part for one in given for part in str(one).split(",")}


def _day(said: object) -> date | None:
    try:
        found = date.fromisoformat(str(said))
    except ValueError:
        return None
    return found if 1970 <= found.year <= 9_000 else None  # noqa: PLR2004 - what a calendar and a zone can count


def _page(said: object) -> int:
    text = str(said)
    return min(max(1, int(text)), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 6 else 1  # noqa: PLR2004


__all__ = ["CLASSES", "Filters", "elements_of", "filters_of"]
