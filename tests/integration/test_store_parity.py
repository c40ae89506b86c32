"""The same store in SQLite and in PostgreSQL answers every question with the same words."""

import asyncio
import json
import time

import httpx
import pytest
from typer.testing import CliRunner
from web_seed import Seed

from dashboards.web.app import create_app
from sereno.cli.availability import app as availability
from sereno.cli.forensics import app as forensics
from sereno.cli.incidents import app as incidents
from sereno.cli.ledger import app as ledger
from sereno.cli.maintenance import app as maintenance
from sereno.cli.verdicts import app as verdicts
from sereno.clock import SECOND_US, FakeClock, SystemClock, iso
from sereno.store import open_store
from sereno.store.backup import restore, save
from sereno.store.tables import maintenance as windows

MINUTE_US = 60 * SECOND_US
NOW_US = time.time_ns() // 1_000 // MINUTE_US * MINUTE_US
WINDOW = ["--from", iso(NOW_US - 5 * MINUTE_US), "--to", iso(NOW_US)]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A backup of a store as a collector would leave it."""
    folder = tmp_path_factory.mktemp("seeded")
    store = open_store(folder)
    seed = Seed(store, NOW_US)
    seed.all_up()
    seed.say("path", "sbc-1/core-a", "down", reason="timeout", since_us=NOW_US - 100 * SECOND_US)
    seed.measured(NOW_US)
    seed.result("options", NOW_US - SECOND_US, sbc="sbc-1", core="core-a", outcome="failed", reason="timeout")
    seed.incident()
    seed.alive(NOW_US)
    with store.write() as connection:
        connection.execute(
            windows.insert().values(
                scope_kind="sbc", scope_name="sbc-2", from_us=NOW_US, to_us=NOW_US + MINUTE_US, announced_us=NOW_US,
                critical_fix=True, who="añil", recorded_us=NOW_US,
            )
        )  # fmt: skip
    return save(store, folder / "seeded.backup", SystemClock(), lambda *_: None).file


@pytest.fixture
def both(seeded, empty_pg_url, tmp_path):
    urls = f"sqlite:///{tmp_path}/sereno.db", empty_pg_url
    for url in urls:
        restore(seeded, tmp_path, lambda url=url: open_store(url), SystemClock(), lambda *_: None, force=False)
    return urls


ASKED = {
    "verdicts": (verdicts, ["--json"]),
    "incidents": (incidents, ["list", "--json"]),
    "incident": (incidents, ["show", "1", "--json"]),
    "maintenance": (maintenance, ["list", "--json"]),
    "availability": (availability, ["--scope", "service", *WINDOW, "--json"]),
    "availability again": (availability, ["--scope", "path:sbc-1/core-a", *WINDOW, "--recompute", "--json"]),
    "forensics": (forensics, [*WINDOW, "--sbc", "sbc-1", "--json"]),
    "seals": (ledger, ["seals", "--json"]),
}


def test_every_command_says_the_same(both):
    for url in both:  # nothing runs: the command does itself what a collector would
        arguments = [
            "--scope",
            "sbc:sbc-1",
            "--from",
            iso(NOW_US),
            "--to",
            iso(NOW_US + MINUTE_US),
            "--by",
            "añil" * 40,
        ]
        CliRunner().invoke(maintenance, ["add", *arguments, "--database", url], catch_exceptions=False)
    for what, (app, arguments) in ASKED.items():
        said = []
        for url in both:
            answer = CliRunner().invoke(app, [*arguments, "--database", url])
            if isinstance(answer.exception, Exception) and not isinstance(answer.exception, SystemExit):
                raise answer.exception
            body = json.loads(answer.stdout)
            if isinstance(body, dict):
                body.pop("at", None)
            if what == "maintenance":
                assert len(body["maintenance"]) == 2
                for each in body["maintenance"]:
                    each["announced"] = each["recorded"] = ""  # of the one just added: now
            said.append((answer.exit_code, body))
        assert said[0] == said[1], what
        assert said[0][1], what


def test_every_page_looks_the_same(both):
    async def pages(url):
        store = open_store(url)
        application = create_app(store, FakeClock(NOW_US))
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            found = {path: await client.get(path) for path in ("/", "/?wall=1", "/incidents/1", "/healthz")}
        store.dispose()
        return {path: (answer.status_code, answer.text) for path, answer in found.items()}

    lite, postgres = (asyncio.run(pages(url)) for url in both)
    assert lite == postgres
    assert {status for status, _ in lite.values()} == {200}
    assert "core-a" in lite["/"][1]
