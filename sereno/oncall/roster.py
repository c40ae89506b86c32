"""The roster: of every level, who is on call at an instant, why, and until when. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from sereno.desk import Desk
from sereno.incident import Rung
from sereno.oncall.rung import is_open
from sereno.oncall.shift import Shift
from sereno.oncall.turns import turn

_HOUR_US = 3_600_000_000
_EDGES = 500
By = Literal["override", "rota", "feed", "people"]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else is on call at a level in [from, to)."""

    id: int
    level: str
    person: str
    from_us: int
    to_us: int


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """The last good copy of a feed, spelt out; `checked_us` is when it was read, `error` what came of it since."""

    shifts: tuple[Shift, ...] = ()
    checked_us: int | None = None
    error: str | None = None


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on call at a level; `note` says what is wrong with how that is known."""

    level: str
    open: bool
    people: tuple[str, ...]
    by: By
    from_us: int | None = None  # of one that comes later
    until_us: int | None = None
    note: str | None = None  # an English message …
    note_values: dict[str, str] = {}  # … and its values


class Roster:
    """What is known of rotas, overrides and feeds."""

    def __init__(
        self, desk: Desk | None = None, zone: str = "UTC", overrides: Iterable[Override] = (),
        copies: Mapping[str, Copy] | None = None,
    ) -> None:  # fmt: skip
        self.desk = desk
        self.zone = zone  # of rotas that name none
        self.overrides = tuple(sorted(overrides, key=lambda one: one.id))
        self.copies = dict(copies or {})

    def duty(self, rung: Rung, at_us: int) -> Duty:
        """Who is on call there at an instant: an override, else the rota, else the level's people: never nobody."""
        manned = is_open(rung, at_us)
        override = self._override(rung.level, at_us)
        if override is not None:
            return Duty(
                level=rung.level, open=manned, people=(override.person,), by="override", until_us=override.to_us
            )
        found = self._by_rota(rung, at_us)
        begins = [one.from_us for one in self.overrides if one.level == rung.level and one.from_us > at_us]
        until = min((one for one in (found.until_us, *begins) if one is not None), default=None)
        return msgspec.structs.replace(found, open=manned, until_us=until)

    def next_duty(self, rung: Rung, at_us: int) -> Duty | None:
        """Who follows, and from when; None where nobody is known to."""
        now = self.duty(rung, at_us)
        edge_us = now.until_us
        for _ in range(_EDGES):  # turns of the same person follow each other
            if edge_us is None:
                return None
            later = self.duty(rung, edge_us)
            if later.people != now.people:
                return msgspec.structs.replace(later, from_us=edge_us)
            if later.until_us is None or later.until_us <= edge_us:
                return None
            edge_us = later.until_us
        return None

    def _override(self, level: str, at_us: int) -> Override | None:
        """The one recorded last of those in force, if its person is still of the desk."""
        known = self.desk.people if self.desk is not None else {}
        mine = [
            one
            for one in self.overrides
            if one.level == level and one.from_us <= at_us < one.to_us and one.person in known
        ]
        return mine[-1] if mine else None

    def _by_rota(self, rung: Rung, at_us: int) -> Duty:
        plain = Duty(level=rung.level, open=True, people=self._known(rung.people), by="people")
        if rung.rota is None:
            return plain
        rota = self.desk.rotas.get(rung.rota) if self.desk is not None else None
        if rota is None:
            return _noted(plain, "{level}: rota {rota} is no longer in the desk's file", rota=rung.rota)
        if rota.icalendar is None:
            person, until_us = turn(rota, rung.timezone, at_us)
            return msgspec.structs.replace(plain, people=(person,), by="rota", until_us=until_us)
        return self._by_feed(plain, rung.rota, rota.stale_us, at_us)

    def _by_feed(self, plain: Duty, rota: str, stale_us: int, at_us: int) -> Duty:
        copy = self.copies.get(rota)
        if copy is None or copy.checked_us is None:
            why = copy.error if copy is not None and copy.error else "-"
            return _noted(plain, "{level}: the feed of rota {rota} was never read ({why})", rota=rota, why=why)
        now = [one for one in copy.shifts if one.from_us <= at_us < one.to_us]
        edges = [one.to_us for one in now] + [one.from_us for one in copy.shifts if one.from_us > at_us]
        found = msgspec.structs.replace(plain, until_us=min(edges, default=None))
        people = tuple(dict.fromkeys(person for one in now for person in self._named(one.names)))
        if not people:
            why = "{level}: the feed of rota {rota} names nobody of this desk now"
            return _noted(found, why if now else "{level}: the feed of rota {rota} has no shift now", rota=rota)
        found = msgspec.structs.replace(found, people=people, by="feed")
        age_us = at_us - copy.checked_us
        if age_us <= stale_us:
            return found
        hours, why = str(age_us // _HOUR_US), copy.error or "-"
        return _noted(
            found, "{level}: the copy of rota {rota} is {hours} h old ({why})", rota=rota, hours=hours, why=why
        )

    def _named(self, names: Sequence[str]) -> Iterable[str]:
        """The people whom some words name: by mail address, or by name as a word of its own."""
        people = self.desk.people if self.desk is not None else {}
        for words in names:
            said = words.casefold().removeprefix("mailto:").strip()
            for person, facts in people.items():
                mail = facts.email.casefold() if facts.email is not None else None
                if said == mail or (mail is not None and mail in said) or _word(person.casefold(), said):
                    yield person

    def _known(self, people: tuple[str, ...]) -> tuple[str, ...]:
        """Those who are still of the desk."""
        known = self.desk.people if self.desk is not None else {}
        return tuple(person for person in people if person in known)


def _noted(duty: Duty, note: str, **values: str) -> Duty:
    return msgspec.structs.replace(duty, note=note, note_values={"level": duty.level, **values})


def _word(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.@-]){re.escape(name)}(?![\w.@-])", text) is not None


__all__ = ["Copy", "Duty", "Override", "Roster"]
