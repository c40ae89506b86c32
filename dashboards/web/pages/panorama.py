"""`/`: is voice up, what is not, how old is the data."""

import secrets
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web import board
from dashboards.web.access import Permission, Person, csrf, guarded, person
from dashboards.web.live import Rows, Snapshot, Topic
from dashboards.web.matrix import ALL, STABLE, Group, Look, arrange
from dashboards.web.records import Panorama as Page
from dashboards.web.records import SbcRow
from dashboards.web.site import Site
from dashboards.web.words import Words, sentence

FIRST_READING_SECONDS = 0.1  # so long the first page after a start waits for its bars
_KEPT = 4_000  # rendered rows


class Panorama:
    """The page, and what of it is live."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rendered: dict[tuple[str, str, str], tuple[object, str]] = {}  # by row and reader's words

    def allowed(self, person: Person, argument: str) -> bool:
        return person.customers is None and (not Look.read(argument).act or person.may("act"))

    def fragments(self, argument: str, words: Words) -> Snapshot:
        return self._fragments(Look.read(argument), words)

    def _fragments(self, look: Look, words: Words, *, token: str = "", wait: float = 0.0) -> Snapshot:
        page = self._site.view.page(self._site.clock.now_us())
        values: dict[str, object] = {"page": page, "w": words}
        if page is None:
            banner = self._site.fragment("panorama/banner.html", **values)
            return dict.fromkeys(("incidents", "matrix", "days", "probes", "told-mos", "told-rtt"), "") | {
                "banner": banner
            }
        sites, counted = board.sites_of(page)
        lines, more = board.incidents_of(page)
        listed, well = board.probes_of(page)
        named: dict[str, dict[str, object]] = {
            "banner": {
                "sentence": sentence(words, page), "sites": sites, "counted": counted, "quiet": board.quiet_of(page),
            },
            "incidents": {
                "lines": lines, "more": more, "act": look.act,
                "csrf": token, "once": secrets.token_hex(8) if token else "",
            },
            "probes": {"listed": listed, "well": well},
            "days": self._bars(words, page, wait),
        }  # fmt: skip
        found: dict[str, str | Rows] = {
            name: self._site.fragment(f"panorama/{name}.html", **values, **own) for name, own in named.items()
        }
        found["matrix"] = self._matrix(page, look, words)
        return found | board.told_of(words, page)

    def _bars(self, words: Words, page: Page, wait: float) -> dict[str, object]:
        scopes = board.scopes_of(page)
        lines = self._site.days.lines(scopes, page.topology_hash, page.timezone, page.at_us, wait=wait)
        told, folded = board.day_lines(words, page, lines)
        return {"lines": told, "folded": folded, "can": self._site.days.can}

    def _matrix(self, page: Page, look: Look, words: Words) -> Rows:
        shown = arrange(page, look)
        head = self._site.fragment(
            "panorama/head.html", page=page, w=words, look=look, shown=shown, density=density(page),
            clear="?" + urlencode(look._replace(q="").pairs(look.places)),
        )  # fmt: skip
        rows = {}
        for line in shown.lines:
            key = f"row-{line.name}" if isinstance(line, SbcRow) else line.key
            rows[key] = self._row(key, line, page, look, words)
        return Rows(head, rows, "</tbody></table>")

    def _row(self, key: str, line: SbcRow | Group, page: Page, look: Look, words: Words) -> str:
        """A row as HTML; made again only when what it says is another."""
        cores = tuple((core.name, core.state, core.reason) for core in page.cores)
        about = (line, page.collector_alive, cores, look if isinstance(line, Group) else None)
        place = (key, words.language, words.locale)
        kept = self._rendered.get(place)
        if kept is not None and kept[0] == about:
            return kept[1]
        values = {"w": words, "cores": page.cores, "alive": page.collector_alive}
        if isinstance(line, SbcRow):
            html = self._site.fragment("panorama/row.html", row=line, **values)
        else:
            html = self._site.fragment(
                "panorama/group.html", group=line, toggle=look.toggled(line.place or ""), **values
            )
        if len(self._rendered) >= _KEPT:
            self._rendered = {}
        self._rendered[place] = about, html
        return html

    def plots(self, argument: str, words: Words) -> bytes:
        del argument
        page = self._site.view.page(self._site.clock.now_us())
        series = {} if page is None else board.plots_of(self._site.view, page, words)
        return msgspec.json.encode({name: {"t": one.times, "v": one.values} for name, one in series.items()})

    async def show(self, request: Request) -> Response:
        look = Look.of(request.query_params.multi_items(), act=person(request).may("act"))

        def whole() -> Response:
            words = self._site.words(request)
            fragments = self._fragments(look, words, token=csrf(request), wait=FIRST_READING_SECONDS)
            page = self._site.view.page(self._site.clock.now_us())
            return self._site.render(
                request, "panorama.html", fragments=fragments, look=look, live=f"panorama/{look.argument}",
                density=density(page), sbcs=len(page.rows) if page else 0, holds=self._site.view.holds(),
            )  # fmt: skip

        return await self._site.threaded(whole)


def density(page: Page | None) -> str:
    """How the page is laid out: `few` one below the other, `many` and `crowd` side by side."""
    count = len(page.rows) if page else 0
    return "few" if count <= STABLE else ("many" if count <= ALL else "crowd")


def routes(site: Site) -> list[BaseRoute]:
    return [Route("/", guarded("read", Panorama(site).show), methods=["GET"])]


def topics(site: Site) -> dict[str, Topic]:
    return {"panorama": Panorama(site)}
