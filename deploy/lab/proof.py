"""Proof that the lab works: OPTIONS through every way that should work now, until each is answered by whom it should.

Also the dispatchers: an SBC that still takes a living core for dead would send phones the long way round. And the media
relays: one that is not ready, or that its SBC takes for dead, would let a call's packets pass it by.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.lab import ng, rpc
from deploy.lab.faults import Fault
from deploy.lab.plan import DOMAIN, FAR_END_PORTS, NG_PORT, SIP_PORT, Component, Plan
from deploy.lab.render import rpc_socket

_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Question:
    """An OPTIONS and who must answer it 200; `server` None for a far end, which does not say who it is."""

    name: str
    component: str
    """The machine it is about, for the look at one that was just healed."""
    to: tuple[str, int]
    uri: str
    route: str | None
    server: str | None


def questions(lab: Plan, faults: Iterable[Fault]) -> list[Question]:
    """Everything that should be answered while these faults last."""
    known = list(faults)
    silent = {fault.component for fault in known if fault.kind in {"kill", "freeze", "drop", "slow"}}
    refusing = {(fault.component, fault.core) for fault in known if fault.kind == "503"}
    found = [
        Question(
            f"{core.name} far end {port}", core.name, (core.address, port), f"sip:{core.address}:{port}", None, None
        )
        for core in lab.cores
        if core.name not in silent
        for port in FAR_END_PORTS
    ]
    for sbc in lab.sbcs:
        if sbc.name in silent:
            continue
        found.append(_through(sbc, sbc.name, f"sip:{sbc.address}:{SIP_PORT}", None, sbc.name))
        serves = [
            core
            for core in lab.cores
            if core.name not in silent and not {(sbc.name, None), (sbc.name, core.name)} & refusing
        ]
        route = f"<sip:{sbc.address}:{SIP_PORT};lr>"
        found += [
            _through(sbc, f"{sbc.name}/{core.name}", f"sip:{core.address}:{SIP_PORT}", route, core.name)
            for core in serves
        ]
        if any(core.name == sbc.primary for core in serves):
            found.append(_through(sbc, f"{sbc.name} natural", f"sip:{DOMAIN}", None, sbc.primary))
    return found


def _through(sbc: Component, name: str, uri: str, route: str | None, server: str | None) -> Question:
    return Question(name, sbc.name, (sbc.address, SIP_PORT), uri, route, server)


def blind_dispatchers(lab: Plan, state: Path, faults: Iterable[Fault]) -> list[str]:
    """The living SBCs that still take a living core for dead."""
    silent = {fault.component for fault in faults if fault.kind in {"kill", "freeze"}}
    alive = {core.address: core.name for core in lab.cores if core.name not in silent}
    found = []
    for sbc in lab.sbcs:
        if sbc.name in silent:
            continue
        try:
            seen = rpc.active_destinations(rpc_socket(state, sbc.name))
        except rpc.RpcError:
            seen = set()
        found += [f"{sbc.name} seeing {name}" for address, name in alive.items() if address not in seen]
    return found


async def mute_relays(lab: Plan, state: Path, faults: Iterable[Fault], seconds: float) -> list[str]:
    """The media relays that should answer an ng ping, and their rtpengine with them, and do not in so much time."""
    silent = {fault.component for fault in faults if fault.kind in {"kill", "freeze"}}
    open_ = {sbc.address: sbc.name for sbc in lab.sbcs if sbc.name not in silent}
    asked = dict(open_)
    end = time.monotonic() + seconds
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        while open_ and time.monotonic() < end:
            for address in open_:
                sock.sendto(ng.join(secrets.token_hex(8).encode(), {b"command": b"ping"}), (address, NG_PORT))
            with suppress(TimeoutError):
                while open_:
                    said, (address, _) = await asyncio.wait_for(loop.sock_recvfrom(sock, 1024), _AGAIN_SECONDS)
                    if said.endswith(ng.PONG):
                        open_.pop(address, None)
    shunned = [name for name in asked.values() if name not in open_.values() and not _uses_relay(state, name)]
    return [f"{name} media relay" for name in [*open_.values(), *shunned]]


def _uses_relay(state: Path, name: str) -> bool:
    """Whether this SBC takes its relay for alive; one that it does not is told to look again."""
    where = rpc_socket(state, name)
    try:
        if all(not one["disabled"] for one in rpc.call(where, "rtpengine.show", ["all"])):
            return True
        rpc.call(where, "rtpengine.enable", ["all", 1])
    except rpc.RpcError:
        return False
    return False


async def prove(asked: Iterable[Question], seconds: float) -> list[Question]:
    """Ask until everything is answered by the right one; what was not in time."""
    open_ = {secrets.token_hex(8): question for question in asked}
    end = time.monotonic() + seconds
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        while open_ and time.monotonic() < end:
            for key, question in open_.items():
                _send(sock, question, key)
            again = time.monotonic() + _AGAIN_SECONDS
            while open_ and (left := again - time.monotonic()) > 0:
                try:
                    reply = await asyncio.wait_for(loop.sock_recv(sock, 65_535), left)
                except TimeoutError:
                    break
                _take(reply.decode(errors="replace"), open_)
    return list(open_.values())


def _send(sock: socket.socket, question: Question, key: str) -> None:
    """A fresh transaction each time (RFC 3261 section 17.1.1): a refusal of a moment ago must not be repeated to us."""
    host, port = sock.getsockname()
    route = f"Route: {question.route}\r\n" if question.route else ""
    text = (
        f"OPTIONS {question.uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
        f"{route}Max-Forwards: 20\r\n"
        f"From: <sip:lab@{host}>;tag={secrets.token_hex(4)}\r\nTo: <{question.uri}>\r\n"
        f"Call-ID: {key}\r\nCSeq: 1 OPTIONS\r\nUser-Agent: sereno-lab\r\nContent-Length: 0\r\n\r\n"
    )
    sock.sendto(text.encode(), question.to)


def _take(reply: str, open_: dict[str, Question]) -> None:
    """Strike out the question that this reply answers as it should."""
    head = reply.partition("\r\n\r\n")[0].split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    key = headers.get("call-id", "")
    question = open_.get(key)
    good = head[0].startswith("SIP/2.0 200")
    if question is not None and good and question.server in {None, headers.get("server")}:
        del open_[key]
