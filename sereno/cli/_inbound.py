"""What the page takes in: the links' secret, the clients' hashes, and whether it listens on loopback only."""

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sereno.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboards.web.inbound import Settings
    from sereno.desk import Desk
    from sereno.tokens import Keyring


def link_keys(desk: "Desk | None", folder: Path | None) -> "Keyring | None":
    """The secret of links: the desk's file, else the environment, else the data directory's own; else there are none.

    ConfigError where one is named and cannot be had: links that the other collector cannot read would be worse.
    """
    from sereno.notify import tell
    from sereno.tokens import VARIABLE, keyring, keys_in
    from sereno.topology import explain_secret

    if desk is not None and desk.secrets.links is not None:
        found, why = explain_secret(desk.secrets.links, "links")
        if found is None:
            raise ConfigError("desk.yaml: secrets.links", why, "messages would go out without links")
        return keyring(found, "desk.yaml: secrets.links")
    if given := os.environ.get(VARIABLE):
        return keyring(given, VARIABLE)
    if folder is not None:
        return keys_in(folder)
    if desk is not None and desk.people:
        tell("note", "messages carry no acknowledgement links: write `secrets: {links: {file: PATH}}` in desk.yaml")
    return None


def ack_links(desk: "Desk | None", folder: Path | None) -> "Callable[[int, str, int], str] | None":
    """Makes the link by which a person acknowledges an incident; none without an address of the page, or a secret."""
    from alerting.service import URL_VARIABLE
    from sereno.tokens import ack_url

    page, keys = os.environ.get(URL_VARIABLE), link_keys(desk, folder)
    if page is None or keys is None:
        return None
    return lambda number, person, at_us: ack_url(keys, page, number, person, at_us)


def inbound_settings(desk: "Desk | None", folder: Path | None, host: str) -> "Settings":
    """The settings of the page's inbound routes."""
    from dashboards.web.inbound import settings_of

    return settings_of(desk, link_keys(desk, folder), loopback=ipaddress.ip_address(host).is_loopback)
