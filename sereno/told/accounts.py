"""Accounts, tokens, the audit log: the shapes of `users list|token list|audit --json`. Nothing here opens a door."""

from typing import Any

from sereno.accounts.log import Line
from sereno.accounts.tokens import Token
from sereno.accounts.users import User
from sereno.clock import iso


def user_json(user: User) -> dict[str, Any]:
    """An account; of the password only whether there is one."""
    return {
        "name": user.name,
        "role": user.role,
        "customers": list(user.customers),
        "locale": user.locale,
        "email": user.email,
        "has_password": user.has_password,
        "oidc": user.subject is not None,
        "created": iso(user.created_us),
        "disabled": _iso(user.disabled_us),
    }


def token_json(token: Token) -> dict[str, Any]:
    """A token, without its text."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "customers": list(token.customers),
        "created": iso(token.created_us),
        "expires": _iso(token.expires_us),
        "revoked": _iso(token.revoked_us),
        "used": _iso(token.used_us),
        "by": token.who,
    }


def line_json(line: Line) -> dict[str, Any]:
    """A line of the audit log."""
    return {
        "at": iso(line.at_us),
        "who": line.who,
        "how": line.how,
        "address": line.address,
        "what": line.what,
        "about": line.about,
        "outcome": line.outcome,
        "said": line.said,
    }


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
