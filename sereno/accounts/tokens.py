"""Tokens of programs: shown once, kept as a hash, with scopes, an end if one was set, and when they were used last."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from sereno.accounts import secret
from sereno.accounts.audit import Act, note
from sereno.accounts.names import AccountError
from sereno.accounts.roles import SCOPES, Scope
from sereno.clock import SECOND_US
from sereno.store.tables import api_tokens

TOUCH_US = 60 * SECOND_US
LONGEST_NAME = 64


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `customers` empty: of all."""

    id: int
    name: str
    scopes: frozenset[Scope]
    customers: tuple[str, ...]
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    used_us: int | None
    who: str

    def holds(self, now_us: int) -> bool:
        """Whether it opens anything now."""
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def make_token(
    connection: Connection, act: Act, name: str, scopes: Sequence[str], *, customers: Sequence[str] = (),
    life_us: int | None = None,
) -> tuple[Token, str]:  # fmt: skip
    """The token and its text, which cannot be had again; AccountError for scopes that are none."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AccountError("name", f"a token needs a name of up to {LONGEST_NAME} characters: what uses it")
    wrong = [each for each in scopes if each not in SCOPES]
    if wrong or not scopes:
        raise AccountError("scope", f"{', '.join(wrong) or 'no scope'}: name one or more of {', '.join(SCOPES)}")
    text = secret.fresh_token()
    made = connection.execute(
        insert(api_tokens).values(
            name=name, digest=secret.digest(text), scopes=_json(sorted(set(scopes))),
            customers=_json(sorted(set(customers))), created_us=act.at_us,
            expires_us=act.at_us + life_us if life_us is not None else None, who=act.who,
        )
    ).inserted_primary_key  # fmt: skip
    number = int(made[0]) if made is not None else 0
    note(connection, act, "token.add", f"{number} {name}: {' '.join(sorted(set(scopes)))}")
    return _needed(connection, number), text


def revoke(connection: Connection, act: Act, number: int) -> Token:
    """It opens nothing any more."""
    found = _needed(connection, number)
    if found.revoked_us is None:
        connection.execute(update(api_tokens).where(api_tokens.c.id == number).values(revoked_us=act.at_us))
        note(connection, act, "token.revoke", f"{number} {found.name}")
    return _needed(connection, number)


def holder(connection: Connection, text: str, now_us: int) -> Token | None:
    """Whose token this is, if it opens anything now."""
    if not secret.is_token(text):
        return None
    row = connection.execute(select(api_tokens).where(api_tokens.c.digest == secret.digest(text))).first()
    found = _token(row) if row is not None else None
    return found if found is not None and found.holds(now_us) else None


def used(connection: Connection, number: int, now_us: int) -> None:
    """It was used; who calls says so once a minute at most."""
    connection.execute(update(api_tokens).where(api_tokens.c.id == number).values(used_us=now_us))


def every_token(connection: Connection) -> list[Token]:
    """All of them, the newest first."""
    return [_token(row) for row in connection.execute(select(api_tokens).order_by(api_tokens.c.id.desc()))]


def _needed(connection: Connection, number: int) -> Token:
    row = connection.execute(select(api_tokens).where(api_tokens.c.id == number)).first()
    if row is None:
        raise AccountError("unknown", f"{number}: there is no such token; see sereno users token list")
    return _token(row)


def _token(row: Row[tuple[object, ...]]) -> Token:
    found = row._mapping  # noqa: SLF001 - the library's public accessor
    return Token(
        id=found["id"], name=found["name"], scopes=msgspec.json.decode(found["scopes"], type=frozenset[Scope]),
        customers=msgspec.json.decode(found["customers"], type=tuple[str, ...]), created_us=found["created_us"],
        expires_us=found["expires_us"], revoked_us=found["revoked_us"], used_us=found["used_us"], who=found["who"],
    )  # fmt: skip


def _json(names: Sequence[str]) -> str:
    return msgspec.json.encode(list(names)).decode()
