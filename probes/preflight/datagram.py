"""UDP at the edge of a preflight: one socket, its marks (DSCP) both ways, and the ICMP errors that it is told."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import struct
from typing import Any, Literal, Self

import msgspec

IP_RECVERR, IPV6_RECVERR, IP_RECVTOS = 11, 25, 13  # linux/in.h, linux/in6.h; Python 3.11 names none of them
MSG_ERRQUEUE = 0x2000
_ERROR = struct.Struct("@IBBBBII")  # struct sock_extended_err, linux/errqueue.h
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
_ANCILLARY = 512
_DATAGRAM = 65_535
T1 = 0.5  # RFC 3261 section 17.1.1.1


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A datagram that came: from whom, with which type-of-service octet (RFC 2474), None if the kernel did not say."""

    data: bytes
    source: tuple[str, int]
    tos: int | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking. `offender` is who sent the ICMP error."""

    kind: Literal["answered", "silence", "icmp", "unreachable"]
    heard: Heard | None = None
    offender: str | None = None
    detail: str | None = None


class Datagrams:
    """A UDP socket in one event loop; a context manager. Unconnected: the same source port asks several far ends."""

    def __init__(self, family: int, *, bind: tuple[str, int] | None = None, tos: int = 0) -> None:
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.family = family
        mark(self.sock, tos)
        listen_for_marks(self.sock)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if bind is not None:
            self.sock.bind(bind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    async def ask(self, to: Any, data: bytes, mine: bytes, *, seconds: float, again: bool = True) -> Outcome:
        """Send, and wait for a datagram that holds `mine` (a branch, a token); others are not for us."""
        loop = asyncio.get_running_loop()
        end, interval, due = loop.time() + seconds, T1, loop.time()
        while loop.time() < end:
            if loop.time() >= due:
                try:
                    self.sock.sendto(data, to)
                except OSError as error:
                    if (told := self._error()) is not None:
                        return told
                    return Outcome(kind="unreachable", detail=error.strerror or str(error))
                due, interval = (loop.time() + interval, interval * 2) if again else (end, interval)
            await readable(self.sock, min(due, end) - loop.time())
            if (told := self._error()) is not None:
                return told
            for heard in self.waiting():
                if mine in heard.data:
                    return Outcome(kind="answered", heard=heard)
        return Outcome(kind="silence")

    def waiting(self, most: int = 64) -> list[Heard]:
        """What has come, at most so much of it."""
        found: list[Heard] = []
        while len(found) < most and (heard := take(self.sock)) is not None:
            found.append(heard)
        return found

    def _error(self) -> Outcome | None:
        """What the error queue holds: an ICMP error with its sender, or an error of this machine."""
        try:
            _, ancillary, _, _ = self.sock.recvmsg(_DATAGRAM, _ANCILLARY, MSG_ERRQUEUE)
        except (BlockingIOError, InterruptedError):
            return None
        for _level, _kind, payload in ancillary:
            if len(payload) < _ERROR.size:
                continue
            number, origin, *_ = _ERROR.unpack_from(payload)
            words = errno.errorcode.get(number, str(number))
            if origin in {_ORIGIN_ICMP, _ORIGIN_ICMP6}:
                return Outcome(
                    kind="icmp" if number == errno.ECONNREFUSED else "unreachable",
                    offender=_offender(payload[_ERROR.size :]),
                    detail=words,
                )
            return Outcome(kind="unreachable", detail=words)
        return None


def take(sock: socket.socket) -> Heard | None:
    """The next datagram, None when there is none now."""
    while True:
        try:
            data, ancillary, _, source = sock.recvmsg(_DATAGRAM, _ANCILLARY)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:  # an ICMP error of an earlier packet; the error queue has it
            continue
        return Heard(data=data, source=(source[0], source[1]), tos=_tos(ancillary))


async def readable(sock: socket.socket, seconds: float) -> None:
    """Wait until something is there, or the time is over."""
    loop = asyncio.get_running_loop()
    came = loop.create_future()

    def note() -> None:
        if not came.done():
            came.set_result(None)

    loop.add_reader(sock.fileno(), note)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await came
    finally:
        loop.remove_reader(sock.fileno())


def mark(sock: socket.socket, tos: int) -> None:
    """What is sent from now on carries this octet."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)


def listen_for_marks(sock: socket.socket) -> None:
    """Ask the kernel to tell the octet of what arrives."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)


def local_address(family: int, to: Any) -> str:
    """The address that this machine uses toward a far end; OSError where there is no way."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(to)
        return str(sock.getsockname()[0])


def hostport(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tos(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, payload in ancillary:
        if level == socket.IPPROTO_IP and kind == socket.IP_TOS and payload:
            return payload[0]
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_TCLASS and payload:
            return int.from_bytes(payload[:4], "little") & 0xFF if len(payload) >= 4 else payload[0]  # noqa: PLR2004
    return None


def _offender(sockaddr: bytes) -> str | None:
    """Who sent the ICMP error (SO_EE_OFFENDER)."""
    if len(sockaddr) < 8:  # noqa: PLR2004 - sockaddr_in up to its address
        return None
    family = struct.unpack_from("@H", sockaddr)[0]
    if family == socket.AF_INET:
        return str(ipaddress.IPv4Address(sockaddr[4:8]))
    if family == socket.AF_INET6 and len(sockaddr) >= 24:  # noqa: PLR2004
        return str(ipaddress.IPv6Address(sockaddr[8:24]))
    return None
