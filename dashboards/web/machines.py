"""What programs read here without an account: `/metrics` for Prometheus, `/healthz` for load balancers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from dashboards.web import queries
from dashboards.web.access import for_all, is_local, scopes
from dashboards.web.gzipped import gzipped, takes_gzip
from dashboards.web.site import Site
from sereno.version import __version__

MetricsSource = Callable[[str], Awaitable[tuple[str, AsyncIterator[bytes]]]]  # Accept → content type, body in pieces


class Machines:
    """Two routes."""

    def __init__(self, site: Site, metrics: MetricsSource | None) -> None:
        self._site, self._metrics = site, metrics

    async def metrics(self, request: Request) -> Response:
        if not is_local(request) and "metrics" not in (scopes(request) or ()):
            raise HTTPException(401, "this needs a token with the scope metrics", {"www-authenticate": "Bearer"})
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
        return await self._site.threaded(self._health)

    def _health(self) -> Response:
        said = health_json(self._site)
        return JSONResponse(said, status_code=200 if said["collector_alive"] else 503)


def health_json(site: Site) -> dict[str, Any]:
    """Who leads, who stands by, which of them answers here, and whether the sign of life goes out."""
    with site.store.read() as connection:
        found = queries.collectors(connection, site.clock.now_us())
        heartbeat = queries.heartbeat(connection)
    leader = next((each for each in found if each.role == "leader"), None)
    return {
        "collector_alive": leader is not None,
        "version": __version__,
        "role": next((each.role for each in found if each.name == site.name), "standby"),
        "leader": leader.host if leader is not None else None,
        "epoch": leader.epoch if leader is not None else None,
        "collectors": [
            {"host": each.host, "role": each.role, "page": each.page, "reaches_broker": each.broker} for each in found
        ],
        "heartbeat": heartbeat,
    }


def machine_routes(site: Site, metrics: MetricsSource | None) -> list[BaseRoute]:
    """Their routes."""
    machines = Machines(site, metrics)
    return [
        Route("/metrics", for_all(machines.metrics), methods=["GET"]),
        Route("/healthz", for_all(machines.health), methods=["GET"]),
    ]
