"""The audit log: what people did, by whom, from where; rows are added and never changed (the database refuses)."""

from typing import Literal

import msgspec
from sqlalchemy import Connection, insert

from sereno.store.tables import audit

How = Literal["web", "cli", "api", "link", "oidc"]
Result = Literal["done", "refused"]
FIRST = "sereno"  # who invites the first administrator
LONGEST_ABOUT = 500
_LONGEST_WHO, _LONGEST_ADDRESS, _LONGEST_WHAT = 80, 64, 40


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, by what way, when."""

    who: str
    how: How
    at_us: int
    address: str | None = None


def note(connection: Connection, act: Act, what: str, about: str, outcome: Result = "done") -> None:
    """One row, in the transaction that does it. No secret belongs in `about`."""
    connection.execute(
        insert(audit).values(
            at_us=act.at_us,
            who=_line(act.who, _LONGEST_WHO),
            how=act.how,
            address=_line(act.address, _LONGEST_ADDRESS) if act.address else None,
            what=_line(what, _LONGEST_WHAT),
            about=_line(about, LONGEST_ABOUT),
            outcome=outcome,
        )
    )


def _line(text: str, most: int) -> str:
    """One line that every database takes."""
    return "".join(each if each.isprintable() else "·" for each in text)[:most]
