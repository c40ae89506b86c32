"""The door: who a request comes from, asked of the store beside the loop; and whether who came in may stay.

A live stream asks once a beat. All of them together cost one read a second, however many there are.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from sqlalchemy import Connection
from starlette.requests import HTTPConnection

from dashboards.web.access import ANONYMOUS, OPEN_HOUSE, STRANGER, House, Person
from dashboards.web.accounts import cookies
from dashboards.web.accounts.settings import Access
from sereno.accounts import MAY, Scope, secret, sessions, tokens
from sereno.accounts.roles import meaning
from sereno.accounts.users import User, any_user
from sereno.clock import Clock
from sereno.errors import StoreError
from sereno.store import Store

_log = logging.getLogger("sereno.web")
FRESH_SECONDS = 1.0  # the first account closes the house, a logout ends a stream, within this
_FORGOTTEN_SECONDS = 30.0
_THREADS = 2
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host")
_Found = TypeVar("_Found")


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes, by which session or token."""

    person: Person = STRANGER
    session: str = ""  # its digest
    token: int = 0
    scopes: frozenset[Scope] | None = None

    @property
    def house(self) -> House:
        """What this house is to who does not log in."""
        standing = self.person.standing
        return standing if standing in {"open", "anonymous"} else "closed"


class Door:
    """One for each application."""

    def __init__(self, store: Store, clock: Clock, access: Access) -> None:
        self.access = access
        self._store, self._clock = store, clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="door")
        self._asked: dict[str, float] = {}  # sessions whose streams are open, and when one asked last
        self._alive: frozenset[str] = frozenset()
        self._closed = True
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._touching: set[asyncio.Future[None]] = set()

    async def threaded(self, work: Callable[[], _Found]) -> _Found:
        """What the work gives, done beside the loop and beside what renders pages."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def written(self, work: Callable[[Connection], _Found]) -> _Found:
        """What the work gives, in one short transaction that writes."""

        def write() -> _Found:
            with self._store.write() as connection:
                return work(connection)

        try:
            return await self.threaded(write)
        finally:
            self._read_at = None  # what is done here counts at once, what others do within a second

    async def read(self, work: Callable[[Connection], _Found]) -> _Found:
        """What the work gives, of one snapshot."""

        def look() -> _Found:
            with self._store.read() as connection:
                return work(connection)

        return await self.threaded(look)

    def now_us(self) -> int:
        return self._clock.now_us()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- coming in -----------------------------------------------------------------------------------------------------

    async def visit(self, connection: HTTPConnection) -> Visit:
        """Who this is; StoreError when that cannot be read."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret.is_token(given.strip()):
            return await self._program(given.strip())
        cookie = cookies.read("session", connection)
        if secret.is_secret(cookie):
            digest, now_us = secret.digest(cookie), self._clock.now_us()
            entry = await self.read(lambda c: sessions.entry(c, digest, now_us, self.access.lives))
            if entry is not None:
                self._touch(entry.session, now_us)
                return Visit(person=person_of(entry.user), session=digest)
        return Visit(person=await self._nobody(connection))

    async def _program(self, text: str) -> Visit:
        now_us = self._clock.now_us()
        token = await self.read(lambda c: tokens.holder(c, text, now_us))
        if token is None:
            return Visit()
        if token.used_us is None or abs(now_us - token.used_us) > tokens.TOUCH_US:
            self._later(lambda c: tokens.used(c, token.id, now_us))
        customers = frozenset(token.customers) or None
        who = Person(name=token.name, permissions=meaning(token.scopes), customers=customers, standing="token")
        return Visit(person=who, token=token.id, scopes=token.scopes)

    async def _nobody(self, connection: HTTPConnection) -> Person:
        if self.is_local(connection) and _names_this_machine(connection) and not await self.is_closed():
            return OPEN_HOUSE
        return ANONYMOUS if self.access.anonymous else STRANGER

    def is_local(self, connection: HTTPConnection) -> bool:
        """From this machine, through no proxy."""
        return self.access.loopback and not any(name in connection.headers for name in _FORWARDED)

    def _touch(self, session: sessions.Session, now_us: int) -> None:
        if now_us - session.seen_us > sessions.TOUCH_US:
            self._later(lambda c: sessions.touch(c, [session.digest], now_us))

    def _later(self, work: Callable[[Connection], None]) -> None:
        """Bookkeeping that nobody waits for."""

        async def done() -> None:
            try:
                await self.written(work)
            except StoreError as error:
                _log.warning("it is not noted who was here: %s", error)

        task = asyncio.ensure_future(done())
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    # -- staying -------------------------------------------------------------------------------------------------------

    async def is_closed(self) -> bool:
        """Whether an account exists, as of a second ago."""
        await self._refresh()
        return self._closed

    def ends(self, visit: Visit) -> Callable[[], Awaitable[bool]]:
        """Tells, whenever asked, whether this visit is over: logged out, disabled, the house closed meanwhile."""
        since = self._clock.monotonic()

        async def over() -> bool:
            if visit.session:
                new = visit.session not in self._asked
                self._asked[visit.session] = self._clock.monotonic()
                return not await self._still(visit.session, at_once=new)
            if visit.token:
                return self._clock.monotonic() - since > _FORGOTTEN_SECONDS  # it comes again, with its token
            return visit.person.standing == "open" and not await self._still("")

        return over

    async def _still(self, session: str, *, at_once: bool = False) -> bool:
        """Whether this session holds, or without one the house is open; while nobody can tell, all stays as it is."""
        try:
            await self._refresh(at_once=at_once)
        except StoreError as error:
            _log.warning("it is not known who may stay: %s", error)
            return True
        return session in self._alive if session else not self._closed

    async def _refresh(self, *, at_once: bool = False) -> None:
        async with self._reading:
            now = self._clock.monotonic()
            if self._read_at is not None and 0 <= now - self._read_at < FRESH_SECONDS and not at_once:
                return
            self._asked = {each: at for each, at in self._asked.items() if now - at < _FORGOTTEN_SECONDS}
            wanted, now_us = list(self._asked), self._clock.now_us()
            self._closed, held = await self.read(lambda c: self._look(c, wanted, now_us))
            self._alive, self._read_at = frozenset(held), now
        idle = [digest for digest, entry in held.items() if now_us - entry.session.seen_us > sessions.TOUCH_US]
        if idle:  # an open page counts as being there
            self._later(lambda c: sessions.touch(c, idle, now_us))

    def _look(self, connection: Connection, wanted: list[str], now_us: int) -> tuple[bool, dict[str, sessions.Entry]]:
        held = sessions.entries(connection, wanted, now_us, self.access.lives) if wanted else {}
        return any_user(connection), held


def person_of(user: User) -> Person:
    """An account as pages know it."""
    return Person(
        name=user.name, role=user.role, permissions=MAY[user.role], locale=user.locale, standing="person",
        customers=frozenset(user.customers) if user.role == "manager" else None,
    )  # fmt: skip


def _names_this_machine(connection: HTTPConnection) -> bool:
    """No name but its own: a page of another site can have its name resolved to 127.0.0.1 (DNS rebinding)."""
    host = connection.url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
