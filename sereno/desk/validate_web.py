"""Faults of `web:` in `desk.yaml`."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from sereno.desk.model import Desk
from sereno.desk.validate_inbound import reference
from sereno.errors import ConfigError
from sereno.yamlfile import Document, is_url


def faults(document: Document, desk: Desk) -> Iterator[ConfigError]:
    """A provider is asked over TLS, and its secret is a reference."""
    oidc = desk.web.oidc
    if oidc is None:
        return
    where = ("web", "oidc")
    if not is_url(oidc.issuer, {"https"}) and not (is_url(oidc.issuer, {"http"}) and _is_here(oidc.issuer)):
        yield document.fault((*where, "issuer"), "is no address under TLS", "write https://login.example.net/realm")
    if oidc.client_secret is not None:
        yield from reference(document, (*where, "client_secret"), oidc.client_secret)
    if "openid" not in oidc.scopes:
        yield document.fault((*where, "scopes"), "asks for no identity", "add openid")
    if "manager" in oidc.roles.values() and oidc.customers is None:
        yield document.fault(
            where, "makes managers of nobody's customers", "add `customers:`, the claim that lists them"
        )


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
