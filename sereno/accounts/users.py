"""Accounts in the store: who there is, and every change of one, each with its line in the audit log.

Whoever serves writes these tables, in short transactions of their own (docs/adr/0027). A change of password, role,
customers or standing raises `version`, and with that every session that began before has ended.
"""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection, Row, insert, or_, select, update

from sereno.accounts.audit import Act, note
from sereno.accounts.names import AccountError, checked_name
from sereno.accounts.roles import ROLES, Role
from sereno.store.tables import users

LOCALE = "es_CO"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `customers` are a manager's; `has_password` and `subject` say how it can log in."""

    name: str
    role: Role
    customers: tuple[str, ...]
    locale: str
    email: str | None
    has_password: bool
    subject: str | None
    created_us: int
    disabled_us: int | None
    version: int

    @property
    def usable(self) -> bool:
        """Somebody can log in with it."""
        return self.disabled_us is None and (self.has_password or self.subject is not None)


def any_user(connection: Connection) -> bool:
    """Whether there is an account at all; with the first one the house is closed."""
    return connection.execute(select(users.c.name).limit(1)).first() is not None


def any_admin(connection: Connection, but: str = "") -> bool:
    """Whether an administrator, other than this one, can log in."""
    row = connection.execute(
        select(users.c.name).where(
            users.c.role == "admin",
            users.c.name != but,
            users.c.disabled_us.is_(None),
            or_(users.c.password.is_not(None), users.c.subject.is_not(None)),
        ).limit(1)
    ).first()  # fmt: skip
    return row is not None


def every_user(connection: Connection) -> list[User]:
    """All of them, by name."""
    return [as_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def user_named(connection: Connection, name: str) -> User | None:
    """The account of this name, if there is one."""
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return as_user(row) if row is not None else None


def user_of_subject(connection: Connection, subject: str) -> User | None:
    """The account that belongs to somebody of the identity provider."""
    row = connection.execute(select(users).where(users.c.subject == subject)).first()
    return as_user(row) if row is not None else None


def needed(connection: Connection, name: str) -> User:
    """The account of this name; AccountError when there is none."""
    found = user_named(connection, name)
    if found is None:
        raise AccountError("unknown", f"{name}: there is no such account; see sereno users list")
    return found


def stored_password(connection: Connection, name: str) -> str | None:
    """What is kept of an account's password; None where there is none, or the account is disabled."""
    return connection.execute(
        select(users.c.password).where(users.c.name == name, users.c.disabled_us.is_(None))
    ).scalar()


def add_user(
    connection: Connection, act: Act, name: str, role: Role, *, customers: Sequence[str] = (), locale: str = LOCALE,
    email: str | None = None, password: str | None = None, subject: str | None = None,
) -> User:  # fmt: skip
    """A new account; `password` is already hashed. AccountError when the name is taken or cannot be one."""
    name = checked_name(name)
    if user_named(connection, name) is not None:
        raise AccountError("taken", f"{name}: there is an account with this name already; choose another")
    kept = customers_of(role, customers)
    connection.execute(
        insert(users).values(
            name=name, role=role, customers=_json(kept), locale=locale, email=email, password=password,
            subject=subject, created_us=act.at_us, version=1,
        )
    )  # fmt: skip
    note(connection, act, "user.add", f"{name} {role}{_listed(kept)}")
    return needed(connection, name)


def set_role(
    connection: Connection, act: Act, name: str, role: Role, customers: Sequence[str] | None = None, *,
    by_provider: bool = False,
) -> User:  # fmt: skip
    """Another role, or other customers; the last administrator keeps theirs, unless their provider says otherwise."""
    user = needed(connection, name)
    kept = customers_of(role, user.customers if customers is None else customers)
    if (role, kept) == (user.role, user.customers):
        return user
    if user.role == "admin" and role != "admin" and not by_provider:
        _refuse_last(connection, user)
    _change(connection, user, role=role, customers=_json(kept))
    what = "user.role" if role != user.role else "user.customers"
    note(connection, act, what, f"{name} {role}{_listed(kept)}")
    return needed(connection, name)


def disable(connection: Connection, act: Act, name: str) -> User:
    """Nobody logs in with it any more, and who is logged in is not."""
    user = needed(connection, name)
    if user.disabled_us is not None:
        return user
    _refuse_last(connection, user)
    _change(connection, user, disabled_us=act.at_us)
    note(connection, act, "user.disable", name)
    return needed(connection, name)


def enable(connection: Connection, act: Act, name: str) -> User:
    """As before it was disabled; but for its sessions, which have ended."""
    user = needed(connection, name)
    if user.disabled_us is None:
        return user
    _change(connection, user, disabled_us=None)
    note(connection, act, "user.enable", name)
    return needed(connection, name)


def set_password(connection: Connection, act: Act, name: str, password: str) -> User:
    """Another password, already hashed; every session ends."""
    user = needed(connection, name)
    _change(connection, user, password=password)
    note(connection, act, "user.password", name)
    return needed(connection, name)


def rehash(connection: Connection, name: str, old: str, password: str) -> None:
    """The same password under today's parameters; nobody's session ends, and nothing was done."""
    connection.execute(update(users).where(users.c.name == name, users.c.password == old).values(password=password))


def set_locale(connection: Connection, act: Act, name: str, locale: str) -> User:
    """In whose numbers and dates one reads, and in which language."""
    user = needed(connection, name)
    if locale != user.locale:
        connection.execute(update(users).where(users.c.name == name).values(locale=locale))
        note(connection, act, "user.locale", f"{name} {locale}")
    return needed(connection, name)


def customers_of(role: Role, customers: Collection[str]) -> tuple[str, ...]:
    """A manager's customers, sorted; AccountError for a manager of nobody. Nobody else has any."""
    if role not in ROLES:
        raise AccountError("role", f"{role!r}: is no role; they are {', '.join(ROLES)}")
    if role != "manager":
        return ()
    if not customers:
        raise AccountError("customers", "a manager needs customers: name one or more")
    return tuple(sorted(set(customers)))


def as_user(row: Row[tuple[object, ...]]) -> User:
    """The account in a row of `users`."""
    found = row._mapping  # noqa: SLF001 - the library's public accessor
    return User(
        name=found["name"], role=found["role"], locale=found["locale"], email=found["email"],
        customers=msgspec.json.decode(found["customers"], type=tuple[str, ...]),
        has_password=found["password"] is not None, subject=found["subject"], created_us=found["created_us"],
        disabled_us=found["disabled_us"], version=found["version"],
    )  # fmt: skip


def _change(connection: Connection, user: User, **values: object) -> None:
    connection.execute(update(users).where(users.c.name == user.name).values(version=users.c.version + 1, **values))


def _refuse_last(connection: Connection, user: User) -> None:
    if user.role == "admin" and user.usable and not any_admin(connection, but=user.name):
        raise AccountError("last", f"{user.name}: is the only administrator who can log in; make another one first")


def _listed(customers: Sequence[str]) -> str:
    return f" ({', '.join(customers)})" if customers else ""


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
