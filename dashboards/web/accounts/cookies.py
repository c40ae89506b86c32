"""The cookies of this house: of the session, of forms before one, of a login by way of an identity provider."""

from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

Kind = Literal["session", "form", "oidc"]
_NAMES: dict[Kind, str] = {"session": "sereno_session", "form": "sereno_form", "oidc": "sereno_oidc"}


def name_of(kind: Kind, connection: HTTPConnection) -> str:
    """Under TLS a name that only this host itself can have set (`__Host-`, RFC 6265bis)."""
    return f"__Host-{_NAMES[kind]}" if connection.url.scheme == "https" else _NAMES[kind]


def read(kind: Kind, connection: HTTPConnection) -> str:
    """What it says; empty without one."""
    return connection.cookies.get(name_of(kind, connection), "")


def put(response: Response, kind: Kind, connection: HTTPConnection, value: str, seconds: int | None) -> None:
    """Sets it: no script reads it, no other site's form sends it, links from a mail do."""
    response.set_cookie(
        name_of(kind, connection), value, max_age=seconds, path="/", secure=connection.url.scheme == "https",
        httponly=True, samesite="lax",
    )  # fmt: skip


def drop(response: Response, kind: Kind, connection: HTTPConnection) -> None:
    """Takes it away."""
    response.delete_cookie(
        name_of(kind, connection), path="/", secure=connection.url.scheme == "https", httponly=True, samesite="lax"
    )


__all__ = ["Kind", "drop", "name_of", "put", "read"]
