"""What every page shares: the store, the clock, the templates, the words of who looks, and threads to read in."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dashboards.web import queries
from dashboards.web.access import STRANGER, csrf, person
from dashboards.web.days import Days
from dashboards.web.inbound.asking import Asker
from dashboards.web.view import View
from dashboards.web.words import GLYPHS, Words
from sereno.clock import Clock
from sereno.store import Store
from sereno.topology.model import Topology
from sereno.version import __version__

HERE = Path(__file__).parent
LANGUAGES = ("es", "en")
READERS = 4  # threads that read and render; the loop belongs to the collector
_Found = TypeVar("_Found")


class Site:
    """One for each application. `answers` is what the engines give beyond the store; None: they cannot be asked."""

    def __init__(self, store: Store, clock: Clock, *, name: str | None = None, answers: Any = None) -> None:
        self.store, self.clock, self.name, self.answers = store, clock, name, answers
        self.asker = Asker(store, clock)
        self.closing: list[Callable[[], Awaitable[None]]] = []  # what pages end when the application does
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="page")
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.view = View(store)
        self.days = Days(store, answers)
        self.made = _made()
        self._templates.globals |= {"glyphs": GLYPHS, "version": __version__}
        self._known: tuple[str | None, Topology | None] = (None, None)

    async def threaded(self, work: Callable[[], _Found]) -> _Found:
        """What the work gives, done beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def close(self) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)

    # -- words ---------------------------------------------------------------------------------------------------------

    @property
    def build(self) -> str:
        """What a page was made by and for: one that was made by another is loaded again."""
        topology = self._known[1]
        return f"{self.made}/{topology.timezone if topology else 'UTC'}"

    def language(self, request: Request) -> str:
        """By `?lang=`, the cookie, the person's locale; else Spanish."""
        said = (request.query_params.get("lang"), request.cookies.get("lang"), person(request).locale[:2])
        return next((each for each in said if each in LANGUAGES), LANGUAGES[0])

    def words(self, request: Request) -> Words:
        """Of the person who asks, in the zone of the service."""
        return self.words_in(self.language(request), person(request).locale)

    def words_in(self, language: str, locale: str = "") -> Words:
        topology = self.topology()
        return Words(language, topology.timezone if topology else "UTC", locale)

    def topology(self) -> Topology | None:
        """The one accepted last; None before the first."""
        with self.store.read() as connection:
            newest = queries.current_hash(connection)
            if newest != self._known[0]:
                found = queries.current_topology(connection)
                self._known = found or (None, None)
        return self._known[1]

    # -- pages ---------------------------------------------------------------------------------------------------------

    def fragment(self, name: str, **values: object) -> str:
        """A piece of a page as HTML; `w` are its words."""
        return self._templates.get_template(name).render(values)

    def filters(self, more: dict[str, Callable[..., Any]]) -> None:
        """Words that a page's own templates use."""
        self._templates.filters |= more

    async def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        """A whole page for the person who asks."""
        return await self.threaded(lambda: self.render(request, template, status=status, **values))

    def render(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        """The same, in a thread of yours."""
        who = {"reader": person(request), "csrf": csrf(request), "path": request.url.path}
        return self._answer(template, self.words(request), status, who | values)

    def plain(self, template: str, language: str, *, status: int = 200, **values: object) -> Response:
        """A page that does not depend on who looks, such as behind a signed link."""
        who = {"reader": STRANGER, "csrf": "", "path": ""}
        return self._answer(template, self.words_in(language), status, who | values)

    def _answer(self, template: str, words: Words, status: int, values: dict[str, object]) -> Response:
        html = self._templates.get_template(template).render(
            {
                "w": words,
                "language": words.language,
                "now_ms": self.clock.now_us() // 1_000,
                "live": "",
                "build": self.build,
            }
            | values
        )
        return HTMLResponse(html, status_code=status, headers={"cache-control": "no-store"})

    async def missing(self, request: Request, text: str, **values: object) -> Response:
        """404 with one sentence (an English id) about what is not there."""
        return await self.page(request, "missing.html", status=404, text=text, values=values)


def _made() -> str:
    """Stands for the version with its templates, styles and scripts."""
    known = hashlib.sha256(__version__.encode())
    for file in sorted([*(HERE / "templates").rglob("*"), *(HERE / "static").rglob("*")]):
        if file.is_file():
            known.update(file.read_bytes())
    return known.hexdigest()[:12]
