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
from probes.sip.exchange import Link
from probes.sip.resolve import Address
from probes.sip.tls import Contexts, Session, TlsSettings, blind_context, read_certificate, session, why

P = TypeVar("P", bound=asyncio.Protocol)

_LOOK_SECONDS = 0.5  # for a second look at a certificate that was refused
_DIGITS = 7


class Dialled(msgspec.Struct, Generic[P]):
    """A connection, and how it came about."""

    protocol: P
    link: Link


async def dial(
    address: Address,
    protocol: Callable[[], P],
    *,
    contexts: Contexts,
    settings: TlsSettings | None,
    bind: str | None,
    seconds: float,
) -> Dialled[P]:
    """A connection in so many seconds; NetworkError says what stood in its way."""
    context = contexts.get(settings) if settings is not None else None
    began = time.monotonic()
    sock = _socket(address, bind)
    try:
        connect_seconds = await _connect(sock, address, seconds)
        if context is None or settings is None:
            _, made = await asyncio.get_running_loop().create_connection(protocol, sock=sock)
            return Dialled(made, Link(connect_seconds=connect_seconds))
        left = seconds - (time.monotonic() - began)
        return await _secure(sock, protocol, context, settings, connect_seconds, address, bind, left)
    except BaseException:
        sock.close()
        raise


def _socket(address: Address, bind: str | None) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A connection that idles between rare checks: is its other end still there? (tcp(7))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
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


async def _secure(
    sock: socket.socket,
    protocol: Callable[[], P],
    context: ssl.SSLContext,
    settings: TlsSettings,
    connect_seconds: float,
    address: Address,
    bind: str | None,
    seconds: float,
) -> Dialled[P]:
    began = time.monotonic()
    link = Link(connect_seconds=connect_seconds)
    try:
        async with asyncio.timeout(max(0.001, seconds)):
            transport, made = await asyncio.get_running_loop().create_connection(
                protocol, sock=sock, ssl=context, server_hostname=settings.server_name
            )
    except TimeoutError:
        raise NetworkError("timeout", f"TCP is up, no TLS handshake in {max(0.0, seconds):.2f} s", link=link) from None
    except (ssl.SSLError, OSError, EOFError) as error:
        words = why(error, settings)
        seen = Session(verified=False, why=words)
        if isinstance(error, ssl.SSLCertVerificationError):
            seen = await _look(address, settings, bind, seen, seconds - (time.monotonic() - began))
        link = msgspec.structs.replace(link, session=seen)
        raise NetworkError("tls", words, link=link) from None
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


async def _look(address: Address, settings: TlsSettings, bind: str | None, seen: Session, seconds: float) -> Session:
    """The certificate that was refused, read over a second connection on which nothing else is said."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, EOFError, ValueError):  # TimeoutError is one; it was refused all the same
        async with asyncio.timeout(max(0.001, min(seconds, _LOOK_SECONDS))):
            host, port = str(address.sockaddr[0]), int(address.sockaddr[1])
            transport, _ = await loop.create_connection(
                asyncio.Protocol,
                host,
                port,
                ssl=blind_context(),
                server_hostname=settings.server_name,
                local_addr=(bind, 0) if bind is not None else None,
            )
        tls = transport.get_extra_info("ssl_object")
        der, cipher = tls.getpeercert(binary_form=True), tls.cipher()
        version = tls.version()
        transport.abort()
        plain = msgspec.structs.replace(seen, version=version, cipher=cipher[0] if cipher else None)
        if der:
            read = read_certificate(plain, der)
            return msgspec.structs.replace(read, why=seen.why)
    return seen
