"""Which bindings an account has: a REGISTER without Contact (RFC 3261 section 10.2.3), over UDP, digest and all.

pjsip always registers something, so this is asked beside it.
"""

import asyncio
import secrets
import time
from typing import Literal

import msgspec

from probes.sip.digest import Credentials, authorization, challenges
from probes.sip.ipc import Message
from probes.sip.message import MAX_FORWARDS, Reply, printable
from probes.sip.transaction import Answered, Ended, Expired, Send, Transaction
from sereno.version import __version__

_CHALLENGED = frozenset({401, 407})
_ROUNDS = 3  # an SBC and a core may both ask
_MESSAGES, _TEXT_LIMIT = 8, 4_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Whose bindings, of whom to ask, by which way."""

    aor: str
    registrar: str
    route: str | None
    headers: tuple[tuple[str, str], ...]
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Query({self.aor!r})"  # no password in logs


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The final answer, or how there is none."""

    ending: Literal["answered", "timeout", "transport"]
    reply: Reply | None = None
    seconds: float
    messages: tuple[Message, ...] = ()


class _Socket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | OSError] = asyncio.Queue(maxsize=64)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        del addr
        if not self.came.full():
            self.came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError) and not self.came.full():
            self.came.put_nowait(exc)


async def fetch(query: Query, host: str, port: int, *, seconds: float) -> Fetched:
    """Ask once; never raises for what the network does."""
    began, messages = time.monotonic(), list[Message]()
    until = began + seconds
    try:
        transport, socket = await asyncio.get_running_loop().create_datagram_endpoint(_Socket, remote_addr=(host, port))
    except OSError:
        return Fetched(ending="transport", seconds=0.0)
    local = transport.get_extra_info("sockname")
    here, call_id, tag = f"{local[0]}:{local[1]}", secrets.token_hex(12), secrets.token_hex(6)
    credentials: dict[str, str] = {}
    ending: Literal["answered", "timeout", "transport"] = "timeout"
    reply = None
    try:
        for cseq in range(1, _ROUNDS + 1):
            branch = f"z9hG4bK{secrets.token_hex(10)}"  # section 8.1.1.7
            request = _request(query, here, branch, call_id, tag, cseq, tuple(credentials.values()))
            asked = Transaction(
                request,
                branch=branch,
                cseq=cseq,
                method="REGISTER",
                timeout=max(0.0, until - time.monotonic()),
                call_id=call_id,
            )
            reply = await _ask(transport, socket, asked, messages)
            ending = "answered"
            if reply.code not in _CHALLENGED or not _answer(query, reply, credentials):
                break
    except TimeoutError:
        reply, ending = None, "timeout"
    except OSError:
        reply, ending = None, "transport"
    finally:
        transport.close()
    took = round(time.monotonic() - began, 7)
    return Fetched(ending=ending, reply=reply, seconds=took, messages=tuple(messages[:_MESSAGES]))


def _answer(query: Query, reply: Reply, credentials: dict[str, str]) -> bool:
    """Add what answers its challenges; False when they were answered before (and are not stale), or cannot be."""
    for challenge in challenges(reply):
        if challenge.header in credentials and not challenge.stale:
            return False
        who = Credentials(query.user, query.password)
        credentials[challenge.header] = authorization(challenge, who, method="REGISTER", uri=query.registrar)
        return True
    return False


async def _ask(
    transport: asyncio.DatagramTransport, socket: _Socket, asked: Transaction, messages: list[Message]
) -> Reply:
    """The final answer to this request; TimeoutError, OSError."""
    events = asked.start(time.monotonic())
    while True:
        for event in events:
            match event:
                case Send(data=data):
                    transport.sendto(data)
                    messages.append(Message(time.monotonic_ns(), "sent", printable(data, _TEXT_LIMIT)))
                case Answered(reply=reply, late=False):
                    return reply
                case Expired() | Ended():
                    raise TimeoutError
        due = asked.next_due
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                came = await socket.came.get()
        except TimeoutError:
            events = asked.tick(time.monotonic())
            continue
        if isinstance(came, OSError):
            raise came
        events = asked.received(came, time.monotonic())
        if events:  # no stray
            messages.append(Message(time.monotonic_ns(), "received", printable(came, _TEXT_LIMIT)))


def _request(
    query: Query, here: str, branch: str, call_id: str, tag: str, cseq: int, credentials: tuple[str, ...]
) -> bytes:
    lines = [
        f"REGISTER {query.registrar} SIP/2.0",
        f"Via: SIP/2.0/UDP {here};rport;branch={branch}",
        f"Max-Forwards: {MAX_FORWARDS}",
        *((f"Route: <{query.route}>",) if query.route else ()),
        f"From: <{query.aor}>;tag={tag}",
        f"To: <{query.aor}>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} REGISTER",
        *(f"{name}: {value}" for name, value in query.headers),
        *credentials,
        f"User-Agent: Sereno/{__version__}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
