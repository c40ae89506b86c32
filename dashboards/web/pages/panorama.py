"""`/`: is voice up, what is not, how old is the data."""

import threading

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import Permission, Person, guarded
from dashboards.web.live import Snapshot, Topic
from dashboards.web.site import Site
from dashboards.web.view import View
from dashboards.web.words import Words, sentence

FRAGMENTS = ("banner", "incidents", "matrix", "probes")


class Panorama:
    """The page, and what of it is live."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._view = View(site.store)
        self._one = threading.Lock()  # a view is one thread's at a time

    def allowed(self, person: Person, argument: str) -> bool:
        return not argument and person.customers is None

    def fragments(self, argument: str, words: Words) -> Snapshot:
        del argument
        with self._one:
            page, _found = self._view.panorama(self._site.clock.now_us())
        values = {"page": page, "w": words, "sentence": sentence(words, page) if page else ""}
        return {name: self._site.fragment(f"fragments/{name}.html", **values) for name in FRAGMENTS}

    def plots(self, argument: str, words: Words) -> bytes:
        del argument, words
        now_us = self._site.clock.now_us()
        with self._one:
            page, found = self._view.panorama(now_us)
            series = self._view.plots(found, now_us) if page else {}
        return msgspec.json.encode({k: {"t": s.times, "v": s.values} for k, s in series.items()})

    async def show(self, request: Request) -> Response:
        wall = request.query_params.get("wall") == "1"

        def whole() -> Response:
            words = self._site.words(request)
            return self._site.render(
                request, "panorama.html", fragments=self.fragments("", words), wall=wall, live="panorama"
            )

        return await self._site.threaded(whole)


def routes(site: Site) -> list[BaseRoute]:
    return [Route("/", guarded("read", Panorama(site).show), methods=["GET"])]


def topics(site: Site) -> dict[str, Topic]:
    return {"panorama": Panorama(site)}
