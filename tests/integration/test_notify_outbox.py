"""The outbox on real stores: channels apart, crashes, deadlines, what the desk hears of it; and the heartbeat."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alerting_bench import topology
from far_ends import HANG, HttpEnd, answer
from sqlalchemy import insert, select
from waiting import until

from alerting import delivery
from alerting import outbox as outbox_module
from alerting.channels import channels_of
from alerting.effects import Item, Notification
from alerting.heartbeat import Heartbeat, Signs, fault
from alerting.outbox import Dispatcher
from alerting.outbox_rows import OutboxRows
from sereno.clock import FakeClock, SystemClock
from sereno.desk import ChannelConfig
from sereno.desk.notifications import Heartbeat as HeartbeatConfig
from sereno.errors import StoreError
from sereno.store import Store, open_store
from sereno.store.changes import insert_changes
from sereno.store.queries.outbox import ways
from sereno.store.tables import incident_timeline, outbox, results, verdict_changes
from sereno.verdict import Change

S = 1_000_000
HOUR = 3_600 * S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """SQLite; what reads and writes in a way of its own is tried on both databases, as `any_store`."""
    found = open_store(f"sqlite:///{tmp_path / 'sereno.db'}")
    yield found
    found.dispose()


@pytest.fixture(autouse=True)
def no_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "LAST_WORD_SECONDS", 0.05)
    monkeypatch.setattr(outbox_module, "PAUSE_SECONDS", 0.05)


def now() -> int:
    return SystemClock().now_us()


def message(number: int, channel: str, *, what: str = "opened", to: str = "ana", page: bool = True) -> Notification:
    return Notification(
        key=f"{number}/{what}/1/{to}/{channel}", at_us=now(), incident=number, what=what, page=page, to=to,
        channel=channel, address=None, locale="es", subject="s", body="b", priority="Alta", severity=None, kind="sbc",
        name="sbc-1",
    )  # fmt: skip


def put(store: Store, told: Notification, *, ago: float = 0.0, **more: Any) -> None:
    created_us = now() - round(ago * S)
    values = {
        "key": told.key, "incident": told.incident, "what": told.what, "page": int(told.page), "channel": told.channel,
        "recipient": told.to, "created_us": created_us, "due_us": created_us, "deadline_us": created_us + HOUR,
        "message": msgspec.json.encode(told).decode(), "state": "pending", "attempts": 0,
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(outbox).values(**values | more))


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(outbox).order_by(outbox.c.id)).all())


def said(store: Store) -> list[tuple[str, str, dict[str, Any]]]:
    with store.read() as connection:
        found = connection.execute(select(verdict_changes).order_by(verdict_changes.c.id)).all()
    return [(row.what, row.state, json.loads(row.facts)) for row in found if row.kind == "channel"]


@asynccontextmanager
async def dispatching(store: Store, **ends: HttpEnd | str) -> AsyncIterator[None]:
    configured = {
        name: ChannelConfig(webhook=end.url if isinstance(end, HttpEnd) else end) for name, end in ends.items()
    }
    task = asyncio.create_task(Dispatcher(store, channels_of(configured), SystemClock()).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_silent_channel_holds_up_only_itself(store: Store) -> None:
    for number in range(1, 11):
        put(store, message(number, "silent"))
    for number in range(1, 11):
        put(store, message(number, "well"))
    async with HttpEnd(HANG) as silent, HttpEnd() as well, dispatching(store, silent=silent, well=well):
        await until(lambda: len([row for row in rows(store) if row.state == "sent"]) == 10)
        assert {row.channel for row in rows(store) if row.state == "sent"} == {"well"}
        assert len(silent.requests) == delivery.AT_ONCE


async def test_an_attempt_that_a_crash_cut_off_comes_again_a_minute_after_it_began(store: Store) -> None:
    begun_us = now() - 59 * S
    put(store, message(1, "hook"), ago=59.5, begun_us=begun_us, attempts=1)
    async with HttpEnd() as hook, dispatching(store, hook=hook):
        (row,) = await until(lambda: [row for row in rows(store) if row.state == "sent"])
        assert row.handed_us >= begun_us + 60 * S
        assert (row.attempts, len(hook.requests)) == (2, 1)
        assert hook.requests[0][0]["idempotency-key"] == row.key


async def test_what_is_too_old_is_never_sent_as_if_it_were_news(any_store: Store) -> None:
    put(any_store, message(1, "hook"), ago=3_700)
    put(any_store, message(2, "hook"), ago=10)
    async with HttpEnd() as hook, dispatching(any_store, hook=hook):
        await until(lambda: [row.state for row in rows(any_store)] == ["expired", "sent"])
        assert [json.loads(body)["incident"] for _, body in hook.requests] == [2]
    with any_store.read() as connection:
        (line,) = connection.execute(select(incident_timeline.c.what).where(incident_timeline.c.number == 1)).scalars()
    assert line == "venció la entrega a ana por hook: no llegó a tiempo"


async def test_a_page_without_receipt_for_a_minute_is_said_and_taken_back_at_the_next_receipt(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SHORTEST_US", S // 20)
    monkeypatch.setattr(delivery, "LONGEST_US", S // 10)
    put(any_store, message(1, "hook"), ago=61)
    busy = answer("503 Busy")
    async with HttpEnd(busy, busy, busy, answer("200 OK")) as hook, dispatching(any_store, hook=hook):
        await until(lambda: [row.state for row in rows(any_store)] == ["sent"])
        await until(lambda: len(said(any_store)) == 3)
    first, second, last = said(any_store)
    assert (first[:2], second[:2], last[:2]) == (
        ("notify_failing", "true"), ("page_undelivered", "true"), ("notify_failing", "false"),
    )  # fmt: skip
    assert (second[2]["incident"], second[2]["person"], second[2]["reached"]) == (1, "ana", False)
    with any_store.read() as connection:
        (way,) = ways(connection, ["hook"])
    assert (way.failing, way.counts) == (False, {"sent": 1})


async def test_a_page_refused_for_good_is_said_at_once_and_another_way_is_known(store: Store) -> None:
    put(store, message(1, "gone"))
    put(store, message(1, "well"))
    async with HttpEnd(answer("404 Not Found")) as gone, HttpEnd() as well, dispatching(store, gone=gone, well=well):
        await until(lambda: len(said(store)) == 2)
        await until(lambda: sorted(row.state for row in rows(store)) == ["failed", "sent"])
    assert [one[:2] for one in said(store)] == [("notify_failing", "true"), ("page_undelivered", "true")]
    assert said(store)[1][2]["reached"] is True


async def test_a_channel_that_was_taken_out_of_the_file_fails_no_more(store: Store) -> None:
    failing = Change(kind="channel", name="old", what="notify_failing", state="true", since_us=1, at_us=1)
    with store.write() as connection:
        insert_changes(connection, [failing])
    put(store, message(1, "old"))
    async with HttpEnd() as hook, dispatching(store, hook=hook):
        await until(lambda: [row.state for row in rows(store)] == ["failed"])
    assert [one[:2] for one in said(store)] == [
        ("notify_failing", "true"), ("notify_failing", "false"), ("page_undelivered", "true"),
    ]  # fmt: skip


async def test_an_outcome_waits_for_the_database_and_is_recorded_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far end has it; the store is away for a moment: no second attempt."""
    faults, write = [StoreError("away")] * 2, OutboxRows.sent

    def sent(self: OutboxRows, *arguments: Any) -> None:
        if faults:
            raise faults.pop()
        write(self, *arguments)

    monkeypatch.setattr(OutboxRows, "sent", sent)
    put(store, message(1, "hook"))
    async with HttpEnd() as hook, dispatching(store, hook=hook):
        await until(lambda: [row.state for row in rows(store)] == ["sent"])
        assert (len(hook.requests), rows(store)[0].attempts, faults) == (1, 1, [])


async def test_a_list_is_written_down_in_each_of_its_incidents(store: Store) -> None:
    items = tuple(
        Item(what="opened", number=number, title="t", priority="Alta", severity=None, kind="sbc", name="x", since_us=1)
        for number in (4, 5)
    )
    put(store, msgspec.structs.replace(message(4, "hook"), key="digest/1", incident=None, what="digest", items=items))
    async with HttpEnd() as hook, dispatching(store, hook=hook):
        await until(lambda: [row.state for row in rows(store)] == ["sent"])
    with store.read() as connection:
        lines = connection.execute(select(incident_timeline.c.number, incident_timeline.c.what)).all()
    assert [(line.number, line.what) for line in lines] == [
        (4, "entregado a ana por hook, en una lista: HTTP 200 OK"),
        (5, "entregado a ana por hook, en una lista: HTTP 200 OK"),
    ]


@pytest.mark.parametrize("text", ["", "{}", '{"key": 1}', "no JSON"])
async def test_a_page_whose_text_cannot_be_read_still_says_which_incident(store: Store, text: str) -> None:
    """As another version may have written it; it neither stops the others nor is lost."""
    put(store, message(7, "hook"), message=text)
    put(store, message(8, "hook"))
    async with HttpEnd() as hook, dispatching(store, hook=hook):
        await until(lambda: [row.state for row in rows(store)] == ["sent", "sent"])
        found = sorted(json.loads(body)["incident"] for _, body in hook.requests)
    assert found == [7, 8]


async def test_who_may_not_speak_says_nothing(store: Store) -> None:
    put(store, message(1, "hook"))
    async with HttpEnd() as hook:
        channels = channels_of({"hook": ChannelConfig(webhook=hook.url)})
        task = asyncio.create_task(Dispatcher(store, channels, SystemClock(), lambda: False).run())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (hook.requests, rows(store)[0].begun_us) == ([], None)


# -- the dead man's switch ---------------------------------------------------------------------------------------------

WELL = Signs(
    now_us=1_000 * S, blind_us=None, committed_us=999 * S, round_us=999 * S, unreached_us=None, commit_within_us=60 * S
)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"committed_us": None}, "no result is committed"),
        ({"committed_us": 939 * S}, "no result is committed"),
        ({"committed_us": 940 * S}, None),
        ({"blind_us": 970 * S}, "no probe outside is a valid witness"),
        ({"blind_us": 971 * S}, None),
        ({"round_us": None}, "the desk does not decide"),
        ({"round_us": 969 * S}, "the desk does not decide"),
        ({"unreached_us": 879 * S}, "pages reach nobody"),
        ({"unreached_us": 880 * S}, None),
    ],
)
def test_when_no_sign_of_life_may_go_out(change: dict[str, Any], why: str | None) -> None:
    assert fault(msgspec.structs.replace(WELL, **change)) == why


async def test_the_heartbeat_goes_out_stops_says_why_and_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F_BEAT", "0123-uuid")
    clock = FakeClock(now())
    committed = {
        "probe": "bog-1", "boot": "b", "seq": 1, "at_us": clock.now_us(), "element": "sbc-1", "check": "edge",
        "outcome": "ok", "arrived_us": clock.now_us(), "body": "{}",
    }  # fmt: skip
    blind = Change(kind="monitor", name="voz", what="monitor_blind", state="true", since_us=0, at_us=clock.now_us())
    async with HttpEnd() as end:
        config = HeartbeatConfig.model_validate(
            {"url": end.url + "/{secret}", "method": "GET", "secret": {"env": "F_BEAT"}}
        )
        heart = Heartbeat(store, config, topology(), clock, rounded_us=clock.now_us, may_speak=lambda: True)
        assert await heart.beat() == "no result is committed"
        with store.write() as connection:
            connection.execute(insert(results).values(**committed))
        assert await heart.beat() is None
        assert end.requests[0][0][""] == "GET /in/0123-uuid HTTP/1.1"
        with store.write() as connection:
            insert_changes(connection, [blind])
        clock.advance(31)
        assert await heart.beat() == "no probe outside is a valid witness"
        with store.write() as connection:
            insert_changes(connection, [msgspec.structs.replace(blind, state="false", at_us=clock.now_us())])
        assert await heart.beat() is None
        assert len(end.requests) == 2
    with store.read() as connection:
        found = connection.execute(
            select(verdict_changes.c.state, verdict_changes.c.reason)
            .where(verdict_changes.c.what == "heartbeat")
            .order_by(verdict_changes.c.id)
        )
        assert [tuple(row) for row in found] == [
            ("false", "no result is committed"), ("true", None), ("false", "no probe outside is a valid witness"),
            ("true", None),
        ]  # fmt: skip


async def test_a_far_end_that_takes_no_heartbeat_is_said_without_the_secret(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F_BEAT", "0123-uuid")
    clock = FakeClock(now())
    async with HttpEnd(answer("404 Not Found")) as end:
        config = HeartbeatConfig.model_validate({"url": end.url + "/{secret}", "secret": {"env": "F_BEAT"}})
        heart = Heartbeat(store, config, topology(), clock, rounded_us=clock.now_us, may_speak=lambda: True)
        why = await heart._send()
    assert why == "not taken: HTTP 404 Not Found"
