"""What every resource works with: the site, threads of the API's own, what the engines answer, the desk's inbox."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.requests import Request

from dashboards.web.api.caller import Caller
from dashboards.web.api.limits import Workers
from dashboards.web.api.operation import Call
from dashboards.web.inbound.asking import Asker
from dashboards.web.refusal import Refused, overloaded
from dashboards.web.site import Site
from sereno.clock import parse_instant
from sereno.store.commands import Outcome

_Found = TypeVar("_Found")


class Context:
    """One for each application."""

    def __init__(self, site: Site, asker: Asker, workers: Workers) -> None:
        self.site, self.store, self.clock, self.asker, self.workers = site, site.store, site.clock, asker, workers

    @property
    def answers(self) -> Any:
        """What the engines give beyond the store; 503 where this process has none."""
        if self.site.answers is None:
            raise overloaded("this process cannot ask the engines")
        return self.site.answers

    async def read(self, work: Callable[[Connection], _Found], *, heavy: bool = False) -> _Found:
        """What the work finds in one snapshot of the store."""

        def look() -> _Found:
            with self.store.read() as connection:
                return work(connection)

        return await self.workers.run(look, heavy=heavy)

    async def write(self, work: Callable[[Connection], _Found]) -> _Found:
        """What the work gives, in one short transaction."""

        def change() -> _Found:
            with self.store.write() as connection:
                return work(connection)

        return await self.workers.run(change)

    async def order(self, call: Call, verb: str, arguments: Mapping[str, Any], *, once: str, by: str = "") -> Outcome:
        """What the desk made of an order; the same Idempotency-Key of one caller is one order."""
        outcome = await self.asker.ask(verb, arguments, signed(call.caller, by), key_of(call, once))
        if outcome.state == "pending":
            raise Refused(202, "the desk has not answered yet; the order stays in its inbox", retry_after="5")
        if outcome.state == "refused":
            raise Refused(409, outcome.text)
        return outcome


def signed(caller: Caller, by: str) -> str:
    """Who acts, in timelines: the caller, or for whom it says that it acts."""
    by = " ".join("".join(each if each.isprintable() else " " for each in by).split())
    return f"{by} ({caller.name})" if by and by != caller.name else caller.name


def key_of(call: Call, once: str) -> str:
    """By what the inbox knows an order again."""
    said = call.request.headers.get("idempotency-key", uuid.uuid4().hex)
    return "api/" + hashlib.sha256(f"{call.caller.name}/{once}/{said}".encode()).hexdigest()[:40]


def instant(text: str) -> int:
    """Microseconds of an instant that has the form of one."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise Refused(409, str(error)) from None


def host(request: Request) -> str:
    """Where this is, as the caller knows it."""
    return f"{request.url.scheme}://{request.url.netloc}"
