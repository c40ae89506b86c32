"""Tokens of programs: made, listed, revoked. The text is in the answer that makes one, and nowhere else ever again."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.resources.accounts import Customers, Empty, act_by, refuse_strangers
from dashboards.web.api.shape import END, At, Number, Shape
from dashboards.web.refusal import Refused
from sereno.accounts import Scope, tokens
from sereno.clock import SECOND_US
from sereno.told.accounts import token_json

DAY_US = 86_400 * SECOND_US


class Token(Shape, frozen=True, kw_only=True):
    """As `sereno users token list --json`."""

    id: int
    name: str
    scopes: tuple[Scope, ...]
    customers: tuple[str, ...]
    created: At
    expires: At | None
    revoked: At | None
    used: At | None
    by: str


class NewToken(Token, frozen=True, kw_only=True):
    """With its text."""

    token: str


class Tokens(Shape, frozen=True, kw_only=True):
    """Every token, the newest first."""

    tokens: tuple[Token, ...]


class Wanted(Shape, frozen=True, kw_only=True):
    """What uses it, what it may, of whom, for how long."""

    name: Annotated[str, Meta(pattern="^[!-~](?:[ -~]{0,62}[!-~])?" + END, examples=["grafana"])]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=20)]
    customers: Customers = ()
    days: Annotated[int, Meta(ge=1, le=3_650)] | UnsetType = UNSET


class Numbered(Shape, frozen=True, kw_only=True):
    """A token by its number."""

    number: Number


def operations(context: Context) -> tuple[Operation, ...]:
    programs = Programs(context)
    return (
        Operation("GET", "/tokens", "tokens", "Every token", "Accounts", ("users",), programs.index, Tokens),
        Operation(
            "POST", "/tokens", "addToken", "Make a token", "Accounts", ("users",), programs.add, NewToken, body=Wanted,
            status=201, makes="/id",
        ),
        Operation(
            "GET", "/tokens/{number}", "token", "One token", "Accounts", ("users",), programs.show, Token,
            in_path=Numbered,
        ),
        Operation(
            "POST", "/tokens/{number}/revoke", "revokeToken", "It opens nothing any more, at once", "Accounts",
            ("users",), programs.revoke, Token, in_path=Numbered, body=Empty,
        ),
    )  # fmt: skip


class Programs:
    """Tokens in the store."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def index(self, call: Call) -> Answer:
        del call
        return Answer({"tokens": [token_json(each) for each in await self._context.read(tokens.every_token)]})

    async def show(self, call: Call) -> Answer:
        return Answer(await self._context.read(lambda connection: _needed(connection, call.path.number)))

    async def add(self, call: Call) -> Answer:
        said, act = call.body, act_by(call, self._context.clock.now_us())
        life_us = None if said.days is UNSET else said.days * DAY_US

        def make(connection: Connection) -> tuple[tokens.Token, str]:
            refuse_strangers(connection, said.customers)
            return tokens.make_token(connection, act, said.name, said.scopes, customers=said.customers, life_us=life_us)

        made, text = await self._context.write(make)
        where = {"location": f"/api/v1/tokens/{made.id}"}
        return Answer({**token_json(made), "token": text}, headers=where)

    async def revoke(self, call: Call) -> Answer:
        act = act_by(call, self._context.clock.now_us())

        def work(connection: Connection) -> dict[str, Any]:
            _needed(connection, call.path.number)
            return token_json(tokens.revoke(connection, act, call.path.number))

        return Answer(await self._context.write(work))


def _needed(connection: Connection, number: int) -> dict[str, Any]:
    for each in tokens.every_token(connection):
        if each.id == number:
            return token_json(each)
    raise Refused(404, f"there is no token {number}")
