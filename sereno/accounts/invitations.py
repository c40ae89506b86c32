"""One-time links: the first administrator's, a new account's, a forgotten password's. Looking at one uses nothing."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sereno.accounts import secret
from sereno.accounts.audit import FIRST, Act, note
from sereno.accounts.names import AccountError, checked_name
from sereno.accounts.roles import Role
from sereno.accounts.users import LOCALE, User, add_user, any_admin, customers_of, needed, set_password
from sereno.clock import SECOND_US
from sereno.store.tables import invitations

FIRST_LIFE_US = 3_600 * SECOND_US
LIFE_US = 7 * 86_400 * SECOND_US
RESET_LIFE_US = 86_400 * SECOND_US
_KEPT_US = 30 * 86_400 * SECOND_US  # what is over is forgotten after that; the audit log remembers


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What a link allows: to set the password of `user`, or without one to choose a name and have `role`."""

    user: str | None
    role: Role
    customers: tuple[str, ...]
    expires_us: int
    first: bool


def invite(
    connection: Connection, act: Act, role: Role, *, customers: Sequence[str] = (), user: str | None = None,
    life_us: int = LIFE_US, first: bool = False,
) -> str:  # fmt: skip
    """The secret of a new link; it is not kept and cannot be had again. A newer link of an account ends the older."""
    kept = customers_of(role, customers)
    if user is not None:
        _end_links(connection, user, act.at_us)
    connection.execute(delete(invitations).where(invitations.c.expires_us < act.at_us - _KEPT_US))
    made = secret.fresh()
    connection.execute(
        insert(invitations).values(
            digest=secret.digest(made), user=user, role=role, customers=msgspec.json.encode(kept).decode(), first=first,
            created_us=act.at_us, expires_us=act.at_us + life_us, who=act.who,
        )
    )  # fmt: skip
    note(connection, act, "invitation.add", f"{user or '—'} {role}")
    return made


def invite_first(connection: Connection, at_us: int) -> str | None:
    """The first administrator's link, of an hour, ending older ones; None while an administrator can log in."""
    if any_admin(connection):
        return None
    older = invitations.c.first.is_(True), invitations.c.used_us.is_(None)
    connection.execute(update(invitations).where(*older).values(used_us=at_us))
    return invite(connection, Act(who=FIRST, how="link", at_us=at_us), "admin", life_us=FIRST_LIFE_US, first=True)


def reset(connection: Connection, act: Act, name: str) -> str:
    """A link by which a person sets a new password; the old one works until then."""
    user = needed(connection, name)
    if user.disabled_us is not None:
        raise AccountError("disabled", f"{name}: is disabled; enable it first")
    return invite(connection, act, user.role, customers=user.customers, user=name, life_us=RESET_LIFE_US)


def opened(connection: Connection, text: str, now_us: int) -> Invitation:
    """What a link allows now; AccountError (`link`) when it opens nothing, without telling why it does not."""
    over = AccountError("link", "this link was used, has expired or is not one of ours; ask for a new one")
    if not secret.is_secret(text):
        raise over
    row = connection.execute(select(invitations).where(invitations.c.digest == secret.digest(text))).first()
    if row is None or row.used_us is not None or not row.created_us <= now_us < row.expires_us:
        raise over
    if row.first and any_admin(connection):
        raise over
    if row.user is not None and needed(connection, row.user).disabled_us is not None:
        raise over
    return Invitation(
        user=row.user, role=row.role, customers=msgspec.json.decode(row.customers, type=tuple[str, ...]),
        expires_us=row.expires_us, first=row.first,
    )  # fmt: skip


def redeem(
    connection: Connection, text: str, name: str, password: str, at_us: int, *, locale: str = LOCALE,
    address: str | None = None,
) -> User:  # fmt: skip
    """Uses the link: the account with its new password (already hashed). Of two that come together one is refused."""
    found = opened(connection, text, at_us)
    act = Act(who=found.user or checked_name(name), how="link", at_us=at_us, address=address)
    connection.execute(update(invitations).where(invitations.c.digest == secret.digest(text)).values(used_us=at_us))
    if found.user is not None:
        _end_links(connection, found.user, at_us)
        return set_password(connection, act, found.user, password)
    return add_user(connection, act, act.who, found.role, customers=found.customers, password=password, locale=locale)


def _end_links(connection: Connection, user: str, at_us: int) -> None:
    connection.execute(
        update(invitations).where(invitations.c.user == user, invitations.c.used_us.is_(None)).values(used_us=at_us)
    )
