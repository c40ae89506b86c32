"""The HTTP API (docs/api.md): declared in `resources`, served by `serving`, described by `openapi`."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dashboards.web.api.caller import Gate
from dashboards.web.api.context import Context
from dashboards.web.api.limits import Buckets, Workers
from dashboards.web.api.once import Once
from dashboards.web.api.openapi import document
from dashboards.web.api.operation import PREFIX, Operation
from dashboards.web.api.resources import every_operation
from dashboards.web.api.serving import Endpoint
from dashboards.web.api.showing import FILTERS
from dashboards.web.inbound.settings import Settings
from dashboards.web.refusal import Refused
from dashboards.web.site import Site


class Api:
    """Every route under /api/v1."""

    def __init__(self, site: Site, settings: Settings) -> None:
        self._site, self._gate, self._workers = site, Gate(settings), Workers()
        site.filters(FILTERS)
        buckets, kept = Buckets(site.clock), Once(site.clock)
        self.operations = tuple(every_operation(Context(site, site.asker, self._workers)))
        by_path: dict[str, dict[str, Operation]] = {}
        for each in self.operations:
            by_path.setdefault(each.url, {})[each.method] = each
        self.routes: list[BaseRoute] = [
            Route(path, Endpoint(found, self._gate, buckets, self._workers, kept))
            for path, found in _literal_first(by_path)
        ]
        self.routes += [
            Route(f"{PREFIX}/openapi.json", self._openly(self._document), methods=["GET"]),
            Route(f"{PREFIX}/docs", self._openly(self._docs), methods=["GET"]),
            Route("/api/{rest:path}", Nowhere()),
            Route("/api", Nowhere()),
        ]

    def close(self) -> None:
        self._workers.close()

    def _openly(self, handler: Callable[[Request], object]) -> Callable[[Request], object]:
        """What the API can do is no secret; beyond loopback it is told once there is somebody to use it."""

        async def shown(request: Request) -> Response:
            if not self._gate.exists(request):
                raise Refused(404, "there is nothing here")
            return await handler(request)  # type: ignore[misc,no-any-return]

        shown.permission = "everybody"  # type: ignore[attr-defined]
        return shown

    async def _document(self, request: Request) -> Response:
        found = document(self.operations, open_house=self._gate.open_house(request))
        return Response(
            msgspec.json.encode(found), media_type="application/json", headers={"cache-control": "no-cache"}
        )

    async def _docs(self, request: Request) -> Response:
        found = document(self.operations, open_house=self._gate.open_house(request))
        return await self._site.page(request, "api.html", document=found)


class Nowhere:
    """What is under /api and is nothing."""

    permission = "everybody"

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        error = Refused(404, f"there is nothing here; {PREFIX}/docs says what there is")
        await error.answer()(scope, receive, send)  # type: ignore[arg-type]


def _literal_first(found: dict[str, dict[str, Operation]]) -> list[tuple[str, dict[str, Operation]]]:
    """`/alarms/silences` before `/alarms/{name}`: the first route that matches is taken."""
    return sorted(found.items(), key=lambda pair: (pair[0].count("{"), pair[0]))


__all__ = ["Api"]
