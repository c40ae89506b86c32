"""Far ends of messages: an HTTP server that does as told, byte by byte, and Postfix's smtp-sink with its faults."""

import asyncio
import contextlib
import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

SMTP_SINK = "/usr/sbin/smtp-sink"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HANG, DRIP, HANG_UP = object(), object(), object()


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole HTTP answer; `Retry_After` stands for Retry-After."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpEnd:
    """Answers each request with the next of `script` (the last one for ever): bytes as they are, or a fault."""

    def __init__(self, *script: object) -> None:
        self.script = list(script) or [OK]
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._held: list[asyncio.Event] = []
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/in"
        return self

    async def __aexit__(self, *_: object) -> None:
        for event in self._held:
            event.set()
        self._server.close()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
            found = {name.lower(): value for name, value in headers.items()}
            body = await reader.readexactly(int(found.get("content-length", "0")))
            self.requests.append(({**found, "": head[0]}, body))
            does = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(does, bytes):
                writer.write(does)
                await writer.drain()
            elif does is DRIP:
                while not writer.is_closing():
                    writer.write(b"H")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            elif does is HANG:
                self._held.append(event := asyncio.Event())
                await event.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._serving.discard(task)


@contextlib.contextmanager
def smtp_sink(*options: str, folder: Path) -> Iterator[int]:
    """The port of a running sink; `options` are those of smtp-sink(1)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    privileges = ["-u", getpass.getuser()] if os.geteuid() == 0 else []  # it will not run as root unasked
    command = [SMTP_SINK, *privileges, *options, f"127.0.0.1:{port}", "10"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, "smtp-sink does not run"
            assert time.monotonic() < deadline, "smtp-sink does not listen"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=5)
