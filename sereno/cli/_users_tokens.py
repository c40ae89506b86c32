"""`sereno users token`: tokens of programs."""

from typing import TYPE_CHECKING, Annotated

import typer

from sereno.cli._users_store import AsJson, Data, Database, opened, print_json, token_json
from sereno.errors import UsageError

if TYPE_CHECKING:
    from sereno.accounts.tokens import Token

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What uses it, such as prometheus.", show_default=False)],
    scope: Annotated[
        list[str],
        typer.Option("--scope", help="read, incidents, maintenance, reports, forensics, metrics, alerts, users."),
    ],
    customer: Annotated[list[str] | None, typer.Option("--customer", help="Of these customers alone.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="Ends after so long, such as 90d.")] = None,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a token and print it, once; the store keeps its hash alone."""
    from sereno.accounts import tokens
    from sereno.cli._users_store import refuse_strangers
    from sereno.clock import parse_duration

    try:
        life_us = parse_duration(expires) if expires is not None else None
    except ValueError as error:
        raise UsageError(f"--expires: {error}") from None
    with opened(data, database) as found, found.store.write() as connection:
        refuse_strangers(connection, customer)
        made, text = tokens.make_token(connection, found.act(), name, scope, customers=customer or (), life_us=life_us)
    if as_json:
        print_json({**token_json(made), "token": text})
        return
    print(token_line(made, found.now_us))
    print(f"Ficha (no se vuelve a mostrar):\n{text}")


@app.command("list")
def list_(data: Data = None, database: Database = None, as_json: AsJson = False) -> None:
    """Every token, the newest first; never its text."""
    from sereno.accounts import tokens

    with opened(data, database) as found, found.store.read() as connection:
        every = tokens.every_token(connection)
    if as_json:
        print_json({"tokens": [token_json(each) for each in every]})
        return
    for each in every:
        print(token_line(each, found.now_us))
    if not every:
        print("Ninguna ficha.")


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="Its number in the list.", show_default=False)],
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """It opens nothing any more, at once."""
    from sereno.accounts import AccountError, tokens

    if number >= 2**63:
        raise AccountError("unknown", f"{number}: there is no such token; see sereno users token list")
    with opened(data, database) as found, found.store.write() as connection:
        gone = tokens.revoke(connection, found.act(), number)
    if as_json:
        print_json(token_json(gone))
    else:
        print(token_line(gone, found.now_us))


def token_line(token: "Token", now_us: int) -> str:
    """A token as people read it."""
    from sereno.clock import iso

    state = "revocada" if token.revoked_us is not None else "vale" if token.holds(now_us) else "vencida"
    listed = f" (de {', '.join(token.customers)})" if token.customers else ""
    used = f"usada {iso(token.used_us)}" if token.used_us is not None else "sin usar"
    return f"{token.id:>4}  {token.name:<20} {' '.join(sorted(token.scopes))}{listed}  {state}, {used}"
