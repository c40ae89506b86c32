"""Browsers that logged in: a random cookie, known here by its hash; ends when idle, old, or with its account."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sereno.accounts import secret
from sereno.accounts.audit import Act, note
from sereno.accounts.users import User, as_user
from sereno.clock import SECOND_US
from sereno.store.tables import sessions, users

IDLE_US = 12 * 3_600 * SECOND_US  # a shift; an open page counts as being there
LONGEST_US = 7 * 86_400 * SECOND_US
TOUCH_US = 60 * SECOND_US  # how exactly it is known when somebody was there last
_MOST = 20  # of one account; the oldest ends
_LONGEST_AGENT = 200


class Lives(msgspec.Struct, frozen=True, kw_only=True):
    """How long a session lasts."""

    idle_us: int = IDLE_US
    longest_us: int = LONGEST_US


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as its owner sees it."""

    digest: str
    created_us: int
    seen_us: int
    expires_us: int
    address: str | None
    agent: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A session that holds now, and whose it is."""

    session: Session
    user: User


def begin(connection: Connection, act: Act, user: User, *, agent: str | None, lives: Lives, told: bool = True) -> str:
    """The cookie of a new session; `told`: in the audit log, as a login."""
    made = secret.fresh()
    _forget(connection, act.at_us)
    own = _of(connection, user.name)
    connection.execute(delete(sessions).where(sessions.c.digest.in_([each.digest for each in own[_MOST - 1 :]])))
    connection.execute(
        insert(sessions).values(
            digest=secret.digest(made), user=user.name, user_version=user.version, created_us=act.at_us,
            seen_us=act.at_us, expires_us=act.at_us + lives.longest_us, address=act.address,
            agent=(agent or "")[:_LONGEST_AGENT] or None,
        )
    )  # fmt: skip
    if told:
        note(connection, act, "login", user.name)
    return made


def entry(connection: Connection, digest: str, now_us: int, lives: Lives) -> Entry | None:
    """Whose session this is, if it holds now."""
    return entries(connection, [digest], now_us, lives).get(digest)


def entries(connection: Connection, digests: Collection[str], now_us: int, lives: Lives) -> dict[str, Entry]:
    """Those of these that hold now, by digest: one query, however many there are."""
    rows = connection.execute(
        select(users, *(column.label(f"session_{column.name}") for column in sessions.c))
        .join(sessions, sessions.c.user == users.c.name)
        .where(
            sessions.c.digest.in_(digests),
            sessions.c.user_version == users.c.version,
            users.c.disabled_us.is_(None),
            sessions.c.expires_us > now_us,
            sessions.c.seen_us > now_us - lives.idle_us,
            sessions.c.created_us <= now_us + SECOND_US * 300,  # made on a clock that was ahead
        )
    )
    return {
        row.session_digest: Entry(
            user=as_user(row),
            session=Session(
                digest=row.session_digest, created_us=row.session_created_us, seen_us=row.session_seen_us,
                expires_us=row.session_expires_us, address=row.session_address, agent=row.session_agent,
            ),
        )
        for row in rows
    }  # fmt: skip


def touch(connection: Connection, digests: Collection[str], now_us: int) -> None:
    """Somebody is there."""
    connection.execute(
        update(sessions).where(sessions.c.digest.in_(digests), sessions.c.seen_us < now_us).values(seen_us=now_us)
    )


def end(connection: Connection, act: Act, name: str, digest: str) -> bool:
    """Logs one browser out; False when it was not this account's."""
    gone = connection.execute(delete(sessions).where(sessions.c.digest == digest, sessions.c.user == name)).rowcount
    if gone:
        note(connection, act, "logout", name)
    return gone > 0


def forget(connection: Connection, digest: str) -> None:
    """Another login took the place of this one."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest))


def end_others(connection: Connection, act: Act, name: str, but: str = "") -> int:
    """Logs the account out everywhere, but for one browser; how many there were."""
    gone = connection.execute(delete(sessions).where(sessions.c.user == name, sessions.c.digest != but)).rowcount
    if gone:
        note(connection, act, "logout.everywhere", f"{name} {gone}")
    return gone


def of_user(connection: Connection, user: User, now_us: int, lives: Lives) -> list[Session]:
    """The account's sessions that hold, the one seen last first."""
    return [
        each
        for each in _of(connection, user.name, user.version)
        if each.expires_us > now_us and each.seen_us > now_us - lives.idle_us
    ]


def _of(connection: Connection, name: str, version: int | None = None) -> list[Session]:
    query = select(sessions).where(sessions.c.user == name).order_by(sessions.c.seen_us.desc(), sessions.c.digest)
    if version is not None:
        query = query.where(sessions.c.user_version == version)
    return [
        Session(
            digest=row.digest, created_us=row.created_us, seen_us=row.seen_us, expires_us=row.expires_us,
            address=row.address, agent=row.agent,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _forget(connection: Connection, now_us: int) -> None:
    connection.execute(delete(sessions).where(sessions.c.expires_us <= now_us))
