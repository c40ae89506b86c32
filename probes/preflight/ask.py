"""Asking with an OPTIONS from a port of our own choice: of an SBC, or of a responder with its cookie."""

import socket
from typing import Any

import msgspec

from probes.preflight.base import Plan
from probes.preflight.datagram import Datagrams, Outcome, hostport, local_address
from probes.preflight.echo import Asked, Copy, cookie_in, copy_in, request
from probes.sip.errors import NetworkError
from probes.sip.resolve import Resolver


class Far(msgspec.Struct, frozen=True, kw_only=True):
    """A far end that answers OPTIONS over UDP."""

    name: str
    uri: str
    family: int
    sockaddr: tuple[Any, ...]
    responder: bool = False


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request, the answer to it, and the far side's copy of the request, of a responder."""

    far: Far
    asked: Asked
    local: tuple[str, int]
    outcome: Outcome
    copy: Copy | None = None


async def fars(plan: Plan) -> list[Far]:
    """Whom to ask: the chosen SBC first, then the responder's two ports, then the other SBCs."""
    found: list[Far] = []
    resolver = Resolver(plan.resolvers)
    try:
        for sbc in (plan.sbc, *plan.others):
            for address in sbc.addresses:
                if address.transport != "udp":
                    continue
                try:
                    at = await resolver.first(address, seconds=plan.timeout_seconds)
                except NetworkError:
                    continue  # the lines of DNS and ports tell it
                found.append(Far(name=sbc.name, uri=address.itself, family=at.family, sockaddr=at.sockaddr))
    finally:
        await resolver.close()
    return [*found[:1], *responders(plan), *found[1:]]


def responders(plan: Plan) -> list[Far]:
    """The responder's two ports; none when it was not named or its name leads nowhere."""
    if plan.responder is None:
        return []
    host, port = plan.responder
    try:
        rows = [socket.getaddrinfo(host, port + offset, type=socket.SOCK_DGRAM)[0] for offset in (0, 1)]
    except OSError:
        return []
    return [
        Far(name=f"responder {hostport(host, port + n)}", uri=f"sip:echo@{hostport(host, port + n)}",
            family=row[0], sockaddr=row[4], responder=True)
        for n, row in enumerate(rows)
    ]  # fmt: skip


async def ask(sock: Datagrams, far: Far, *, seconds: float) -> Seen:
    """One OPTIONS; of a responder a second one with the cookie that the first has brought."""
    host = local_address(far.family, far.sockaddr)
    if sock.sock.getsockname()[1] == 0:
        sock.sock.bind(("", 0))  # the same port toward every far end
    port = sock.sock.getsockname()[1]
    local = hostport(host, port)
    asked = request(far.uri, local)
    outcome = await sock.ask(far.sockaddr, asked.data, asked.branch.encode(), seconds=seconds)
    if far.responder and outcome.heard is not None and (cookie := cookie_in(outcome.heard.data)) is not None:
        asked = request(far.uri, local, cookie=cookie)
        outcome = await sock.ask(far.sockaddr, asked.data, asked.branch.encode(), seconds=seconds)
    copy = copy_in(outcome.heard.data) if far.responder and outcome.heard is not None else None
    return Seen(far=far, asked=asked, local=(host, port), outcome=outcome, copy=copy)
