"""What comes in by HTTP: acknowledgement links here, the API in its own room (docs/inbound.md, docs/api.md)."""

from starlette.routing import BaseRoute, Route

from dashboards.web.inbound.ack import AckPages, Render
from dashboards.web.inbound.asking import Asker
from dashboards.web.inbound.settings import Client, Settings, digest_of, settings_of
from sereno.clock import Clock
from sereno.store import Store


def link_routes(store: Store, clock: Clock, settings: Settings, render: Render, asker: Asker) -> list[BaseRoute]:
    """The routes of acknowledgement links, where there is a secret for them. Only POST changes anything."""
    if settings.links is None:
        return []
    pages = AckPages(store, clock, asker, settings, render)
    return [
        Route("/ack/{token}", pages.show, methods=["GET"]),
        Route("/ack/{token}", pages.acknowledge, methods=["POST"]),
    ]


__all__ = ["Client", "Settings", "digest_of", "link_routes", "settings_of"]
