"""Steps on a real store: taken once, healed when lost, audited; stand-ins by order; calendar feeds by HTTP and file."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alerting_bench import T0, S, topology
from sqlalchemy import delete, select, update

from alerting.escalation.auditor import Auditor, look
from alerting.escalation.feeds import Feeds
from alerting.escalation.rows import StaleError, load
from alerting.service import Desk, machine_for
from sereno.clock import FakeClock
from sereno.desk import Desk as DeskFile
from sereno.desk import load_desk
from sereno.oncall import Roster
from sereno.store import Store
from sereno.store.commands import submit, wait
from sereno.store.oncall import feeds
from sereno.store.tables import outbox, steps, verdict_changes

MINUTE = 60
DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}, leo: {channels: [hook]}, sol: {channels: [hook]}}
levels: [{name: L1, people: [ana]}, {name: L2, people: [leo]}, {name: L3, people: [sol]}]
notifications: {burst: 100}
"""


class Bench:
    """A desk on a store, its clock, and what people ask of it."""

    def __init__(self, store: Store, folder: Path) -> None:
        (folder / "desk.yaml").write_text(DESK)
        self.store, self.clock, self.file = store, FakeClock(T0), load_desk(folder / "desk.yaml")
        self.desk = self.fresh()

    def fresh(self) -> Desk:
        return Desk(self.store, machine_for(topology(), self.file, None), self.clock)

    def ask(self, verb: str, **arguments: object) -> Any:
        number = submit(self.store, verb, arguments, "juez", clock=self.clock)
        self.desk.round()
        return wait(self.store, number, 0)

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.desk.round()

    def rows(self, query: Any) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(query).all())

    def paged(self) -> list[tuple[str, str]]:
        return [(row.what, row.recipient) for row in self.rows(select(outbox).order_by(outbox.c.id)) if row.page]

    def states(self) -> dict[str, str]:
        return {row.key: row.state for row in self.rows(select(steps.c.key, steps.c.state))}


@pytest.fixture
def bench(any_store: Store, tmp_path: Path) -> Bench:
    return Bench(any_store, tmp_path)


def alta(bench: Bench) -> None:
    assert bench.ask("incident.open", title="algo", priority="Alta").state == "done"


def test_steps_are_rows_and_a_restart_goes_on(bench: Bench) -> None:
    alta(bench)
    assert bench.states() == {"1/0/0": "done", "1/0/1": "pending"}
    bench.desk = bench.fresh()
    bench.later(5 * MINUTE)
    assert bench.paged() == [("opened", "ana"), ("escalated", "leo")]
    bench.desk = bench.fresh()
    bench.later(0)
    assert bench.paged() == [("opened", "ana"), ("escalated", "leo")]
    assert bench.states() == {"1/0/0": "done", "1/0/1": "done", "1/0/2": "pending"}
    assert bench.ask("incident.ack", number=1).state == "done"
    bench.later(86_400)
    assert bench.states()["1/0/2"] == "cancelled"
    assert len(bench.paged()) == 2


def test_two_desks_on_one_store_do_a_step_once(bench: Bench) -> None:
    """One was frozen while the other did it: what it remembers is old, and it reads anew before it says a word."""
    alta(bench)
    frozen = bench.desk
    bench.desk = bench.fresh()
    bench.later(5 * MINUTE)
    with pytest.raises(StaleError):
        frozen.round()
    frozen.round()
    bench.later(0)
    assert bench.paged() == [("opened", "ana"), ("escalated", "leo")]


def test_a_row_in_anothers_hands_is_left_to_it(bench: Bench) -> None:
    if bench.store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    alta(bench)
    with bench.store.engine.connect() as other, other.begin():
        other.execute(select(steps).where(steps.c.key == "1/0/1").with_for_update())
        bench.clock.advance(5 * MINUTE)
        with pytest.raises(StaleError):
            bench.desk.round()
    bench.desk.round()
    assert bench.paged() == [("opened", "ana"), ("escalated", "leo")]


def test_a_lost_step_is_found_by_the_auditor_and_planned_again(bench: Bench) -> None:
    alta(bench)
    with bench.store.write() as connection:
        connection.execute(delete(steps).where(steps.c.key == "1/0/1"))
    auditor = Auditor(bench.store, "voz", Roster(bench.file), bench.clock)
    assert auditor.once()
    assert not auditor.once()  # said once
    bench.later(1)
    told = [row for row in bench.paged() if row[0] == "audit"]
    assert sorted(who for _, who in told) == ["ana", "leo", "sol"]  # everybody, by every channel
    bench.clock.advance(5 * MINUTE)
    with pytest.raises(StaleError):
        bench.desk.round()
    bench.desk.round()
    assert ("escalated", "leo") in bench.paged()
    assert auditor.once()
    said = bench.rows(select(verdict_changes.c.state).where(verdict_changes.c.what == "escalation_audit"))
    assert [row.state for row in said] == ["true", "false"]


def test_the_auditor_finds_a_step_nobody_did_and_a_page_without_a_message(bench: Bench) -> None:
    alta(bench)
    found = lambda: [(one.fault, one.key, one.person) for one in audited(bench)]  # noqa: E731
    assert found() == []
    bench.clock.advance(5 * MINUTE + 61)
    assert found() == [("overdue", "1/0/1", None)]
    bench.desk.round()
    bench.later(1)
    assert found() == []
    with bench.store.write() as connection:
        connection.execute(delete(outbox).where(outbox.c.recipient == "leo"))
    assert found() == [("no_message", "1/0/1", "leo")]


def test_a_desk_that_hears_nothing_is_told_of_without_it(bench: Bench) -> None:
    alta(bench)
    auditor = Auditor(bench.store, "voz", Roster(bench.file), bench.clock)
    bench.clock.advance(5 * MINUTE + 61)  # and no round comes
    assert auditor.once()
    assert not auditor.once()
    bench.clock.advance(61)
    assert auditor.once()
    assert not auditor.once()
    shouted = [row for row in bench.rows(select(outbox)) if row.what == "audit"]
    assert sorted(row.recipient for row in shouted) == ["ana", "leo", "sol"]
    assert "La mesa de voz no responde" in shouted[0].message


def audited(bench: Bench) -> list[Any]:
    with bench.store.read() as connection:
        return look(connection, ("ana", "leo", "sol"), bench.clock.now_us())


def test_what_fell_due_while_everything_was_off_is_caught_up_once(bench: Bench) -> None:
    alta(bench)
    bench.clock.advance(3 * 3600)
    bench.desk = bench.fresh()
    bench.desk.round()
    bench.later(1)
    assert sorted(bench.paged()) == [
        ("escalated", "ana"),
        ("escalated", "leo"),
        ("escalated", "sol"),
        ("opened", "ana"),
    ]
    assert audited(bench) == []
    with bench.store.read() as connection:
        late = [step for step in load(connection) if step.first_due_us is not None]
    assert [(step.key, step.first_due_us, step.done_us) for step in late] == [
        ("1/0/1", T0 + 5 * MINUTE * S, T0 + 3 * 3600 * S + S // 4)
    ]


def test_who_stands_in_is_paged_instead(bench: Bench) -> None:
    done = bench.ask("oncall.override", level="L2", person="sol", to_us=T0 + 3600 * S)
    assert (done.state, done.text.partition(":")[0]) == ("done", "relevo 1")
    alta(bench)
    bench.later(5 * MINUTE)
    assert bench.paged() == [("opened", "ana"), ("escalated", "sol")]
    assert bench.ask("oncall.cancel", id=1).state == "done"
    assert bench.ask("oncall.cancel", id=1).code == 1
    assert bench.ask("oncall.cancel", id=7).code == 2
    for wrong in ({"level": "L9"}, {"person": "eva"}, {"to_us": T0 - 1}):
        asked = {"level": "L1", "person": "ana", "to_us": T0 + 7200 * S, **wrong}
        assert bench.ask("oncall.override", **asked).state == "refused"


def test_a_step_that_was_done_by_hand_is_not_done_again(bench: Bench) -> None:
    alta(bench)
    with bench.store.write() as connection:
        connection.execute(update(steps).where(steps.c.key == "1/0/1").values(state="done"))
    bench.clock.advance(5 * MINUTE)
    with pytest.raises(StaleError):
        bench.desk.round()


# -- calendar feeds ----------------------------------------------------------------------------------------------------


CALENDAR = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//x//ES\r
BEGIN:VEVENT\r
UID:1\r
DTSTAMP:20260101T000000Z\r
SUMMARY:leo\r
DTSTART:20260701T000000Z\r
DTEND:20260801T000000Z\r
END:VEVENT\r
END:VCALENDAR\r
"""


class Feed:
    """A web server with a calendar, or without."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, CALENDAR)
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = feed.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/secreto.ics"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def feed() -> Iterator[Feed]:
    found = Feed()
    yield found
    found.close()


def with_feed(bench: Bench, folder: Path, place: str) -> DeskFile:
    text = DESK.replace("{name: L1, people: [ana]}", "{name: L1, people: [ana], rota: guardia}")
    (folder / "desk.yaml").write_text(f'{text}rotas: {{guardia: {{icalendar: "{place}"}}}}\n')
    bench.file = load_desk(folder / "desk.yaml")
    bench.desk = bench.fresh()
    return bench.file


async def test_the_last_good_copy_of_a_feed_stays_in_use(bench: Bench, feed: Feed, tmp_path: Path) -> None:
    roster = Roster(with_feed(bench, tmp_path, feed.url))
    reader = Feeds(bench.store, roster, bench.clock)
    await reader.read("guardia")
    for bad in ((500, b""), (200, b"<html>no</html>")):
        feed.answer = bad
        bench.clock.advance(3600)
        await reader.read("guardia")
    (row,) = bench.rows(select(verdict_changes).where(verdict_changes.c.what == "rota_feed"))
    assert (row.name, row.state) == ("guardia", "true")
    with bench.store.read() as connection:
        kept = feeds(connection)["guardia"]
    assert (kept.copy, kept.read_us, kept.tried_us) == (CALENDAR, T0, T0 + 7200 * S)
    assert "secreto" not in f"{kept.error} {kept.place} {row.reason}"
    alta(bench)
    assert bench.paged() == [("opened", "leo")]
    feed.answer = (200, CALENDAR)
    await reader.read("guardia")
    assert [one.state for one in bench.rows(select(verdict_changes).where(verdict_changes.c.what == "rota_feed"))] == [
        "true", "false",
    ]  # fmt: skip


async def test_a_feed_that_was_never_read_leaves_the_levels_people(bench: Bench, tmp_path: Path) -> None:
    roster = Roster(with_feed(bench, tmp_path, "guardia.ics"))
    await Feeds(bench.store, roster, bench.clock).read("guardia")
    alta(bench)
    assert bench.paged() == [("opened", "ana")]
    (tmp_path / "guardia.ics").write_bytes(CALENDAR)
    await Feeds(bench.store, roster, bench.clock).read("guardia")
    bench.later(50 * MINUTE)
    bench.later(1)
    assert ("escalated", "leo") in bench.paged()
