"""The web application on a free loopback port, in a thread, to be stopped and started again."""

import asyncio
import socket
import threading
import time

import uvicorn


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """`make_app` is called at every start: a new server has nothing left of the old one but the store."""

    def __init__(self, make_app):
        self._make_app = make_app
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = None
        self._thread = None

    def start(self):
        config = uvicorn.Config(
            self._make_app(), host="127.0.0.1", port=self.port, log_level="warning", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()))
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)

    def stop(self):
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(10)
            assert not self._thread.is_alive(), "an open stream held the server"
            self._server = None
