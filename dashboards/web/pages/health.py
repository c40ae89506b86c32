"""`/health`: the monitor about itself. What it does not know of itself it says it does not know."""

import threading

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web import vitals
from dashboards.web.access import Permission, Person, guarded
from dashboards.web.live import Snapshot, Topic
from dashboards.web.site import Site
from dashboards.web.vitals import Vitals
from dashboards.web.words import Words
from sereno.clock import SECOND_US

AGAIN_US = 2 * SECOND_US  # read no more often, however many look
PARTS = ("signs", "collectors", "probes", "messages", "inside")


class Health:
    """The page, and what of it is live."""

    permission: Permission = "read"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._one = threading.Lock()
        self._kept: Vitals | None = None

    def allowed(self, person: Person, argument: str) -> bool:
        return not argument and person.customers is None

    def fragments(self, argument: str, words: Words) -> Snapshot:
        del argument
        found = self._read()
        listed = vitals.signs(words, found)
        values = {
            "v": found, "w": words, "signs": listed, "state": vitals.whole(listed), "made": self._site.made,
            "probe_state": vitals.probe_state,
        }  # fmt: skip
        return {name: self._site.fragment(f"health/{name}.html", **values) for name in PARTS}

    def plots(self, argument: str, words: Words) -> bytes:
        del argument, words
        return b""

    def _read(self) -> Vitals:
        with self._one:
            now_us = self._site.clock.now_us()
            if self._kept is None or not 0 <= now_us - self._kept.at_us < AGAIN_US:
                topology = self._site.topology()
                self._kept = vitals.read(self._site.store, frozenset(topology.probes if topology else ()), now_us)
            return self._kept

    async def show(self, request: Request) -> Response:
        def whole() -> Response:
            fragments = self.fragments("", self._site.words(request))
            return self._site.render(request, "health.html", fragments=fragments, live="health")

        return await self._site.threaded(whole)


def routes(site: Site) -> list[BaseRoute]:
    return [Route("/health", guarded("read", Health(site).show), methods=["GET"])]


def topics(site: Site) -> dict[str, Topic]:
    return {"health": Health(site)}
