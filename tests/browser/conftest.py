"""A served page over a seeded store, and Debian's Chromium to look at it."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import sync_playwright
from web_seed import Seed

from dashboards.web.app import create_app
from sereno.store import open_store

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


class Served:
    """A web server in a thread, which can be stopped and started again on the same port."""

    def __init__(self, store):
        self.store = store
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = None
        self._thread = None
        self._beating = threading.Event()

    def start(self):
        app = create_app(self.store)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=self.port, log_level="warning", timeout_graceful_shutdown=1, lifespan="on"
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


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    yield opened
    opened.dispose()


@pytest.fixture
def seed(store):
    return Seed(store, time.time_ns() // 1_000)


@pytest.fixture
def served(store, seed):
    server = Served(store)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def page(browser):
    """A page that fails the test on any console error."""
    context = browser.new_context(
        locale="es-CO", timezone_id="America/Bogota", viewport={"width": 1920, "height": 1080}
    )
    opened = context.new_page()
    errors = []
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.errors = errors
    yield opened
    context.close()


@pytest.fixture
def keep(page):
    """Keeps a screenshot among the artifacts."""

    def save(name):
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png")

    return save
