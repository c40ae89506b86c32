"""Coming in and what people may: login, one-time links, the account page, users, tokens, the audit log."""

from starlette.routing import BaseRoute

from dashboards.web.accounts import invitation, login, oidc, own, people, programs, trail
from dashboards.web.accounts.door import Door
from dashboards.web.accounts.known import Known
from dashboards.web.accounts.oidc import provider_of
from dashboards.web.accounts.room import Room
from dashboards.web.accounts.settings import Access
from dashboards.web.accounts.vault import Vault
from dashboards.web.site import Site


def account_routes(site: Site, door: Door, vault: Vault) -> list[BaseRoute]:
    """Their routes."""
    room, provider = Room(site, door, vault), door.access.provider
    return [
        *login.routes(room, provider.label if provider is not None else ""),
        *oidc.routes(room, provider),
        *invitation.routes(room),
        *own.routes(room),
        *people.routes(room),
        *programs.routes(room),
        *trail.routes(room),
    ]


__all__ = ["Access", "Door", "Known", "Vault", "account_routes", "provider_of"]
