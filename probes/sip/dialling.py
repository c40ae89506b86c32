"""How a connection comes about: TCP, then TLS where wanted, each timed; a failure becomes a NetworkError in words."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from probes.sip.errors import NetworkError
from probes.sip.link import Link, Session
from probes.sip.resolve import Address
from probes.sip.tls import Contexts, TlsSettings, blind_context, read_certificate, session, why

P = TypeVar("P", bound=asyncio.Protocol)

_LOOK_SECONDS = 0.5  # for a second look at a certificate that was refused
_LOOK_AGAIN_SECONDS = 60.0
_DIGITS = 7
# A connection that idles between rare checks: is its other end still there, and the NAT in between? (tcp(7)) The kernel
# asks, not SIP (RFC 5626 section 3.5.1): it needs nobody's consent, and keeps a binding open all the same.
_KEEP_ALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


class Dialled(msgspec.Struct, Generic[P]):
    """A connection, and how it came about."""

    protocol: P
    link: Link


class Dialler:
    """Makes connections, and remembers for a while which certificates it refused."""

    def __init__(self, bind: str | None = None) -> None:
        self._bind = bind
        self._contexts = Contexts()
        self._looked: dict[tuple[Address, str], tuple[float, Session]] = {}

    async def dial(
        self, address: Address, protocol: Callable[[], P], *, settings: TlsSettings | None, seconds: float
    ) -> Dialled[P]:
        """A connection in so many seconds; NetworkError says what stood in its way."""
        context = self._contexts.get(settings) if settings is not None else None
        began = time.monotonic()
        sock = _socket(address, self._bind)
        try:
            connect_seconds = await _connect(sock, address, seconds)
            link = Link(connect_seconds=connect_seconds)
            if context is None or settings is None:
                _, made = await asyncio.get_running_loop().create_connection(protocol, sock=sock)
                return Dialled(made, link)
            until = began + seconds
            return await self._secure(sock, protocol, context, settings, link, address, until)
        except BaseException:
            sock.close()
            raise

    async def _secure(
        self,
        sock: socket.socket,
        protocol: Callable[[], P],
        context: ssl.SSLContext,
        settings: TlsSettings,
        link: Link,
        address: Address,
        until: float,
    ) -> Dialled[P]:
        began = time.monotonic()
        left = max(0.001, until - began)
        try:
            async with asyncio.timeout(left):
                transport, made = await asyncio.get_running_loop().create_connection(
                    protocol, sock=sock, ssl=context, server_hostname=settings.server_name
                )
        except TimeoutError:
            raise NetworkError("timeout", f"TCP is up, no TLS handshake in {left:.2f} s", link=link) from None
        except (ssl.SSLError, OSError, EOFError) as error:
            seen = Session(verified=False, why=why(error, settings))
            if isinstance(error, ssl.SSLCertVerificationError):
                seen = await self._look(address, settings, seen, until)
            link = msgspec.structs.replace(link, session=seen)
            raise NetworkError("tls", seen.why or "", link=link) from None
        except ValueError:  # UnicodeError too: what cannot be a name in SNI
            words = f"{settings.where}.server_name: {settings.server_name!r} is no name; write a host name"
            raise NetworkError("probe_fault", words) from None
        handshake_seconds = round(time.monotonic() - began, _DIGITS)
        agreed = session(transport.get_extra_info("ssl_object"), settings.server_name)
        link = msgspec.structs.replace(link, handshake_seconds=handshake_seconds, session=agreed)
        if not agreed.verified:
            transport.abort()
            raise NetworkError("tls", agreed.why or "the certificate is not accepted", link=link)
        return Dialled(made, link)

    async def _look(self, address: Address, settings: TlsSettings, seen: Session, until: float) -> Session:
        """The certificate that was refused, read over a second connection on which nothing else is said.

        Once a minute is enough: a check that fails every second need not ask for two handshakes each time.
        """
        key, now = (address, seen.why or ""), time.monotonic()
        known = self._looked.get(key)
        if known is not None and now - known[0] < _LOOK_AGAIN_SECONDS:
            return known[1]
        found = await self._read(address, settings, seen, min(until - now, _LOOK_SECONDS))
        if found.subject is not None:
            self._looked[key] = (now, found)
        return found

    async def _read(self, address: Address, settings: TlsSettings, seen: Session, seconds: float) -> Session:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, EOFError, ValueError):  # TimeoutError is one; it was refused all the same
            async with asyncio.timeout(max(0.001, seconds)):
                transport, _ = await loop.create_connection(
                    asyncio.Protocol,
                    str(address.sockaddr[0]),
                    int(address.sockaddr[1]),
                    ssl=blind_context(),
                    server_hostname=settings.server_name,
                    local_addr=(self._bind, 0) if self._bind is not None else None,
                )
            tls = transport.get_extra_info("ssl_object")
            der, cipher, version = tls.getpeercert(binary_form=True), tls.cipher(), tls.version()
            transport.abort()
            plain = msgspec.structs.replace(seen, version=version, cipher=cipher[0] if cipher else None)
            if der:
                return msgspec.structs.replace(read_certificate(plain, der), why=seen.why)
        return seen


def _socket(address: Address, bind: str | None) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        if bind is not None:
            sock.bind((bind, 0))
    except OSError as error:
        sock.close()
        raise NetworkError("transport", error.strerror or str(error)) from None
    return sock


async def _connect(sock: socket.socket, address: Address, seconds: float) -> float:
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except TimeoutError:
        raise NetworkError("timeout", f"no TCP connection in {seconds:.2f} s") from None
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        words = os.strerror(error.errno) if error.errno else str(error)  # asyncio puts its own words in place of these
        raise NetworkError("refused" if refused else "transport", words) from None
    return round(time.monotonic() - began, _DIGITS)
