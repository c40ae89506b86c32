"""Asking a registrar for the bindings it holds: copies, strays and silence are the transaction machine's."""

import asyncio
import contextlib

import pytest
from stream_peer import answer

from probes.sip.fetch import Query, fetch

HOST = "127.84.7.1"
QUERY = Query(
    aor="sip:9000@voice.example", registrar="sip:voice.example", route=None, headers=(), user="9000", password="s3cret"
)


class Registrar(asyncio.DatagramProtocol):
    def __init__(self, behave):
        self.behave, self.requests = behave, []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.requests.append(data)
        for reply in self.behave(data, len(self.requests)):
            self.transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def registrar(behave):
    made = Registrar(behave)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, local_addr=(HOST, 0))
    try:
        yield made, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


def other_call(request):
    return answer(request, "403 Forbidden").replace(b"Call-ID: ", b"Call-ID: x")


def other_way(request):
    return answer(request, "404 Not Found").replace(b"CSeq:", b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nCSeq:")


@pytest.mark.parametrize("stray", [other_call, other_way, lambda _: b"\x00\xff", lambda _: b"\r\n\r\n"])
async def test_what_is_no_answer_to_it_is_not_taken_for_one(stray):
    async with registrar(lambda request, _: [stray(request), answer(request, "200 OK")]) as (_, port):
        got = await fetch(QUERY, HOST, port, seconds=1.0)
    assert (got.ending, got.reply.code, [each.direction for each in got.messages]) == (
        "answered", 200, ["sent", "received"],
    )  # fmt: skip


async def test_a_lost_request_goes_again():
    async with registrar(lambda request, number: [answer(request, "200 OK")] if number == 2 else []) as (at, port):
        got = await fetch(QUERY, HOST, port, seconds=2.0)
    assert (got.ending, got.reply.code, len(at.requests)) == ("answered", 200, 2)
    assert at.requests[0] == at.requests[1]
    assert b"Contact" not in at.requests[0]
    assert 0.5 <= got.seconds < 2


async def test_silence_and_nobody_there():
    async with registrar(lambda *_: []) as (_, port):
        silent = await fetch(QUERY, HOST, port, seconds=0.3)
    gone = await fetch(QUERY, HOST, port, seconds=0.3)
    assert (silent.ending, silent.reply, gone.ending, gone.reply) == ("timeout", None, "transport", None)
