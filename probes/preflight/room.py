"""Room for N calls: 100 kbit/s each way and call, really sent, to the responder only, for some seconds."""

import asyncio
import errno
import socket
import time
from typing import Any

import msgspec

from probes.preflight import train
from probes.preflight.ask import ask, responders
from probes.preflight.base import NEEDS_RESPONDER, Line, Plan, Say, State, untested
from probes.preflight.datagram import Datagrams
from probes.preflight.echo import cookie_in

_EF = 184
_UDP_IP = {socket.AF_INET: 28, socket.AF_INET6: 48}
_TAIL_SECONDS = 0.6
_LOSS_POOR, _LOSS_BAD = 0.005, 0.03  # G.711 with concealment: MOS 4.3 at 1 %, 4.1 at 3 % (docs/media.md)
_JITTER_POOR = 0.030
_REORDERED_POOR = 0.01
_SENT_LEAST = 0.98
_SENT_BACK_LEAST = 0.95  # else what came back says little of so many calls


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What was planned, what left, and what arrived at either end."""

    calls: int
    planned: int
    sent: int
    seconds: float
    returned: int
    up: train.Told | None
    down: train.Told


async def room(plan: Plan) -> list[Line]:
    """One line for each way."""
    subject = f"{plan.calls} × 100 kbit/s"
    found = responders(plan)
    if not found:
        return [untested("room", subject, Say("a load is sent to nobody but a responder"), NEEDS_RESPONDER)]
    far = found[0]
    with Datagrams(far.family, tos=_EF) as sock:
        sock.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        seen = await ask(sock, far, seconds=plan.timeout_seconds)
        cookie = cookie_in(seen.asked.data)
        if seen.copy is None or cookie is None:
            return [untested("room", subject, Say("the responder did not answer"), NEEDS_RESPONDER)]
        return judge(subject, await _Sender(sock, far.sockaddr, cookie, plan).run())


class _Sender:
    """Sends the trains of all calls through one socket and counts what comes back."""

    def __init__(self, sock: Datagrams, to: Any, cookie: str, plan: Plan) -> None:
        self._sock, self._to, self._cookie, self._plan = sock, to, cookie, plan
        self._octets = train.IP_OCTETS - _UDP_IP[socket.AF_INET6 if sock.family == socket.AF_INET6 else socket.AF_INET]
        self._down = train.Arrivals()
        self._told: train.Packet | None = None
        self._up: train.Told | None = None
        self.sent = 0

    async def run(self) -> Run:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock.sock.fileno(), self._readable)
        began = time.monotonic()
        planned = round(self._plan.calls * self._plan.seconds * train.PACKETS_PER_SECOND)
        try:
            await self._send(planned, began)
            took = time.monotonic() - began
            await asyncio.sleep(_TAIL_SECONDS)
            await self._ask()
        finally:
            loop.remove_reader(self._sock.sock.fileno())
        returned = self._told.returned if self._told is not None else 0
        down = train.told_in(train.build(train.Packet(train.TOLD, "", 0, 0, 0, 0), 0, train.tell(self._down)))
        return Run(
            calls=self._plan.calls,
            planned=planned,
            sent=self.sent,
            seconds=took,
            returned=returned,
            up=self._up,
            down=down,
        )

    async def _send(self, planned: int, began: float) -> None:
        """Evenly spread; what a late wake-up missed goes at once, as a phone's own scheduler would."""
        rate = self._plan.calls * train.PACKETS_PER_SECOND
        number = 0
        while number < planned:
            due = min(planned, int((time.monotonic() - began) * rate) + 1)
            for one in range(number, due):
                self._put(train.OUT, one)
            number = due
            await asyncio.sleep(max(0.001, 1 / rate))

    def _put(self, kind: bytes, number: int) -> None:
        packet = train.Packet(kind, self._cookie, 1 + number % self._plan.calls, number, 0, time.monotonic_ns())
        try:
            self._sock.sock.sendto(train.build(packet, self._octets), self._to)
        except OSError as error:
            # ENOBUFS: this machine's queue toward the line threw it away (with IP_RECVERR the kernel tells): the
            # line did it. Anything else (the socket's buffer, an ICMP error of an earlier packet): it never left.
            if error.errno != errno.ENOBUFS:
                return
        self.sent += kind == train.OUT

    async def _ask(self) -> None:
        for _ in range(5):
            self._put(train.ASK, 0)
            for _ in range(20):
                if self._told is not None:
                    return
                await asyncio.sleep(0.02)

    def _readable(self) -> None:
        at_ns = time.monotonic_ns()
        for heard in self._sock.waiting(256):
            packet = train.parse(heard.data)
            if packet is None or packet.cookie != self._cookie:
                continue
            if packet.kind == train.BACK:
                self._down.packet(packet.ssrc, packet.returned, packet.sent_ns, at_ns, heard.tos)
            elif packet.kind == train.TOLD:
                self._told, self._up = packet, train.told_in(heard.data)


def judge(subject: str, run: Run) -> list[Line]:
    """Pure: a line for each way."""
    if run.up is None:
        said = Say("the train left and the responder never told what arrived")
        remedy = Say("the line stops under this load, or a firewall takes it for a flood: try fewer calls")
        return [Line(test="room", subject=subject, state="failed", said=said, remedy=remedy, facts={"sent": run.sent})]
    if run.sent < _SENT_LEAST * run.planned:
        values = {"sent": run.sent, "planned": run.planned}
        said = Say("this machine sent {sent} of {planned} packets in time: it is too slow for the test", values)
        return [
            Line(test="room", subject=subject, state="unknown", said=said, remedy=Say("try fewer calls"), facts=values)
        ]
    return [
        _way(f"{subject} ↑", run, run.sent, run.up),
        _way(f"{subject} ↓", run, run.returned, run.down),
    ]


def _way(subject: str, run: Run, sent: int, told: train.Told) -> Line:
    lost = max(0, sent - told.received)
    loss = lost / sent if sent else 1.0
    reordered = told.reordered / told.received if told.received else 0.0
    kbit = told.received * train.IP_OCTETS * 8 / run.seconds / 1000
    values = {
        "kbit": f"{kbit:.0f}", "loss": f"{100 * loss:.2f}", "jitter": f"{told.jitter_seconds * 1e3:.1f}",
        "reordered": f"{100 * reordered:.2f}",
    }  # fmt: skip
    facts = {
        "calls": run.calls, "seconds": round(run.seconds, 3), "sent": sent, "received": told.received, "lost": lost,
        "loss_ratio": round(loss, 6), "duplicates": told.duplicates, "reordered": told.reordered,
        "jitter_seconds": round(told.jitter_seconds, 6), "kbit_per_second": round(kbit, 1),
        "dscp": None if told.tos is None else told.tos >> 2,
    }  # fmt: skip
    state: State = "ok"
    remedy = None
    if loss > _LOSS_BAD:
        state = "failed"
        remedy = Say("the line has no room for so many calls: give voice priority at the router, or more bandwidth")
    elif loss > _LOSS_POOR or told.jitter_seconds > _JITTER_POOR or reordered > _REORDERED_POOR:
        state = "warning"
        remedy = Say("give voice priority at the router; look for Wi-Fi, VPN and load balancing on the way")
    elif sent < _SENT_BACK_LEAST * run.planned:
        said = Say(
            "only {sent} of {planned} packets were there to be sent back", {"sent": sent, "planned": run.planned}
        )
        remedy = Say("mend the other way first, and test again")
        return Line(test="room", subject=subject, state="unknown", said=said, remedy=remedy, facts=facts)
    said = Say("{kbit} kbit/s arrived; loss {loss} %, jitter {jitter} ms, out of order {reordered} %", values)
    return Line(test="room", subject=subject, state=state, said=said, remedy=remedy, facts=facts)
