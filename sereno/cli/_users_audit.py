"""`sereno users audit`: who did what."""

from typing import Annotated

import typer

from sereno.cli._users_store import AsJson, Data, Database, opened, print_json
from sereno.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    who: Annotated[str, typer.Option("--who", help="Of this person alone.", show_default=False)] = "",
    what: Annotated[str, typer.Option("--what", help="Verbs that begin so: login, user., incident.ack.")] = "",
    from_: Annotated[str | None, typer.Option("--from", help="ISO 8601 with offset.", show_default=False)] = None,
    to: Annotated[str | None, typer.Option("--to", help="ISO 8601 with offset.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many at most.")] = 100,
    data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What people did, the newest first: to accounts, and to incidents, maintenance and everything else of the desk."""
    from sereno.accounts.log import Asked, lines
    from sereno.clock import iso
    from sereno.told.accounts import line_json

    asked = Asked(who=who, what=what, from_us=_instant("--from", from_), to_us=_instant("--to", to))
    with opened(data, database) as found, found.store.read() as connection:
        every = lines(connection, asked, limit)
    if as_json:
        print_json({"audit": [line_json(each) for each in every]})
        return
    for each in every:
        said = f": {each.said}" if each.said else ""
        line = f"{iso(each.at_us)}  {each.who:<16} {each.what:<20} {each.about}  {each.outcome}{said}"
        print("".join(one if one.isprintable() else "�" for one in line))  # what others wrote steers no terminal


def _instant(option: str, text: str | None) -> int | None:
    from sereno.clock import parse_instant

    try:
        return parse_instant(text) if text is not None else None
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
