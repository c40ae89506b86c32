"""A served page over a seeded store, and Debian's Chromium to look at it."""

import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from web_seed import Seed
from web_server import Served

from dashboards.web.app import create_app
from sereno.store import open_store

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture(scope="module")  # no longer: its event loop in this thread would stand in the way of asyncio tests
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
    server = Served(lambda: create_app(store))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def page(browser, request):
    """A page that fails the test on any console error; closed before its server, which would wait for its stream."""
    for server in {"served", "system"} & set(request.fixturenames):
        request.getfixturevalue(server)
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


@pytest.fixture
def axe(browser):
    """What axe finds wrong with a page by WCAG 2.2 A and AA, one line each; none: it is clean.

    In a context of its own that lets axe in past the CSP; `state` is the `storage_state()` of who is logged in.
    """
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}

    def look(url, *, width=1920, height=1080, state=None, locale="es-CO", ready=None):
        context = browser.new_context(
            bypass_csp=True, locale=locale, timezone_id="America/Bogota", storage_state=state,
            viewport={"width": width, "height": height}, reduced_motion="reduce",
        )  # fmt: skip
        try:
            opened = context.new_page()
            opened.goto(url)
            if ready is not None:
                opened.locator(ready).first.wait_for()
            found = Axe().run(opened, options=rules)
            return [
                f"{one['id']} {node['target']}: {node['failureSummary']}"
                for one in found.response["violations"]
                for node in one["nodes"]
            ]
        finally:
            context.close()

    return look
