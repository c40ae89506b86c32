"""The far side of a preflight: returns a copy of what it received, and trains of packets as they came.

It serves strangers on the Internet, so it gives to nobody more octets than it got unless they proved their address, and
its work and memory are bounded: so many trains at once, so many packets of each.
"""

import asyncio
import logging
import secrets
import socket
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from probes.preflight import train
from probes.preflight.base import MOST_CALLS, MOST_SECONDS
from probes.preflight.datagram import Heard, hostport, listen_for_marks, mark, take
from probes.preflight.echo import answer, cookies_of
from sereno.errors import UsageError

log = logging.getLogger(__name__)

MOST_TRAINS = 8  # at once
_MOST_PACKETS = round(MOST_CALLS * MOST_SECONDS * train.PACKETS_PER_SECOND * 1.1)
_TRAIN_SECONDS = MOST_SECONDS + 20
_AT_ONCE = 64
CS3, EF = 96, 184  # type-of-service octets of RFC 4594 section 2.3: signalling, telephony


@dataclass
class _Train:
    since: float
    arrivals: train.Arrivals = field(default_factory=train.Arrivals)
    returned: int = 0


class Responder:
    """Answers on HOST:PORT and, to show what a NAT makes of a second destination, on PORT+1. `close()` it."""

    def __init__(self, host: str, port: int) -> None:
        self._secret = secrets.token_bytes(16)
        self._trains: OrderedDict[tuple[str, int], _Train] = OrderedDict()
        self._sockets: list[socket.socket] = []
        self.answered = self.refused = 0
        self.port = port
        try:
            self._open(host, port)
        except OSError as error:
            self.close()
            where = hostport(host, port)
            raise UsageError(
                f"--respond {where}: {error.strerror or error}; give a free address of this machine"
            ) from None

    def start(self) -> None:
        """Serve from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.add_reader(sock.fileno(), self._readable, sock)

    def close(self) -> None:
        for sock in self._sockets:
            try:
                asyncio.get_running_loop().remove_reader(sock.fileno())
            except RuntimeError:
                log.debug("no loop runs: there is no reader to remove")
            sock.close()
        self._sockets.clear()

    def _open(self, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        for offset in (0, 1):
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self._sockets.append(sock)
            listen_for_marks(sock)
            wanted = self.port + offset if self.port else 0
            sock.bind((address[0], wanted))
            if offset == 0:
                self.port = sock.getsockname()[1]

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            heard = take(sock)
            if heard is None:
                return
            reply, tos = self._reply(heard)
            if reply is None:
                self.refused += 1
                continue
            mark(sock, tos)
            try:
                sock.sendto(reply, heard.source)
            except OSError as error:
                log.debug("to %s: %s", heard.source, error)
                continue
            self.answered += 1

    def _reply(self, heard: Heard) -> tuple[bytes | None, int]:
        now = time.monotonic()
        packet = train.parse(heard.data)
        cookies = cookies_of(self._secret, heard.source, now)
        if packet is None:
            return answer(heard.data, heard.source, heard.tos, cookies), CS3
        if packet.cookie not in cookies:
            return None, EF
        return self._train(packet, heard, now), EF

    def _train(self, packet: train.Packet, heard: Heard, now: float) -> bytes | None:
        """The packet, returned as it came; at the end, what became of all of them."""
        for source, old in list(self._trains.items()):
            if now - old.since > _TRAIN_SECONDS:
                del self._trains[source]
        known = self._trains.get(heard.source)
        if known is None:
            if packet.kind != train.OUT or len(self._trains) >= MOST_TRAINS:
                return None
            known = self._trains[heard.source] = _Train(now)
        if packet.kind == train.ASK:
            told = train.Packet(train.TOLD, packet.cookie, packet.ssrc, packet.number, known.returned, packet.sent_ns)
            return train.build(told, len(heard.data), train.tell(known.arrivals))
        if packet.kind != train.OUT or known.returned >= _MOST_PACKETS or packet.number >= _MOST_PACKETS:
            return None
        known.arrivals.packet(packet.ssrc, packet.number, packet.sent_ns, time.monotonic_ns(), heard.tos)
        # Stamped anew: the way back has its own jitter.
        back = train.Packet(train.BACK, packet.cookie, packet.ssrc, packet.number, known.returned, time.monotonic_ns())
        known.returned += 1
        return train.build(back, len(heard.data))
