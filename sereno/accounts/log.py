"""The audit log as it is read: what people did to accounts and what they asked of the desk, in one order of time."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, and_, or_, select

from sereno.accounts.audit import LONGEST_ABOUT
from sereno.store.tables import audit, commands, users

Source = Literal["account", "desk"]  # at the same instant the desk's come first
_SHOWN = ("number", "kind", "name", "person", "id", "title", "what", "level", "customer", "site")
_BATCH = 500
_LATELY = 1_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lines, which and when; `what` is the beginning of a verb, such as `user.` or `incident.ack`."""

    who: str = ""
    what: str = ""
    from_us: int | None = None
    to_us: int | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did."""

    source: Source
    id: int
    at_us: int
    who: str
    how: str
    address: str | None
    what: str
    about: str
    outcome: str  # done | refused | pending
    said: str = ""  # by the desk

    @property
    def place(self) -> str:
        """Where the log goes on after this line."""
        return f"{self.at_us}.{self.source}.{self.id}"


def lines(connection: Connection, asked: Asked, limit: int, after: str = "") -> list[Line]:
    """The newest first, from the line after `after` (a `place`) on; a place that is none is the beginning."""
    place = _place(after)
    both = [
        *(_account(row) for row in connection.execute(_query(audit, "account", asked, place).limit(limit))),
        *(_desk(row) for row in connection.execute(_query(commands, "desk", asked, place).limit(limit))),
    ]
    return sorted(both, key=lambda line: (line.at_us, line.source, line.id), reverse=True)[:limit]


def every_line(connection: Connection, asked: Asked) -> Iterator[Line]:
    """All of them, however many; in pieces."""
    after = ""
    while found := lines(connection, asked, _BATCH, after):
        yield from found
        after = found[-1].place


def people(connection: Connection) -> list[str]:
    """Who has an account, and who did something lately; bounded, however long the log."""
    found = {name for (name,) in connection.execute(select(users.c.name))}
    for table in (audit, commands):
        found.update(
            who for (who,) in connection.execute(select(table.c.who).order_by(table.c.id.desc()).limit(_LATELY))
        )
    return sorted(found - {""})


def _query(table: Any, source: Source, asked: Asked, place: tuple[int, str, int] | None) -> Select[Any]:
    verb = table.c.what if source == "account" else table.c.verb
    query = select(table).order_by(table.c.at_us.desc(), table.c.id.desc())
    if asked.who:
        query = query.where(table.c.who == asked.who)
    if asked.what:
        query = query.where(verb.startswith(asked.what, autoescape=True))
    if asked.from_us is not None:
        query = query.where(table.c.at_us >= asked.from_us)
    if asked.to_us is not None:
        query = query.where(table.c.at_us < asked.to_us)
    if place is None:
        return query
    at_us, of, number = place
    if of == source:
        return query.where(or_(table.c.at_us < at_us, and_(table.c.at_us == at_us, table.c.id < number)))
    return query.where(table.c.at_us <= at_us if source < of else table.c.at_us < at_us)


def _place(text: str) -> tuple[int, str, int] | None:
    at_us, _, rest = text.partition(".")
    source, _, number = rest.partition(".")
    if not (at_us.isascii() and at_us.isdecimal() and number.isascii() and number.isdecimal()):
        return None
    if source not in {"account", "desk"} or max(len(at_us), len(number)) > 18:  # noqa: PLR2004 - digits of 2^63
        return None
    return int(at_us), source, int(number)


def _account(row: Row[Any]) -> Line:
    return Line(
        source="account", id=row.id, at_us=row.at_us, who=row.who, how=row.how, address=row.address, what=row.what,
        about=row.about, outcome=row.outcome,
    )  # fmt: skip


def _desk(row: Row[Any]) -> Line:
    given: dict[str, Any] = msgspec.json.decode(row.arguments)
    about = " ".join(f"{key}={given[key]}" for key in _SHOWN if isinstance(given.get(key), str | int))
    said = msgspec.json.decode(row.outcome).get("text", "") if row.outcome else ""
    how = "link" if row.key.startswith("link/") else "api" if row.key.startswith("api/") else "desk"
    return Line(
        source="desk", id=row.id, at_us=row.at_us, who=row.who, how=how, address=None, what=row.verb,
        about=about[:LONGEST_ABOUT], outcome=row.state, said=said,
    )  # fmt: skip
