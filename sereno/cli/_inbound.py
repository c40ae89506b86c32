"""What the page takes in: the links' secret, the clients' hashes, and whether it listens on loopback only."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sereno.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboards.web.inbound import Settings
    from sereno.desk import Desk
    from sereno.tokens import Keyring

log = logging.getLogger("sereno.collector")


def link_keys(desk: "Desk | None", folder: Path | None) -> "Keyring | None":
    """The secret of links: the desk's file, else the environment, else the data directory's own; else there are none.

    One that is named and cannot be had is told of. The watch goes on, and its messages carry no links.
    """
    from sereno.notify import tell

    try:
        keys = _keys(desk, folder)
    except ConfigError as error:
        log.error("%s", error)  # noqa: TRY400  # a person's mistake, no trace
        tell("fault", f"{error}; messages go out without links")
        return None
    if keys is None and desk is not None and desk.people:
        tell("note", "messages carry no acknowledgement links: write `secrets: {links: {file: PATH}}` in desk.yaml")
    return keys


def _keys(desk: "Desk | None", folder: Path | None) -> "Keyring | None":
    from sereno.tokens import VARIABLE, keyring, keys_in
    from sereno.topology import explain_secret

    if desk is not None and desk.secrets.links is not None:
        where = "desk.yaml: secrets.links"
        found, why = explain_secret(desk.secrets.links, "links")
        if found is None:
            raise ConfigError(where, why, "two collectors need the same one")
        return keyring(found, where)
    if given := os.environ.get(VARIABLE):
        return keyring(given, VARIABLE)
    return keys_in(folder) if folder is not None else None


def ack_links(desk: "Desk | None", folder: Path | None) -> "Callable[[int, str, int], str] | None":
    """Makes the link by which a person acknowledges an incident; none without an address of the page, or a secret."""
    from alerting.service import URL_VARIABLE
    from sereno.tokens import ack_url

    page, keys = os.environ.get(URL_VARIABLE), link_keys(desk, folder)
    if page is None or keys is None:
        return None
    return lambda number, person, at_us: ack_url(keys, page, number, person, at_us)


def inbound_settings(desk: "Desk | None", folder: Path | None, *, private: bool) -> "Settings":
    """The settings of the page's inbound routes; `private`: nobody from beyond this machine comes in."""
    from dashboards.web.inbound import settings_of

    return settings_of(desk, link_keys(desk, folder), loopback=private)
