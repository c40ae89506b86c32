"""The NOC page: Starlette, server-rendered fragments over SSE, strict CSP; only the inbound routes write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import jinja2
import msgspec
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.web import queries
from dashboards.web.gzipped import gzipped, takes_gzip
from dashboards.web.inbound import Refused, Settings, inbound_routes, refused
from dashboards.web.live import Broadcaster, Snapshot
from dashboards.web.view import View
from dashboards.web.words import GLYPHS, Words, sentence
from sereno.clock import Clock, SystemClock
from sereno.errors import StoreError
from sereno.store import Store
from sereno.version import __version__

HERE = Path(__file__).parent
LANGUAGES = ("es", "en")
FRAGMENTS = ("banner", "incidents", "matrix", "probes")
MetricsSource = Callable[[str], Awaitable[tuple[str, AsyncIterator[bytes]]]]  # Accept → content type, body in pieces

_SECURITY_HEADERS = [
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            b"font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class SecurityHeaders:
    """Adds the headers to every answer; plain ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_SECURITY_HEADERS]
            await send(message)

        await self._app(scope, receive, add if scope["type"] == "http" else send)


class Pages:
    """Routes, and the rendering that they share with the live stream."""

    def __init__(self, store: Store, clock: Clock, metrics: MetricsSource | None, name: str | None) -> None:
        self._name = name
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._view = View(store)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.broadcaster = Broadcaster(self.fragments, self.plots, self._view.marker, clock)

    def fragments(self, language: str) -> Snapshot:
        """Every fragment of the Panorama as HTML, in a language."""
        page, _found = self._view.panorama(self._clock.now_us())
        words = Words(language, page.timezone if page else "UTC")
        values = {"page": page, "w": words, "glyphs": GLYPHS, "sentence": sentence(words, page) if page else ""}
        return {name: self._templates.get_template(f"fragments/{name}.html").render(values) for name in FRAGMENTS}

    def plots(self) -> bytes:
        """The series of the live plots as JSON."""
        now_us = self._clock.now_us()
        page, found = self._view.panorama(now_us)
        if page is None:
            return b"{}"
        return msgspec.json.encode(
            {k: {"t": s.times, "v": s.values} for k, s in self._view.plots(found, now_us).items()}
        )

    async def panorama(self, request: Request) -> Response:
        language = _language(request)
        page, _found = self._view.panorama(self._clock.now_us())
        return self._page(
            "panorama.html",
            language,
            zone=page.timezone if page else "UTC",
            fragments=self.fragments(language),
            wall=request.query_params.get("wall") == "1",
        )

    async def incident(self, request: Request) -> Response:
        language = _language(request)
        page, _found = self._view.panorama(self._clock.now_us())
        with self._store.read() as connection:
            record = queries.incident(connection, request.path_params["number"])
        if record is None:
            return self._page("missing.html", language, status=404, number=request.path_params["number"])
        return self._page("incident.html", language, zone=page.timezone if page else "UTC", record=record)

    async def events(self, request: Request) -> Response:
        return EventSourceResponse(self.broadcaster.subscribe(_language(request)), ping=15)

    async def metrics(self, request: Request) -> Response:
        if self._metrics is None:
            return Response("no collector runs in this process\n", status_code=503, media_type="text/plain")
        kind, body = await self._metrics(request.headers.get("accept", ""))
        headers = {"content-type": kind, "vary": "Accept, Accept-Encoding", "cache-control": "no-store"}
        if takes_gzip(request.headers.get("accept-encoding", "")):
            headers["content-encoding"] = "gzip"
            body = gzipped(body)
        return StreamingResponse(body, headers=headers)

    async def health(self, request: Request) -> Response:
        """Whether somebody watches; who leads, who stands by, and which of them answers here."""
        del request
        with self._store.read() as connection:
            found = queries.collectors(connection, self._clock.now_us())
            heartbeat = queries.heartbeat(connection)
        leader = next((each for each in found if each.role == "leader"), None)
        said = {
            "collector_alive": leader is not None,
            "version": __version__,
            "role": next((each.role for each in found if each.name == self._name), "standby"),
            "leader": leader.host if leader is not None else None,
            "epoch": leader.epoch if leader is not None else None,
            "collectors": [
                {"host": each.host, "role": each.role, "page": each.page, "reaches_broker": each.broker}
                for each in found
            ],
            "heartbeat": heartbeat,
        }
        return JSONResponse(said, status_code=200 if leader is not None else 503)

    @staticmethod
    async def without_store(request: Request, error: Exception) -> Response:
        """The database cannot be read now: said in one line, not a stack."""
        del request
        said = {"collector_alive": False, "version": __version__, "error": str(error)}
        return JSONResponse(said, status_code=503, headers={"retry-after": "5"})

    def inbound(self, name: str, language: str, *, status: int = 200, **values: object) -> Response:
        """A page of the inbound routes, in the zone of the service."""
        page, _found = self._view.panorama(self._clock.now_us())
        return self._page(name, language, status=status, zone=page.timezone if page else "UTC", **values)

    def _page(self, name: str, language: str, *, status: int = 200, zone: str = "UTC", **values: object) -> Response:
        words = Words(language, zone)
        html = self._templates.get_template(name).render(
            w=words,
            glyphs=GLYPHS,
            language=language,
            version=__version__,
            now_ms=self._clock.now_us() // 1_000,
            **values,
        )
        return HTMLResponse(html, status_code=status, headers={"cache-control": "no-store"})


def _language(request: Request) -> str:
    wanted = request.query_params.get("lang") or request.cookies.get("lang") or "es"
    return wanted if wanted in LANGUAGES else "es"


def create_app(
    store: Store, clock: Clock | None = None, metrics: MetricsSource | None = None, name: str | None = None,
    *, inbound: Settings | None = None,
) -> Starlette:  # fmt: skip
    """The web application over a store; `metrics` gives what a scrape answers, by its Accept header.

    `name` is this process among the collectors, so that it can say whether it leads. Without `inbound` nothing
    comes in.
    """
    clock = clock or SystemClock()
    pages = Pages(store, clock, metrics, name)
    incoming = inbound_routes(store, clock, inbound, pages.inbound) if inbound is not None else []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        await pages.broadcaster.close()

    def route(path: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, handler, methods=["GET"])

    app = Starlette(
        routes=[
            route("/", pages.panorama),
            route("/incidents/{number:int}", pages.incident),
            route("/events", pages.events),
            route("/metrics", pages.metrics),
            route("/healthz", pages.health),
            *incoming,
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={StoreError: pages.without_store, Refused: refused},
        lifespan=lifespan,
    )
    app.state.broadcaster = pages.broadcaster
    return app
