"""The web application: pages, live stream, what comes in, what programs read; every answer under a strict CSP."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboards.web import queries
from dashboards.web.access import address_of, person
from dashboards.web.accounts import Access, Door, Known, Vault, account_routes
from dashboards.web.api import Api
from dashboards.web.guard import Guard
from dashboards.web.inbound import Settings, link_routes
from dashboards.web.live import Broadcaster, Channel
from dashboards.web.machines import MetricsSource, machine_routes
from dashboards.web.pages import routes_of, topics_of
from dashboards.web.refusal import Refused, refused
from dashboards.web.seats import Seats
from dashboards.web.site import HERE, Site
from sereno.clock import Clock, SystemClock
from sereno.errors import StoreError
from sereno.store import Store
from sereno.version import __version__


class Live:
    """`/events?topic=NAME/ARGUMENT`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seats = Seats()
        self.broadcaster = Broadcaster(
            topics_of(site), site.words_in, self._marker, site.clock, site.threaded, lambda: site.build
        )

    def _marker(self) -> object:
        """Something cheap that differs when verdicts or incidents do."""
        with self._site.store.read() as connection:
            return queries.marker(connection)

    def warm(self) -> None:
        """What the first page needs is read before anybody asks; a store that cannot be read is told to them."""
        panorama = self.broadcaster.topic("panorama")
        with suppress(StoreError):
            if panorama is not None:
                panorama.fragments("", self._site.words_in("es"))

    async def events(self, request: Request) -> Response:
        name, _, argument = request.query_params.get("topic", "panorama").partition("/")
        topic = self.broadcaster.topic(name)
        who = person(request)
        if topic is None:
            raise HTTPException(404)
        if not who.may(topic.permission) or not topic.allowed(who, argument):
            raise HTTPException(403 if who.name else 401)
        address = address_of(request)
        channel = Channel(name, argument, self._site.language(request), who.locale)
        if self.broadcaster.full(channel) or not self._seats.free(address):
            raise HTTPException(503)
        events = self.broadcaster.subscribe(channel)
        watched = self._seats.seated(address, _while_welcome(events, request))
        return EventSourceResponse(watched, ping=0)  # every second there is a beat


async def _while_welcome(events: AsyncGenerator[Any], request: Request) -> AsyncGenerator[Any]:
    """The events, until who watches is logged out, disabled or must log in; asked at every beat."""
    async with aclosing(events):
        async for event in events:
            if await request.state.ends():
                return
            yield event


async def without_store(request: Request, error: Exception) -> Response:
    """The database cannot be read now: said in one line, not a stack."""
    del request
    said = {"collector_alive": False, "version": __version__, "error": str(error)}
    return JSONResponse(said, status_code=503, headers={"retry-after": "5"})


def create_app(
    store: Store, clock: Clock | None = None, metrics: MetricsSource | None = None, name: str | None = None,
    *, inbound: Settings | None = None, answers: Any = None, access: Access | None = None,
) -> Starlette:  # fmt: skip
    """The web application over a store; `metrics` gives what a scrape answers, by its Accept header.

    `name` is this process among the collectors, so that it can say whether it leads. Without `inbound` nothing
    comes in. `answers` is what the engines give beyond the store (sereno/answers). `access` says who may look without
    logging in; by default, until there are accounts, whoever sits at this machine.
    """
    site = Site(store, clock or SystemClock(), name=name, answers=answers)
    live = Live(site)
    door, vault = Door(store, site.clock, access or Access()), Vault()
    inbound = inbound or Settings()
    api = Api(site, inbound)

    async def said(request: Request, error: Exception) -> Response:
        """A refusal or a page that is not there, in the words of who asks."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        if request.url.path.startswith(("/api/", "/events", "/static/", "/metrics")):
            detail = error.detail if isinstance(error, HTTPException) else "unexpected"
            return JSONResponse({"error": detail}, status_code=status, headers=headers)
        page = await site.page(request, "refused.html", status=status, code=status)
        page.headers.update(headers or {})
        return page

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        warming = asyncio.ensure_future(site.threaded(live.warm))
        yield
        await asyncio.gather(warming, return_exceptions=True)
        await live.broadcaster.close()
        for close in site.closing:
            await close()
        site.close()
        api.close()
        door.close()
        vault.close()

    app = Starlette(
        routes=[
            *routes_of(site),
            *account_routes(site, door, vault),
            Route("/events", live.events, methods=["GET"]),
            *machine_routes(site, metrics),
            *link_routes(store, site.clock, inbound, site.plain, site.asker),
            *api.routes,
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(Guard), Middleware(Known, door=door)],
        exception_handlers={StoreError: without_store, Refused: refused, HTTPException: said},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    app.state.broadcaster = live.broadcaster
    return app
