"""The media relay of one SBC: every call's packets pass it, and it breaks them as it is told.

    python -m deploy.lab.relay ADDRESS NG_FD CONTROL [UPSTREAM_PORT]

Its Kamailio drives it by the ng protocol, as it would an rtpengine. With UPSTREAM_PORT a true rtpengine stands on the
core's side of it, on the same address: then each SDP is shown to both, in the order in which the packets pass them.
CONTROL is a Unix socket: one JSON request a line, one JSON answer a line.
"""

import asyncio
import json
import secrets
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from deploy.lab import ng, sdp
from deploy.lab.impair import parse_impairment
from deploy.lab.lane import Switch
from deploy.lab.plan import RELAY_PORTS
from deploy.lab.sdp import Address
from deploy.lab.session import Ports, Session, Side
from sereno.errors import SerenoError

_LINGER_SECONDS = 2.0  # after the BYE: what is on its way, and a call that is asked for its password comes again
_FORGET_SECONDS = 180.0  # without a packet: a call whose BYE was never sent
_SWEEP_SECONDS = 10.0
_KEPT_CALLS = 32  # whose truth is still told when they are over
_UPSTREAM_SECONDS, _UPSTREAM_TRIES = 0.4, 2
_COOKIES = 256


class RelayError(SerenoError):
    """A command that cannot be done."""


class Upstream:
    """The rtpengine behind us."""

    def __init__(self, address: str, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sock.bind((address, 0))
        self._sock.connect((address, port))
        self._waiting: dict[bytes, asyncio.Future[ng.Command]] = {}
        asyncio.get_running_loop().add_reader(self._sock, self._readable)

    async def ask(self, command: ng.Command) -> ng.Command:
        """Its answer; RelayError when there is none or it refuses."""
        cookie = secrets.token_hex(8).encode()
        future: asyncio.Future[ng.Command] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = future
        try:
            for _ in range(_UPSTREAM_TRIES):
                with suppress(OSError):  # not there yet: ask again
                    self._sock.send(ng.join(cookie, command))
                with suppress(TimeoutError):
                    answer = await asyncio.wait_for(asyncio.shield(future), _UPSTREAM_SECONDS)
                    if answer.get(b"result") in {b"ok", b"pong"}:
                        return answer
                    raise RelayError(f"rtpengine refuses: {ng.text(answer, b'error-reason').decode(errors='replace')}")
        finally:
            del self._waiting[cookie]
        raise RelayError("rtpengine does not answer")

    def _readable(self) -> None:
        with suppress(OSError):
            while True:
                with suppress(ng.NgError):
                    cookie, answer = ng.split(self._sock.recv(65_535))
                    future = self._waiting.get(cookie)
                    if future is not None and not future.done():
                        future.set_result(answer)


class Relay:
    """All calls of one SBC."""

    def __init__(self, address: str, upstream: Upstream | None) -> None:
        self._address, self._upstream = address, upstream
        self._ports = Ports(address, *RELAY_PORTS)
        self._switch = Switch()
        self._calls: dict[bytes, Session] = {}
        self._ending: dict[bytes, asyncio.TimerHandle] = {}
        self._over = deque[Session](maxlen=_KEPT_CALLS)
        self._count = 0

    async def do(self, command: ng.Command) -> ng.Command:
        """One command of Kamailio; RelayError when it cannot be done."""
        verb = ng.text(command, b"command")
        if verb == b"ping":
            if self._upstream is not None:
                await self._upstream.ask(command)
            return {b"result": b"pong"}
        if verb in {b"offer", b"answer"}:
            return await self._describe(verb, command)
        if verb == b"delete":
            self._end_soon(command)
            return {b"result": b"ok"}
        raise RelayError(f"no such command {verb.decode(errors='replace')!r}")

    async def _describe(self, verb: bytes, command: ng.Command) -> ng.Command:
        """An SDP on its way through: from the probe it meets us first, from the core rtpengine."""
        side: Side = "core" if ng.text(command, b"label") == b"core" else "probe"
        call_id = ng.text(command, b"call-id")
        session = self._calls.get(call_id)
        if session is None:
            if verb == b"answer":
                raise RelayError("an answer to no offer")
            self._count += 1
            session = Session(call_id.decode(errors="replace"), self._count, self._switch, self._ports)
            self._calls[call_id] = session
        if (ending := self._ending.pop(call_id, None)) is not None:
            ending.cancel()
        onward = {key: value for key, value in command.items() if key != b"label"}
        if side == "probe":
            onward[b"sdp"] = self._moved(session, side, ng.text(onward, b"sdp"))
        if self._upstream is not None:
            onward[b"sdp"] = ng.text(await self._upstream.ask(onward), b"sdp")
        if side == "core":
            onward[b"sdp"] = self._moved(session, side, ng.text(onward, b"sdp"))
        return {b"result": b"ok", b"sdp": onward[b"sdp"]}

    def _moved(self, session: Session, side: Side, body: bytes) -> bytes:
        return sdp.moved(body, self._address, session.describe(side, sdp.places(body)))

    def _end_soon(self, command: ng.Command) -> None:
        call_id = ng.text(command, b"call-id")
        if call_id in self._calls and call_id not in self._ending:
            loop = asyncio.get_running_loop()
            self._ending[call_id] = loop.call_later(_LINGER_SECONDS, self._end, call_id, command)

    def _end(self, call_id: bytes, command: ng.Command) -> None:
        self._ending.pop(call_id, None)
        session = self._calls.pop(call_id)
        session.close()
        if any(figures["packets_in"] for figures in session.figures()):
            self._over.append(session)
        if self._upstream is not None:
            task = asyncio.get_running_loop().create_task(self._delete(self._upstream, command))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)

    async def _delete(self, upstream: Upstream, command: ng.Command) -> None:
        try:
            await upstream.ask({key: value for key, value in command.items() if key != b"label"})
        except RelayError as error:
            print(f"delete: {error}", flush=True)

    async def sweep(self) -> None:
        """End for ever what nobody has ended."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            before = asyncio.get_running_loop().time() - _FORGET_SECONDS
            for call_id, session in list(self._calls.items()):
                if session.heard_at < before and call_id not in self._ending:
                    self._end(call_id, {b"command": b"delete", b"call-id": call_id})

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`{"break": {"impairment": TEXT|null, "oneway": [DIRECTION…]}}`, or `{}` for the truth alone."""
        request = json.loads(await reader.readline())
        if (wanted := request.get("break")) is not None:
            words = wanted["impairment"]
            impairment = None if words is None else parse_impairment(words, words)
            self._switch.set(impairment, frozenset(wanted["oneway"]))
        writer.write(json.dumps(self._truth()).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _truth(self) -> list[dict[str, Any]]:
        return [figures for session in [*self._over, *self._calls.values()] for figures in session.figures()]


_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly


class NgSocket:
    """Kamailio's commands; one that was asked twice, because our answer was late, gets the same answer."""

    def __init__(self, sock: socket.socket, relay: Relay) -> None:
        self._sock, self._relay = sock, relay
        self._answers: dict[bytes, asyncio.Task[None]] = {}
        self._said: dict[bytes, bytes] = {}
        asyncio.get_running_loop().add_reader(sock, self._readable)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            while True:
                datagram, asker = self._sock.recvfrom(65_535)
                self._take(datagram, partial(self._reply, asker))

    def _reply(self, asker: Address, said: bytes) -> None:
        self._sock.sendto(said, asker)

    def _take(self, datagram: bytes, reply: Callable[[bytes], object]) -> None:
        try:
            cookie, command = ng.split(datagram)
        except ng.NgError as error:
            print(f"ng: {error}", flush=True)
            return
        if cookie in self._said:
            reply(self._said[cookie])
        elif cookie not in self._answers:
            self._answers[cookie] = asyncio.get_running_loop().create_task(self._answer(cookie, command, reply))

    async def _answer(self, cookie: bytes, command: ng.Command, reply: Callable[[bytes], object]) -> None:
        try:
            answer = await self._relay.do(command)
        except (RelayError, OSError) as error:
            print(f"ng: {error}", flush=True)
            answer = {b"result": b"error", b"error-reason": str(error).encode()}
        self._said[cookie] = ng.join(cookie, answer)
        del self._answers[cookie]
        while len(self._said) > _COOKIES:
            del self._said[next(iter(self._said))]
        reply(self._said[cookie])


async def serve(address: str, ng_fd: int, control: str, upstream_port: int | None) -> None:
    """Until killed."""
    upstream = None if upstream_port is None else Upstream(address, upstream_port)
    relay = Relay(address, upstream)
    sock = socket.socket(fileno=ng_fd)
    sock.setblocking(False)
    server = await asyncio.start_unix_server(relay.control, control)
    NgSocket(sock, relay)
    async with server:
        await relay.sweep()


def main() -> None:
    """Serve until killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address, ng_fd, control, *upstream = sys.argv[1:]
    asyncio.run(serve(address, int(ng_fd), control, int(upstream[0]) if upstream else None))


if __name__ == "__main__":
    main()
