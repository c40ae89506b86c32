"""Accounts of people, and the audit log: for administrators."""

from typing import Annotated, Any, Literal

import msgspec
from babel import localedata
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from dashboards.web.access import act_of
from dashboards.web.api.caller import Need
from dashboards.web.api.context import Context, host, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import END, At, Instant, Name, Shape, TextCursor
from dashboards.web.refusal import Refused
from sereno.accounts import Act, Role, invitations, users
from sereno.accounts import log as audit_log
from sereno.store.queries.ledger import in_force
from sereno.told.accounts import line_json, user_json

USUAL, MOST = 100, 1_000
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]
Account = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._@+-]{0,63}" + END, description="Its name.", examples=["ana"])]
Customers = Annotated[tuple[Name, ...], Meta(max_length=200)]


class User(Shape, frozen=True, kw_only=True):
    """As `sereno users list --json`."""

    name: str
    role: Role
    customers: tuple[str, ...]
    locale: str
    email: str | None
    has_password: bool
    oidc: bool
    created: At
    disabled: At | None


class Users(Shape, frozen=True, kw_only=True):
    """Every account."""

    users: tuple[User, ...]


class Named(Shape, frozen=True, kw_only=True):
    """An account by its name."""

    name: Account


class NewUser(Shape, frozen=True, kw_only=True):
    """An account; its person sets the password by the one-time link that comes back."""

    name: Account
    role: Role
    customers: Customers = ()
    locale: Annotated[str, Meta(pattern="^[a-z]{2,3}(?:_[A-Z]{2})?" + END)] = users.LOCALE
    email: Annotated[str, Meta(pattern="^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}" + END)] | UnsetType = UNSET


class RoleChange(Shape, frozen=True, kw_only=True):
    """Another role; a manager has customers, nobody else does."""

    role: Role
    customers: Customers | UnsetType = UNSET


class Empty(Shape, frozen=True, kw_only=True):
    """Nothing more to say."""


class Invited(Shape, frozen=True, kw_only=True):
    """The account, and the one-time link: it is shown here and never again."""

    user: User
    link: str


class AuditLine(Shape, frozen=True, kw_only=True):
    """What somebody did, to an account or by the desk."""

    at: At
    who: str
    how: str
    address: str | None
    what: str
    about: str
    outcome: Literal["done", "refused", "pending"]
    said: str


class Audit(Shape, frozen=True, kw_only=True):
    """A page of the log, the newest first."""

    audit: tuple[AuditLine, ...]
    next: str | None


class Asked(Shape, frozen=True, kw_only=True):
    """Whose, which, when. `what` is how a verb begins: `login`, `user.`, `incident.ack`."""

    who: Annotated[str, Meta(pattern="^[!-~]{1,80}" + END)] | UnsetType = UNSET
    what: Annotated[str, Meta(pattern="^[a-z_.]{1,40}" + END)] | UnsetType = UNSET
    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant | UnsetType = UNSET
    limit: _Limit = USUAL
    cursor: TextCursor | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    people = People(context)
    needs: tuple[Need, ...] = ("users",)
    return (
        Operation("GET", "/users", "users", "Every account", "Accounts", needs, people.index, Users),
        Operation(
            "POST", "/users", "addUser", "Make an account", "Accounts", needs, people.add, Invited, body=NewUser,
            status=201, makes="/user/name",
        ),
        Operation("GET", "/users/{name}", "user", "One account", "Accounts", needs, people.show, User, in_path=Named),
        Operation(
            "POST", "/users/{name}/role", "changeRole", "Give an account another role; its sessions end", "Accounts",
            needs, people.change_role, User, in_path=Named, body=RoleChange,
        ),
        Operation(
            "POST", "/users/{name}/disable", "disableUser", "Nobody logs in with it any more", "Accounts", needs,
            people.disable, User, in_path=Named, body=Empty,
        ),
        Operation(
            "POST", "/users/{name}/enable", "enableUser", "An account that was disabled works again", "Accounts", needs,
            people.enable, User, in_path=Named, body=Empty,
        ),
        Operation(
            "POST", "/users/{name}/invitation", "inviteUser", "A one-time link for a new password", "Accounts", needs,
            people.invite, Invited, in_path=Named, body=Empty, status=201,
        ),
        Operation(
            "GET", "/audit", "audit", "What people did, the newest first", "Accounts", ("audit",), people.audit, Audit,
            in_query=Asked, paged=True, may_be=(409,),
        ),
    )  # fmt: skip


class People:
    """Accounts in the store; every change is one transaction with its line in the audit log."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def index(self, call: Call) -> Answer:
        del call
        return Answer({"users": [user_json(each) for each in await self._context.read(users.every_user)]})

    async def show(self, call: Call) -> Answer:
        return Answer(user_json(await self._context.read(lambda connection: _needed(connection, call.path.name))))

    async def add(self, call: Call) -> Answer:
        said, act = call.body, self.act(call)
        if not localedata.exists(said.locale):
            raise Refused(409, f"{said.locale} is no locale; write es_CO, es_CR, es_MX or en_US")

        def make(connection: Connection) -> tuple[users.User, str]:
            refuse_strangers(connection, said.customers)
            user = users.add_user(
                connection, act, said.name, said.role, customers=said.customers, locale=said.locale,
                email=None if said.email is UNSET else said.email,
            )  # fmt: skip
            return user, invitations.reset(connection, act, user.name)

        user, link = await self._context.write(make)
        where = {"location": f"/api/v1/users/{user.name}"}
        return Answer({"user": user_json(user), "link": f"{host(call.request)}/invite/{link}"}, headers=where)

    async def change_role(self, call: Call) -> Answer:
        said, act = call.body, self.act(call)

        def change(connection: Connection) -> users.User:
            _needed(connection, call.path.name)
            customers = None if said.customers is UNSET else said.customers
            refuse_strangers(connection, customers or ())
            return users.set_role(connection, act, call.path.name, said.role, customers)

        return Answer(user_json(await self._context.write(change)))

    async def disable(self, call: Call) -> Answer:
        return await self._standing(call, users.disable)

    async def enable(self, call: Call) -> Answer:
        return await self._standing(call, users.enable)

    async def invite(self, call: Call) -> Answer:
        act = self.act(call)

        def make(connection: Connection) -> tuple[users.User, str]:
            user = _needed(connection, call.path.name)
            return user, invitations.reset(connection, act, user.name)

        user, link = await self._context.write(make)
        return Answer({"user": user_json(user), "link": f"{host(call.request)}/invite/{link}"})

    async def audit(self, call: Call) -> Answer:
        said = call.query
        asked = audit_log.Asked(
            who="" if said.who is UNSET else said.who, what="" if said.what is UNSET else said.what,
            from_us=None if said.from_ is UNSET else instant(said.from_),
            to_us=None if said.to is UNSET else instant(said.to),
        )  # fmt: skip
        after = "" if said.cursor is UNSET else said.cursor
        found = await self._context.read(
            lambda connection: audit_log.lines(connection, asked, said.limit + 1, after), heavy=True
        )
        shown = found[: said.limit]
        following = shown[-1].place if len(found) > said.limit else None
        return Answer({"audit": [line_json(each) for each in shown], "next": following}, following=following)

    async def _standing(self, call: Call, change: Any) -> Answer:
        act = self.act(call)

        def work(connection: Connection) -> users.User:
            _needed(connection, call.path.name)
            found: users.User = change(connection, act, call.path.name)
            return found

        return Answer(user_json(await self._context.write(work)))

    def act(self, call: Call) -> Act:
        return act_by(call, self._context.clock.now_us())


def act_by(call: Call, at_us: int) -> Act:
    """For the audit log: the caller, by the API."""
    return msgspec.structs.replace(act_of(call.request, at_us), who=call.caller.name, how="api")


def refuse_strangers(connection: Connection, customers: tuple[str, ...]) -> None:
    """Refused for customers that the topology in force does not have."""
    watched = in_force(connection)
    known = list(watched[-1].topology.customers) if watched else []
    for name in customers:
        if name not in known:
            raise Refused(409, f"{name}: no such customer; they are {', '.join(known) or 'none yet'}")


def _needed(connection: Connection, name: str) -> users.User:
    found = users.user_named(connection, name)
    if found is None:
        raise Refused(404, f"there is no account {name}")
    return found


__all__ = ["Customers", "act_by", "operations", "refuse_strangers"]
