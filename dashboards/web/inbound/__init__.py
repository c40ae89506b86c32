"""What comes in by HTTP: acknowledgement links, the API, Alertmanager (docs/inbound.md). Only POST changes anything."""

from starlette.routing import BaseRoute, Route

from dashboards.web.inbound.ack import AckPages, Render
from dashboards.web.inbound.alerts import Alertmanager
from dashboards.web.inbound.api import Api
from dashboards.web.inbound.asking import Asker
from dashboards.web.inbound.gate import Gate, Refused, refused
from dashboards.web.inbound.settings import Client, Settings, digest_of, settings_of
from sereno.clock import Clock
from sereno.store import Store


def inbound_routes(store: Store, clock: Clock, settings: Settings, render: Render, asker: Asker) -> list[BaseRoute]:
    """The routes that these settings allow: without clients the API exists on loopback only (DESIGN §14)."""
    routes: list[BaseRoute] = []
    if settings.links is not None:
        pages = AckPages(store, clock, asker, settings, render)
        routes += [
            Route("/ack/{token}", pages.show, methods=["GET"]),
            Route("/ack/{token}", pages.acknowledge, methods=["POST"]),
        ]
    if settings.clients or settings.loopback:
        gate = Gate(settings)
        api = Api(store, asker, gate)
        routes += [
            Route("/api/v1/incidents", api.index, methods=["GET"]),
            Route("/api/v1/incidents", api.open, methods=["POST"]),
            Route("/api/v1/incidents/{number:int}", api.show, methods=["GET"]),
            Route("/api/v1/incidents/{number:int}/{verb}", api.act, methods=["POST"]),
            Route("/api/v1/alertmanager", Alertmanager(store, clock, asker, gate).take, methods=["POST"]),
        ]
    return routes


__all__ = ["Client", "Refused", "Settings", "digest_of", "inbound_routes", "refused", "settings_of"]
