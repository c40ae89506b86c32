"""What the commands on accounts share: the store and who acts, passwords that no command line carries, links."""

import getpass
import json
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from sereno.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sereno.accounts import Act, Role
    from sereno.accounts.tokens import Token
    from sereno.accounts.users import User
    from sereno.store import Store

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_HIGHEST_FILE = 4_096


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The store, the moment, and the data directory if it lies in one."""

    store: Any
    now_us: int
    folder: Path | None

    def act(self) -> "Act":
        """Who sits at the terminal acts."""
        from sereno.accounts import Act

        return Act(who=_user(), how="cli", at_us=self.now_us)


@contextmanager
def opened(data: Path | None, database: str | None, *, create: bool = False) -> Iterator[Found]:
    """The store of these options, closed at the end; the first account may be made before anything ever ran."""
    from sereno.clock import SystemClock
    from sereno.instance import data_directory, open_store
    from sereno.store import open_store as make_store

    folder = data_directory(data) if database is None else None
    store: Store = make_store(folder) if create and folder is not None else open_store(data, database)
    try:
        yield Found(store=store, now_us=SystemClock().now_us(), folder=folder)
    finally:
        store.dispose()


def checked_role(role: str) -> "Role":
    """One of the roles; UsageError otherwise."""
    from sereno.accounts import ROLES

    for each in ROLES:
        if each == role:
            return each
    raise UsageError(f"--role {role}: is no role; they are {', '.join(ROLES)}")


def checked_locale(locale: str) -> str:
    """A locale that numbers and dates can be written in."""
    from babel import localedata

    if not localedata.exists(locale):
        raise UsageError(f"--locale {locale}: is no locale; write es_CO, es_CR, es_MX or en_US")
    return locale


def refuse_strangers(connection: "Connection", customers: Collection[str] | None) -> None:
    """UsageError for customers that the topology in force does not have; where there is none yet, any will do."""
    from sereno.store.queries.ledger import in_force

    watched = in_force(connection)
    known = list(watched[-1].topology.customers) if watched else None
    for name in customers or ():
        if known is not None and name not in known:
            raise UsageError(f"--customer {name}: no such customer; they are {', '.join(known) or 'none yet'}")


def given_password(name: str, file: Path | None, ask: bool) -> str | None:
    """The hash of the password in a file or typed twice; None when neither is wanted."""
    from sereno.accounts.names import checked_password
    from sereno.accounts.passwords import hashed

    if file is not None and ask:
        raise UsageError("--password-file and --ask-password exclude each other; give one")
    if file is not None:
        return hashed(checked_password(_first_line(file), name))
    if not ask:
        return None
    if not sys.stdin.isatty():
        raise UsageError("--ask-password: this is no terminal; write --password-file FILE, or - for standard input")
    typed = getpass.getpass("Contraseña: ", stream=sys.stderr)
    if getpass.getpass("Otra vez: ", stream=sys.stderr) != typed:
        raise UsageError("the two passwords are not the same; nothing was changed")
    return hashed(checked_password(typed, name))


def link(found: Found, connection: "Connection", url: str | None, token: str | None) -> str | None:
    """The one-time link, under the page's address as far as it is known; None without a token."""
    if token is None:
        return None
    return f"{(url or _page(found, connection)).rstrip('/')}/invite/{token}"


def _page(found: Found, connection: "Connection") -> str:
    from sereno.instance import read
    from sereno.store.collectors import presences

    if os.environ.get("SERENO_URL"):
        return os.environ["SERENO_URL"]
    running = read(found.folder) if found.folder is not None else None
    if running is not None:
        return running.url
    pages = [each.page for each in presences(connection) if each.page]
    return pages[0] if pages else "http://127.0.0.1:8080"


def _first_line(file: Path) -> str:
    try:
        raw = sys.stdin.buffer.read(_HIGHEST_FILE) if str(file) == "-" else file.read_bytes()[:_HIGHEST_FILE]
        return raw.decode().partition("\n")[0].removesuffix("\r")
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or "is not text in UTF-8"
        raise UsageError(f"--password-file {file}: {words}") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in some containers
        return "cli"


def user_json(user: "User") -> dict[str, Any]:
    """An account as programs read it."""
    from sereno.told.accounts import user_json as made

    return made(user)


def token_json(token: "Token") -> dict[str, Any]:
    """A token as programs read it."""
    from sereno.told.accounts import token_json as made

    return made(token)


def user_line(user: "User") -> str:
    """An account as people read it."""
    listed = f" ({', '.join(user.customers)})" if user.customers else ""
    state = "desactivada" if user.disabled_us is not None else "activa" if user.usable else "sin contraseña todavía"
    return f"{user.name:<20} {user.role}{listed}  {state}"


def pressed(as_json: bool, document: dict[str, Any], line: str, where: str | None = None) -> None:
    """What became of it; a link is on a line of its own, and nowhere else ever again."""
    if as_json:
        print_json(document)
        return
    print(line)
    if where is not None:
        print(f"Enlace de un solo uso (no se vuelve a mostrar):\n{where}")


def print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
