"""What the inbound routes are told: who may act, by what secret, and what people are called."""

import logging
import re
from collections.abc import Mapping

import msgspec

from sereno.desk import Desk
from sereno.tokens import Keyring
from sereno.topology import explain_secret
from sereno.topology.model import Secret

log = logging.getLogger(__name__)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\s.*)?", re.DOTALL)  # as `sha256sum` prints it, too


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A program that may act: its token is known by its SHA-256 alone."""

    name: str
    digest: bytes
    may: frozenset[str]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`strict`: clients are named in the file, so that nobody acts without a token, loopback or not."""

    links: Keyring | None = None
    clients: tuple[Client, ...] = ()
    loopback: bool = False
    strict: bool = False
    locales: Mapping[str, str] = {}


def settings_of(desk: Desk | None, links: Keyring | None, *, loopback: bool) -> Settings:
    """The settings of a desk; a client whose secret cannot be had is told of and left out."""
    if desk is None:
        return Settings(links=links, loopback=loopback)
    found = []
    for name, client in desk.api.clients.items():
        digest, why = digest_of(name, client.token)
        if digest is None:
            log.error("API client %s is left out: %s", name, why)
            continue
        found.append(Client(name=name, digest=digest, may=frozenset(client.may)))
    return Settings(
        links=links,
        clients=tuple(found),
        loopback=loopback and not desk.api.clients,
        strict=bool(desk.api.clients),
        locales={name: person.locale for name, person in desk.people.items()},
    )


def digest_of(name: str, token: Secret) -> tuple[bytes | None, str]:
    """The SHA-256 of a client's token and nothing, or None and why not."""
    text, why = explain_secret(token, name)
    matched = _DIGEST.fullmatch((text or "").strip().lower())
    if matched is None:
        return None, why or "its secret is no SHA-256; write what `sha256sum` prints"
    return bytes.fromhex(matched[1]), ""
