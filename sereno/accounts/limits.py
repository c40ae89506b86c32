"""How fast passwords may be tried: slower with every failure, never locked. Counted in the store, over restarts.

Every attempt counts as a failure from its beginning, so that many at once do not pass together; what succeeds takes its
own away again. A name is slowed for addresses that it never logged in from; so nobody far away can slow its owner down.
"""

import ipaddress
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, select

from sereno.accounts import secret
from sereno.accounts.names import is_name
from sereno.clock import SECOND_US
from sereno.store.tables import audit, login_failures, users

WINDOW_US = 15 * 60 * SECOND_US
KNOWN_US = 30 * 86_400 * SECOND_US  # an address from which a name logged in lately is its owner's
_COUNTED = 40
_NETWORK_BITS = 64  # of IPv6: what one household has


class Limit(msgspec.Struct, frozen=True):
    """So many attempts are free; from then on pauses double up to the longest."""

    free: int
    longest_us: int


BY_NAME = Limit(free=5, longest_us=30 * SECOND_US)
BY_ADDRESS = Limit(free=20, longest_us=60 * SECOND_US)


def pause_us(failures_us: Sequence[int], now_us: int, limit: Limit) -> int:
    """How long the next attempt has to wait; never longer than the longest pause, whatever the clocks say."""
    recent = [at_us for at_us in failures_us if at_us > now_us - WINDOW_US]
    over = len(recent) - limit.free
    if over < 0:
        return 0
    pause = min(limit.longest_us, SECOND_US << min(over, 32))
    return min(pause, max(0, max(recent) + pause - now_us))


def begin_attempt(connection: Connection, name: str, address: str, now_us: int) -> tuple[int, int]:
    """(row of the attempt, 0), or (0, how long to wait): then it was not made, and counts for nothing."""
    key, place = key_of(connection, name), place_of(address)
    connection.execute(delete(login_failures).where(login_failures.c.at_us < now_us - 2 * WINDOW_US))
    wait_us = pause_us(_failures(connection, login_failures.c.address == place, now_us), now_us, BY_ADDRESS)
    if not _is_known(connection, key, address, now_us):
        by_name = _failures(connection, login_failures.c.user == key, now_us)
        wait_us = max(wait_us, pause_us(by_name, now_us, BY_NAME))
    if wait_us:
        return 0, wait_us
    made = connection.execute(insert(login_failures).values(at_us=now_us, user=key, address=place)).inserted_primary_key
    return int(made[0]) if made is not None else 0, 0


def undone(connection: Connection, attempt: int) -> None:
    """It was not made after all: nobody looked at the password."""
    connection.execute(delete(login_failures).where(login_failures.c.id == attempt))


def succeeded(connection: Connection, name: str, address: str) -> None:
    """The owner came in: what failed here under this name is forgotten."""
    connection.execute(
        delete(login_failures).where(
            login_failures.c.user == key_of(connection, name), login_failures.c.address == place_of(address)
        )
    )


def key_of(connection: Connection, name: str) -> str:
    """The name if somebody has it; else a few digits of it, because people type passwords where names belong."""
    if is_name(name) and connection.execute(select(users.c.name).where(users.c.name == name)).first() is not None:
        return name
    return "?" + secret.digest(name)[:8]


def place_of(address: str) -> str:
    """An IPv4 address, or the network that an IPv6 address is of."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)


def _failures(connection: Connection, whose: object, now_us: int) -> list[int]:
    rows = connection.execute(
        select(login_failures.c.at_us)
        .where(whose, login_failures.c.at_us > now_us - WINDOW_US)  # type: ignore[arg-type]
        .order_by(login_failures.c.at_us.desc())
        .limit(_COUNTED)
    )
    return [int(at_us) for (at_us,) in rows]


def _is_known(connection: Connection, name: str, address: str, now_us: int) -> bool:
    row = connection.execute(
        select(audit.c.id)
        .where(
            audit.c.who == name, audit.c.at_us > now_us - KNOWN_US, audit.c.what == "login",
            audit.c.outcome == "done", audit.c.address == address,
        )
        .limit(1)
    ).first()  # fmt: skip
    return row is not None
