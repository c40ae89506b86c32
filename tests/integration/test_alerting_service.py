"""The desk on a real store, with real SMTP and HTTP servers on loopback: rounds, crashes, receipts, retries."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from alerting_bench import topology
from sqlalchemy import insert, select
from waiting import until

from alerting import delivery
from alerting.channels import channels_of
from alerting.service import AlertingService, Desk, machine_for
from sereno.clock import SystemClock
from sereno.desk import Desk as DeskFile
from sereno.desk import load_desk
from sereno.incident import IncidentRecord
from sereno.store import Store
from sereno.store.commands import submit, wait
from sereno.store.desk import incidents, windows
from sereno.store.tables import incident_timeline, outbox, verdict_changes

S = 1_000_000
PATHS = ("sbc-1/core-a", "sbc-2/core-a", "sbc-1/core-b", "sbc-2/core-b")


class Hook:
    """A real HTTP server that answers as told and remembers what it was sent."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = hook.answers.pop(0) if hook.answers else (200, {})
                hook.got.append((dict(self.headers), body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alarm"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class Mailbox:
    """A real SMTP server's handler; `refuse` is answered to every RCPT while it is set."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.refuse: list[str] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's names
        self.letters.append(envelope)
        return "250 queued as 77"


@contextmanager
def serving(mailbox: Mailbox) -> Iterator[int]:
    """The port of a running mail server (aiosmtpd's controller cannot be asked for any free one)."""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Controller(mailbox, hostname="127.0.0.1", port=port)
        try:
            server.start()
        except OSError:  # somebody took it in between
            continue
        try:
            yield port
        finally:
            server.stop()
        return
    raise AssertionError("no free port in five tries")


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SHORTEST_US", 50_000)


def desk_file(folder: Path, channels: dict[str, Any]) -> DeskFile:
    people = {"ana": {"email": "ana@example.net", "channels": list(channels), "locale": "es_CO"}}
    document = {
        "contract": "callmyway",
        "channels": channels,
        "people": people,
        "levels": [{"name": "L1", "people": ["ana"]}],
    }
    (folder / "desk.yaml").write_text(json.dumps(document))
    return load_desk(folder / "desk.yaml")


def mail_desk(folder: Path, port: int) -> DeskFile:
    return desk_file(folder, {"mail": {"smtp": f"smtp://127.0.0.1:{port}", "from": "sereno@example.net"}})


def say(store: Store, *said: tuple[str, str, str], what: str = "verdict", ago: float = 0.0) -> int:
    """As the collector commits: everything decided in one instant, in one transaction. The instant."""
    at_us = SystemClock().now_us() - round(ago * S)
    with store.write() as connection:
        for kind, name, state in said:
            connection.execute(
                insert(verdict_changes).values(
                    kind=kind, name=name, what=what, state=state, since_us=at_us, at_us=at_us, facts="{}"
                )
            )
    return at_us


OUTAGE = (
    *(("path", name, "down") for name in PATHS), ("core", "core-a", "down"), ("core", "core-b", "down"),
    ("site", "p", "down"), ("site", "q", "down"), ("service", "voz", "down"),
)  # fmt: skip


@asynccontextmanager
async def running(store: Store, desk: DeskFile) -> AsyncIterator[AlertingService]:
    machine = machine_for(topology(), desk, None)
    service = AlertingService(store, machine, SystemClock(), channels_of(desk.channels))
    task = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def read(store: Store) -> list[IncidentRecord]:
    with store.read() as connection:
        return incidents(connection)


def rows(store: Store, state: str | None = None) -> list[Any]:
    with store.read() as connection:
        found = connection.execute(select(outbox).order_by(outbox.c.id)).all()
    return [row for row in found if state in (None, row.state)]


async def test_a_dead_service_is_told_by_webhook_within_a_second(store: Store, hook: Hook, tmp_path: Path) -> None:
    (tmp_path / "hook.secret").write_text("sesamo\n")
    desk = desk_file(tmp_path, {"hook": {"webhook": hook.url, "secret": {"file": "hook.secret"}}})
    async with running(store, desk) as service:
        say(store, *OUTAGE)
        service.wake()
        (sent,) = await until(lambda: rows(store, "sent"))
    (record,) = read(store)
    assert (record.priority, record.severity, record.state) == ("Urgente", "S1", "open")
    assert sent.handed_us - record.opened_us < S
    assert sent.receipt == "HTTP 200 OK"
    headers, body = hook.got[0]
    assert headers["X-Sereno-Signature"] == "sha256=" + hmac.new(b"sesamo", body, hashlib.sha256).hexdigest()
    (document,) = hook.documents()
    assert (document["what"], document["page"], document["incident"], document["to"]) == ("opened", True, 1, "ana")
    assert document["subject"] == "[Urgente S1] Incidente 1: Servicio de voz caído: ambos núcleos (core-a, core-b)"
    assert "Primer paso: Leer la fila de bordes" in document["text"]
    assert record.timeline[-1].what == "entregado a ana por hook: HTTP 200 OK"


async def test_a_webhook_that_is_busy_is_tried_again_as_it_asked(store: Store, hook: Hook, tmp_path: Path) -> None:
    hook.answers = [(503, {}), (429, {"Retry-After": "1"})]
    async with running(store, desk_file(tmp_path, {"hook": {"webhook": hook.url}})) as service:
        say(store, *OUTAGE)
        service.wake()
        await until(lambda: len(hook.got) == 2)
        (row,) = await until(lambda: [row for row in rows(store) if row.error == "HTTP 429 Too Many Requests"])
        assert row.attempts == 2
        assert row.due_us - SystemClock().now_us() > 0.5 * S
        (sent,) = await until(lambda: rows(store, "sent"))
    assert sent.attempts == 3
    assert len({headers["Idempotency-Key"] for headers, _ in hook.got}) == 1


async def test_a_webhook_that_refuses_is_a_final_failure(store: Store, hook: Hook, tmp_path: Path) -> None:
    hook.answers = [(404, {})]
    async with running(store, desk_file(tmp_path, {"hook": {"webhook": hook.url}})) as service:
        say(store, *OUTAGE)
        service.wake()
        (failed,) = await until(lambda: rows(store, "failed"))
    assert (failed.error, failed.handed_us) == ("HTTP 404 Not Found", None)
    assert read(store)[0].timeline[-1].what == "falló la entrega a ana por hook: HTTP 404 Not Found"


async def test_a_webhook_that_is_not_there_waits_for_it(store: Store, tmp_path: Path) -> None:
    gone = Hook()
    gone.close()
    async with running(store, desk_file(tmp_path, {"hook": {"webhook": gone.url}})) as service:
        say(store, *OUTAGE)
        service.wake()
        (row,) = await until(lambda: [row for row in rows(store) if row.attempts >= 2])
    assert row.state == "pending"
    assert "\n" not in row.error


async def test_mail_is_delivered_and_its_receipt_kept(store: Store, tmp_path: Path) -> None:
    mailbox = Mailbox()
    mailbox.refuse = ["451 try later"]
    with serving(mailbox) as port:
        async with running(store, mail_desk(tmp_path, port)) as service:
            say(store, *OUTAGE)
            service.wake()
            (sent,) = await until(lambda: rows(store, "sent"))
    assert (sent.attempts, "queued as 77" in sent.receipt) == (2, True)
    (letter,) = mailbox.letters
    assert letter.rcpt_tos == ["ana@example.net"]
    assert "X-Priority: 1" in letter.content.decode()


async def test_a_mailbox_that_does_not_exist_is_final(store: Store, tmp_path: Path) -> None:
    mailbox = Mailbox()
    mailbox.refuse = ["550 no such user"] * 3
    with serving(mailbox) as port:
        async with running(store, mail_desk(tmp_path, port)) as service:
            say(store, *OUTAGE)
            service.wake()
            (failed,) = await until(lambda: rows(store, "failed"))
    assert "550" in failed.error


async def test_commands_are_applied_within_a_quarter_of_a_second(store: Store, hook: Hook, tmp_path: Path) -> None:
    async with running(store, desk_file(tmp_path, {"hook": {"webhook": hook.url}})) as service:
        say(store, *OUTAGE)
        service.wake()
        await until(lambda: rows(store, "sent"))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        order = await asyncio.to_thread(submit, store, "incident.ack", {"number": 1, "note": "voy"}, "ana", "k1")
        found = await asyncio.to_thread(wait, store, order, 5.0)
        assert (found.state, loop.time() - begun < 1.0) == ("done", True)
        assert await asyncio.to_thread(submit, store, "incident.ack", {"number": 1}, "ana", "k1") == order
        order = await asyncio.to_thread(submit, store, "incident.resolve", {"number": 1}, "ana")
        refused = await asyncio.to_thread(wait, store, order, 5.0)
        assert (refused.state, refused.code, "sigue mal" in refused.text) == ("refused", 1, True)
        order = await asyncio.to_thread(submit, store, "incident.ack", {"number": 99}, "ana")
        assert (await asyncio.to_thread(wait, store, order, 5.0)).code == 2
        order = await asyncio.to_thread(submit, store, "incident.ack", {}, "ana")
        assert (await asyncio.to_thread(wait, store, order, 5.0)).state == "refused"
    (record,) = read(store)
    assert (record.state, record.assigned) == ("acknowledged", "ana")
    assert ("reconocido: voy", "ana") in [(entry.what, entry.who) for entry in record.timeline]


def test_maintenance_names_must_be_in_the_topology(store: Store, tmp_path: Path) -> None:
    desk = Desk(store, machine_for(topology(), None, None), SystemClock())
    good = {"kind": "sbc", "name": "sbc-1", "from_us": 1, "to_us": 2}
    orders = [submit(store, "maintenance.add", body, "ana") for body in (
        good, {**good, "name": "sbc-9"}, {**good, "to_us": 1}, {"kind": "sbc", "name": "sbc-1"},
    )]  # fmt: skip
    orders.append(submit(store, "maintenance.cancel", {"id": 1}, "ana"))
    orders.append(submit(store, "maintenance.cancel", {"id": 1}, "ana"))
    desk.round()
    assert [wait(store, order, 0).state for order in orders] == [
        "done", "refused", "refused", "refused", "done", "refused",
    ]  # fmt: skip
    with store.read() as connection:
        (window,) = windows(connection)
    assert (window.name, window.cancelled_us is not None) == ("sbc-1", True)


class Killed(BaseException):
    """As kill −9: nothing after it runs."""


@pytest.mark.parametrize("at", range(30))
def test_killed_anywhere_in_a_round_it_says_the_same_once(store: Store, tmp_path: Path, at: int) -> None:
    """Interrupted before its nth statement or the commit itself, then started again: one incident, one message."""
    desk_of = lambda: Desk(store, machine_for(topology(), desk, None), SystemClock())  # noqa: E731
    desk = desk_file(tmp_path, {"hook": {"webhook": "http://127.0.0.1:1/"}})
    say(store, *OUTAGE, ago=60)
    from sqlalchemy import event

    count = iter(range(10_000))

    def bomb(*args: Any) -> None:
        if next(count) == at:
            raise Killed

    event.listen(store.engine, "before_cursor_execute", bomb)
    event.listen(store.engine, "commit", bomb)
    try:
        desk_of().round()
        assert at > 25, "the round was not interrupted"
    except Killed:
        assert read(store) == []
    finally:
        event.remove(store.engine, "before_cursor_execute", bomb)
        event.remove(store.engine, "commit", bomb)
    again = desk_of()
    for _ in range(3):
        again.round()
    (record,) = read(store)
    assert (record.number, record.state, len(rows(store))) == (1, "open", 1)
    with store.read() as connection:
        lines = connection.execute(select(incident_timeline.c.what).order_by(incident_timeline.c.id)).scalars().all()
    assert len(lines) == len(set(lines)) == len(record.timeline)


def test_a_restarted_desk_goes_on_where_it_was(store: Store, tmp_path: Path) -> None:
    """A new machine from the store equals the old one, and finishes what it began."""
    desk = desk_file(tmp_path, {"hook": {"webhook": "http://127.0.0.1:1/"}})
    first = machine_for(topology(), desk, None)
    begun = Desk(store, first, SystemClock())
    say(store, *OUTAGE, ago=60)
    begun.round()
    say(store, *((kind, name, "up") for kind, name, _ in OUTAGE), ago=40)
    second = machine_for(topology(), desk, None)
    fresh = Desk(store, second, SystemClock())
    fresh.round()
    (record,) = read(store)
    assert record.state == "resolved"
    third = machine_for(topology(), desk, None)
    Desk(store, third, SystemClock()).round()
    before, after = second.snapshot(), third.snapshot()
    assert msgspec.structs.replace(after, now_us=0) == msgspec.structs.replace(before, now_us=0)
