"""A SIP peer over TCP or TLS whose behaviour is a function of what it hears."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

HOST = "127.81.1.1"
Write = Callable[[bytes], None]


def answer(request: bytes, status: str = "200 OK", *extra: str, branch: str | None = None) -> bytes:
    lines = request.decode().split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {"Via", "From", "Call-ID", "CSeq"}]
    to = next(line for line in lines if line.startswith("To:")) + ";tag=peer"
    text = "\r\n".join([f"SIP/2.0 {status}", *kept, to, *extra, "Content-Length: 0"]) + "\r\n\r\n"
    if branch is not None:
        text = text.replace(text.split("branch=")[1].split("\r\n")[0], branch)
    return text.encode()


class StreamPeer:
    """`behave(request, number, connection)` is called for each request; `connection.write`, `.drop()`, `.reset()`."""

    def __init__(self, behave) -> None:
        self.behave, self.requests, self.connections, self.raw = behave, [], [], bytearray()

    def __call__(self):
        return _Side(self)


class _Side(asyncio.Protocol):
    def __init__(self, peer: StreamPeer) -> None:
        self.peer, self.heard = peer, b""

    def connection_made(self, transport):
        self.transport = transport
        self.peer.connections.append(self)

    def data_received(self, data):
        self.peer.raw += data
        self.heard += data
        while b"\r\n\r\n" in self.heard:
            request, self.heard = self.heard.split(b"\r\n\r\n", 1)
            if request.strip():
                self.peer.requests.append(request)
                self.peer.behave(request, len(self.peer.requests), self)

    def write(self, data: bytes, delay: float = 0.0) -> None:
        if delay:
            asyncio.get_running_loop().call_later(delay, self.transport.write, data)
        else:
            self.transport.write(data)

    def drop(self) -> None:
        self.transport.close()

    def reset(self) -> None:
        import socket
        import struct

        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


@contextlib.asynccontextmanager
async def stream_peer(behave, host: str = HOST, context: ssl.SSLContext | None = None, port: int = 0):
    """The peer, listening; `.port` says where."""
    peer = StreamPeer(behave)
    server = await asyncio.get_running_loop().create_server(peer, host, port, ssl=context)
    peer.port, peer.server = server.sockets[0].getsockname()[1], server
    try:
        yield peer
    finally:
        server.close()
        for one in peer.connections:
            one.transport.abort()
        await asyncio.sleep(0.02)


async def eventually(condition, seconds: float = 5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is polled is not ours to signal
            await asyncio.sleep(0.005)
