"""From a SIP URI to a socket address: literals cost nothing, names are asked of the system and remembered briefly.

No SRV or NAPTR (RFC 3263): the topology names each address of an SBC, and DNS has its own check.
"""

import asyncio
import ipaddress
import socket
from typing import Any

import msgspec

from probes.sip.errors import NetworkError
from probes.sip.uri import SipUri

REMEMBER_SECONDS = 10.0


class Address(msgspec.Struct, frozen=True):
    """What a socket needs to connect."""

    family: int
    sockaddr: tuple[Any, ...]


class Resolver:
    """Names to addresses; a failure is never remembered."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, Address]] = {}

    async def resolve(self, uri: SipUri, *, timeout_seconds: float) -> Address:
        """The first address of the URI's host; NetworkError `dns` when there is none in time."""
        port = uri.effective_port
        literal = _literal(uri.host, port)
        if literal is not None:
            return literal
        loop = asyncio.get_running_loop()
        known = self._known.get((uri.host, port))
        if known is not None and loop.time() - known[0] < REMEMBER_SECONDS:
            return known[1]
        try:
            async with asyncio.timeout(timeout_seconds):
                found = await loop.getaddrinfo(uri.host, port, type=socket.SOCK_DGRAM)
        except TimeoutError:
            raise NetworkError("dns", f"{uri.host}: no answer from the resolver in {timeout_seconds:g} s") from None
        except OSError as error:  # gaierror
            raise NetworkError("dns", f"{uri.host}: {error.strerror or error}") from None
        except UnicodeError:
            raise NetworkError("dns", f"{uri.host}: not a host name") from None
        if not found:
            raise NetworkError("dns", f"{uri.host}: no address")
        address = Address(found[0][0], tuple(found[0][4]))
        self._known[uri.host, port] = (loop.time(), address)
        return address


def _literal(host: str, port: int) -> Address | None:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004
    return Address(family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
