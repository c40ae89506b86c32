"""`sereno notify`: what people see of messages, and a test message with its receipt."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from alerting_bench import topology
from far_ends import HttpEnd, answer
from sqlalchemy import insert, select
from typer.testing import CliRunner, Result

from alerting.service import Desk, machine_for
from sereno.cli.notify import app
from sereno.clock import SystemClock
from sereno.desk import Desk as DeskFile
from sereno.desk import load_desk
from sereno.store import SQLITE_FILE, Store, open_store
from sereno.store.commands import submit, wait
from sereno.store.tables import outbox, topologies


def desk_file(folder: Path, url: str) -> DeskFile:
    document = {
        "contract": "callmyway",
        "channels": {"hook": {"webhook": url}, "idle": {"webhook": url}},
        "people": {"ana": {"channels": ["hook"]}, "leo": {"channels": ["hook"], "locale": "en"}},
    }
    (folder / "desk.yaml").write_text(json.dumps(document))
    return load_desk(folder / "desk.yaml")


def sereno(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


async def test_a_test_message_prints_its_receipt(tmp_path: Path) -> None:
    async with HttpEnd(answer("200 OK"), answer("404 Not Found")) as end:
        desk_file(tmp_path, end.url)
        asked = ("test", "--channel", "hook", "--desk", str(tmp_path / "desk.yaml"))
        good = await asyncio.to_thread(sereno, *asked)
        bad = await asyncio.to_thread(sereno, *asked, "--person", "leo", "--json")
        document = json.loads(end.requests[0][1])
    assert (good.exit_code, good.output) == (0, "ana por hook: entregado: HTTP 200 OK\n")
    assert (document["what"], document["page"]) == ("test", False)
    assert bad.exit_code == 1
    assert json.loads(bad.output)["messages"] == [
        {"to": "leo", "channel": "hook", "state": "failed", "receipt": None, "error": "HTTP 404 Not Found"}
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("test",), "give --channel"), (("test", "--channel", "nope"), "así no se llega a nadie"),
     (("test", "--channel", "idle"), "así no se llega a nadie"), (("list", "--state", "lost"), "no such state")],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    desk_file(tmp_path, "http://127.0.0.1:1/")
    more = ("--desk", str(tmp_path / "desk.yaml")) if arguments[0] == "test" else ()
    result = sereno(*arguments, *more)
    assert result.exit_code != 0
    assert words in str(result.exception)


def test_the_desk_puts_a_test_message_into_the_outbox_like_any_other(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / SQLITE_FILE}")
    desk = desk_file(tmp_path, "http://127.0.0.1:1/")
    accept(store, desk)
    order = submit(store, "notify.test", {"person": "leo"}, "cli")
    Desk(store, machine_for(topology(), desk, None), SystemClock()).round()
    assert wait(store, order, 0).state == "done"
    with store.read() as connection:
        (row,) = connection.execute(select(outbox)).all()
    assert (row.key, row.what, row.page, row.incident) == (f"test/{order}/leo/hook", "test", 0, None)
    assert row.deadline_us - row.created_us == 60_000_000
    listed = sereno("list", "--data", str(tmp_path), "--json")
    assert [(one["what"], one["state"], one["to"]) for one in json.loads(listed.output)["messages"]] == [
        ("test", "pending", "leo")
    ]
    assert "espera" in sereno("list", "--data", str(tmp_path)).output
    ways = json.loads(sereno("channels", "--data", str(tmp_path), "--json").output)["channels"]
    assert [(one["channel"], one["pending"], one["failing"]) for one in ways] == [
        ("hook", 1, False),
        ("idle", 0, False),
    ]
    assert "hook" in sereno("channels", "--data", str(tmp_path)).output
    store.dispose()


def accept(store: Store, desk: DeskFile) -> None:
    """As a collector does with the files that it is started with."""
    body = msgspec.json.encode(topology().model_dump(mode="json", by_alias=True)).decode()
    with store.write() as connection:
        connection.execute(
            insert(topologies).values(
                hash="h", from_us=SystemClock().now_us(), topology=body, desk=desk.model_dump_json(by_alias=True)
            )
        )  # fmt: skip
