"""`sereno users`: accounts of people, their one-time links, tokens of programs, and what they did."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.cli import _users_audit, _users_tokens
from sereno.cli._users_store import AsJson, Data, Database, opened, pressed, print_json, user_json, user_line
from sereno.errors import UsageError

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(_users_tokens.app, name="token", help="Tokens of programs: add, list, revoke.")
_users_audit.register(app)

Name = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]
Role = Annotated[str, typer.Option("--role", help="viewer, operator, manager or admin.", show_default=False)]
Customers = Annotated[list[str] | None, typer.Option("--customer", help="Of a manager; repeatable.")]
Url = Annotated[str | None, typer.Option("--url", help="The page's address; else that of what runs.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="Its first line is the password; - reads standard input.")
]
Ask = Annotated[bool, typer.Option("--ask-password", help="Ask for the password, without echo.")]
Locale = Annotated[str, typer.Option("--locale", help="Language, numbers and dates: es_CO, es_CR, es_MX, en_US…")]
Email = Annotated[str | None, typer.Option("--email", help="Mail address, for whoever must be written to.")]


@app.command()
def add(  # noqa: PLR0917 - options of a command line
    name: Name, role: Role, customer: Customers = None, email: Email = None,
    locale: Locale = "es_CO", password_file: PasswordFile = None, ask_password: Ask = False, url: Url = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make an account; its person sets the password by the one-time link that is printed, unless you give one."""
    from sereno.accounts import invitations, users
    from sereno.accounts.names import checked_name
    from sereno.cli._users_store import checked_locale, checked_role, given_password, link, refuse_strangers

    kept, wanted = checked_name(name), checked_role(role)
    secret = given_password(kept, password_file, ask_password)
    with opened(data, database, create=True) as found, found.store.write() as connection:
        refuse_strangers(connection, customer)
        user = users.add_user(
            connection, found.act(), kept, wanted, customers=customer or (), locale=checked_locale(locale),
            email=email, password=secret,
        )  # fmt: skip
        token = None if secret else invitations.reset(connection, found.act(), user.name)
        where = link(found, connection, url, token)
    pressed(as_json, {**user_json(user), **({"link": where} if where else {})}, user_line(user), where)


@app.command()
def invite(
    role: Role, customer: Customers = None, url: Url = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print a one-time link by which somebody makes an account of this role, with a name of their own."""
    from sereno.accounts import invitations
    from sereno.cli._users_store import checked_role, link, refuse_strangers

    wanted = checked_role(role)
    with opened(data, database, create=True) as found, found.store.write() as connection:
        refuse_strangers(connection, customer)
        token = invitations.invite(connection, found.act(), wanted, customers=customer or ())
        where = link(found, connection, url, token)
    pressed(as_json, {"role": wanted, "link": where}, f"Invitación de {wanted}.", where)


@app.command("list")
def list_(data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """Every account."""
    from sereno.accounts import users

    with opened(data, database) as found, found.store.read() as connection:
        everybody = users.every_user(connection)
    if as_json:
        print_json({"users": [user_json(each) for each in everybody]})
        return
    for each in everybody:
        print(user_line(each))
    if not everybody:
        print("Ninguna cuenta: en este equipo se mira sin entrar, y nadie puede actuar.")


@app.command()
def show(name: Name, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """One account, and where it is logged in."""
    from sereno.accounts import sessions, users
    from sereno.clock import iso

    with opened(data, database) as found, found.store.read() as connection:
        user = users.needed(connection, name)
        open_ = sessions.of_user(connection, user, found.now_us, sessions.Lives())
    if as_json:
        places = [
            {"since": iso(each.created_us), "seen": iso(each.seen_us), "address": each.address, "agent": each.agent}
            for each in open_
        ]
        print_json({"users": [{**user_json(user), "sessions": places}]})
        return
    print(user_line(user))
    for each in open_:
        print(f"    sesión de {each.address or '—'} desde {iso(each.created_us)}, vista {iso(each.seen_us)}")


@app.command()
def role(
    name: Name, role: Annotated[str, typer.Argument(help="viewer, operator, manager or admin.", show_default=False)],
    customer: Customers = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give an account another role; its sessions end."""
    _set_role(name, role, customer, data, database, as_json)


@app.command()
def customers(
    name: Name, customer: Annotated[list[str], typer.Argument(help="Whose reports a manager sees.")],
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a manager these customers, and no others; their sessions end."""
    _set_role(name, None, customer, data, database, as_json)


def _set_role(
    name: str, role: str | None, customer: list[str] | None, data: Path | None, database: str | None, as_json: bool
) -> None:
    from sereno.accounts import users
    from sereno.accounts.names import AccountError
    from sereno.cli._users_store import checked_role, refuse_strangers

    with opened(data, database) as found, found.store.write() as connection:
        was = users.needed(connection, name).role
        if role is None and was != "manager":
            raise AccountError("role", f"{name}: is {was}; only a manager has customers")
        refuse_strangers(connection, customer)
        user = users.set_role(connection, found.act(), name, checked_role(role) if role else was, customer)
    pressed(as_json, user_json(user), user_line(user))


@app.command()
def disable(name: Name, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """Nobody logs in with it any more; who is logged in is not. Names are never removed: others would take them."""
    from sereno.accounts import users

    with opened(data, database) as found, found.store.write() as connection:
        user = users.disable(connection, found.act(), name)
    pressed(as_json, user_json(user), user_line(user))


@app.command()
def enable(name: Name, data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """An account that was disabled works again."""
    from sereno.accounts import users

    with opened(data, database) as found, found.store.write() as connection:
        user = users.enable(connection, found.act(), name)
    pressed(as_json, user_json(user), user_line(user))


@app.command()
def reset(
    name: Name, password_file: PasswordFile = None, ask_password: Ask = False, url: Url = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """A forgotten password: print a one-time link for a new one, or set the one that you give."""
    from sereno.accounts import invitations, users
    from sereno.cli._users_store import given_password, link

    secret = given_password(name, password_file, ask_password)
    with opened(data, database) as found, found.store.write() as connection:
        user = users.needed(connection, name)
        if user.disabled_us is not None:
            raise UsageError(f"{name}: is disabled; enable it first: sereno users enable {name}")
        token = None
        if secret:
            user = users.set_password(connection, found.act(), name, secret)
        else:
            token = invitations.reset(connection, found.act(), name)
        where = link(found, connection, url, token)
    pressed(as_json, {**user_json(user), **({"link": where} if where else {})}, user_line(user), where)
