"""Reports that were issued: the model that each was made from, so that it can be made again to the byte."""

import zlib
from typing import NamedTuple

from sqlalchemy import Connection, Row, select, text

from sereno.store.tables import report_issues as table


class Issue(NamedTuple):
    """One report that left the house. The same data for the same reader is the same issue, however often it is made."""

    customer: str
    site: str | None
    month: str
    edition: str
    language: str
    data_hash: str
    made_us: int
    who: str
    id: int = 0

    @property
    def key(self) -> str:
        return "/".join((self.customer, self.site or "-", self.month, self.edition, self.language, self.data_hash))


_ADD = text(
    "INSERT INTO report_issues (key, customer, site, month, edition, language, data_hash, made_us, who, model)"
    " VALUES (:key, :customer, :site, :month, :edition, :language, :data_hash, :made_us, :who, :model)"
    " ON CONFLICT (key) DO NOTHING"
)
_COLUMNS = (
    table.c.customer, table.c.site, table.c.month, table.c.edition, table.c.language, table.c.data_hash,
    table.c.made_us, table.c.who, table.c.id,
)  # fmt: skip


def issue(connection: Connection, one: Issue, model: bytes) -> Issue:
    """Records an issue with its model (JSON); the one that there is already where nothing changed since."""
    facts = one._asdict()
    facts.pop("id")
    connection.execute(_ADD, facts | {"key": one.key, "model": zlib.compress(model, 6)})
    return _issue(connection.execute(select(*_COLUMNS).where(table.c.key == one.key)).one())


def issued(connection: Connection, customer: str | None = None, month: str | None = None) -> list[Issue]:
    """What was issued, the newest first; of a customer, of a month."""
    query = select(*_COLUMNS).order_by(table.c.id.desc())
    if customer is not None:
        query = query.where(table.c.customer == customer)
    if month is not None:
        query = query.where(table.c.month == month)
    return [_issue(row) for row in connection.execute(query)]


def issue_of(connection: Connection, number: int) -> Issue | None:
    """One of them."""
    row = connection.execute(select(*_COLUMNS).where(table.c.id == number)).one_or_none()
    return None if row is None else _issue(row)


def model_of(connection: Connection, number: int) -> bytes | None:
    """The model (JSON) that an issue was made from."""
    found = connection.execute(select(table.c.model).where(table.c.id == number)).scalar()
    return None if found is None else zlib.decompress(found)


def _issue(row: Row) -> Issue:  # type: ignore[type-arg]
    return Issue(*row)
