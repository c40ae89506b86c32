"""What the store forgets, and when; how far compaction has come; checkpoints and stale hours."""

import asyncio
import logging

import msgspec
import pytest
from histories import CONTRACTS, T0, TOPOLOGY, S
from sqlalchemy import insert, select

from collector.history.keeper import Keeper
from collector.ingest import Ingest
from collector.ledger.blocks import BLOCK_US
from collector.ledger.writer import LedgerWriter
from sereno.clock import FakeClock, iso
from sereno.store.queries import checkpoints, history
from sereno.store.queries import results as queries
from sereno.store.queries.ledger import TopologyInForce
from sereno.store.results import Refused, insert_refused, insert_results, load_cursors, save_cursors
from sereno.store.tables import checkpoints as checkpoint_rows
from sereno.store.tables import ledger_days, probe_events, quarantine, results, runs
from sereno.topology.model import Retention
from sereno.wire import Batch, Result, encode

DAY = 86_400 * S
DAY0 = T0 // DAY * DAY
SHORT = TOPOLOGY.model_copy(update={"retention": Retention(raw="8d", results="20d", quarantine="1d", events="1d")})


def result(at, seq, **said):
    said = {"outcome": "ok", "answered_by": "core", **said}
    return Result(v=1, probe="p1", boot="b", seq=seq, at=iso(at), check="options", sbc="s2", core="b", **said)


def seal(store, day):
    with store.write() as connection:
        connection.execute(
            insert(ledger_days).values(
                day_us=day, rows=0, hash="h", previous="p", sealed_us=day + 2 * DAY, upto=0, format=1
            )
        )


def forget(store, now):
    return asyncio.run(Keeper(store, SHORT, FakeClock(now)).forget())


def compact(store, now):
    return asyncio.run(Keeper(store, SHORT, FakeClock(now)).compact())


def days_left(store):
    with store.read() as connection:
        ats = [*connection.execute(select(results.c.at_us)).scalars()]
        ats += connection.execute(select(runs.c.from_us)).scalars()
    return sorted({(at - DAY0) // DAY for at in ats})


@pytest.fixture
def four_days(any_store):
    """A few results and an outage on each of four days; the first three days are compacted."""
    with any_store.write() as connection:
        for day in range(4):
            ats = [DAY0 + day * DAY + second * S for second in range(40)]
            found = [result(at, day * 100 + n + 1) for n, at in enumerate(ats)]
            found += [result(ats[-1] + 5 * S, day * 100 + 90, outcome="failed", reason="timeout", answered_by="none")]
            insert_results(connection, found, ats[-1])
    assert compact(any_store, DAY0 + 3 * DAY + 8 * DAY) == 120
    return any_store


def test_only_sealed_days_are_forgotten(four_days, caplog):
    caplog.set_level(logging.INFO)
    now = DAY0 + 30 * DAY
    assert forget(four_days, now)["runs"] == 0
    assert days_left(four_days) == [0, 1, 2, 3]
    assert "is not sealed yet; its results stay" in caplog.text
    for day in (0, 2):
        seal(four_days, DAY0 + day * DAY)
    gone = forget(four_days, now)
    assert gone["runs"] == 1
    assert days_left(four_days) == [1, 2, 3]  # day 2 is sealed, and waits for day 1
    assert "forgotten what is older than it is kept" in caplog.text
    seal(four_days, DAY0 + DAY)
    forget(four_days, now)
    assert days_left(four_days) == [3]


def test_what_is_young_enough_stays_though_it_is_sealed(four_days):
    for day in range(4):
        seal(four_days, DAY0 + day * DAY)
    forget(four_days, DAY0 + 22 * DAY + 3600 * S)
    assert days_left(four_days) == [2, 3]
    assert forget(four_days, DAY0 + 22 * DAY + 3600 * S)["runs"] == 0


def test_the_last_word_of_a_probe_and_fresh_garbage_stay(any_store):
    with any_store.write() as connection:
        for number, at in enumerate((DAY0, DAY0 + 10 * S, DAY0 + 3 * DAY)):
            for probe in ("p1", "p2"):
                if (probe, number) != ("p2", 2):
                    connection.execute(insert(probe_events).values(probe=probe, state="online", at_us=at, body="{}"))
        insert_refused(connection, [Refused(probe="p1", why="w", payload="x")], DAY0)
        insert_refused(connection, [Refused(probe="p1", why="w", payload="y")], DAY0 + 2 * DAY)
    gone = forget(any_store, DAY0 + 2 * DAY + 10 * S + S)
    assert (gone["probe_events"], gone["quarantine"]) == (3, 1)
    with any_store.read() as connection:
        left = connection.execute(select(probe_events.c.probe, probe_events.c.at_us).order_by(probe_events.c.id)).all()
        payloads = connection.execute(select(quarantine.c.payload)).scalars().all()
    assert [tuple(row) for row in left] == [("p2", DAY0 + 10 * S), ("p1", DAY0 + 3 * DAY)]
    assert payloads == ["y"]


def test_checkpoints_thin_out_to_one_a_day(any_store):
    with any_store.write() as connection:
        for hour in range(0, 11 * 24, 6):
            checkpoints.save(connection, DAY0 + hour * BLOCK_US, "basis", b"state")
    forget(any_store, DAY0 + 11 * DAY)
    with any_store.read() as connection:
        left = connection.execute(select(checkpoint_rows.c.at_us).order_by(checkpoint_rows.c.at_us)).scalars().all()
    assert [(at - DAY0) // BLOCK_US for at in left] == [0, 24, *range(48, 11 * 24, 6)]


def test_a_checkpoint_is_news_only_once(any_store):
    with any_store.write() as connection:
        assert checkpoints.save(connection, T0, "basis", b"one")
        assert not checkpoints.save(connection, T0, "basis", b"one")
        assert checkpoints.save(connection, T0, "basis", b"two")
        assert checkpoints.newest(connection, T0 + 1) == (T0, "basis", b"two")
        assert checkpoints.newest(connection, T0 - 1) is None


def test_an_hour_stays_stale_until_it_was_folded_with_what_came(any_store):
    with any_store.write() as connection:
        checkpoints.mark_stale(connection, [T0, T0, T0 + BLOCK_US], 7)
        seen = checkpoints.stale(connection)
        checkpoints.mark_stale(connection, [T0], 9)  # after the fold began
        checkpoints.settled(connection, T0, seen[T0])
        checkpoints.settled(connection, T0 + BLOCK_US, seen[T0 + BLOCK_US])
        assert checkpoints.stale(connection) == {T0: 9}


def writer_of(store):
    return LedgerWriter([TopologyInForce(0, TOPOLOGY)], CONTRACTS)


def settle(store, writer, now):
    folded = []
    while (block := writer.due(now)) is not None:
        with store.read() as connection:
            plan = writer.plan(connection, block, now)
        with store.write() as connection:
            writer.store(connection, plan, now)
        folded.append((block - T0) // BLOCK_US)
    return folded


def commit(store, writer, found, now):
    with store.write() as connection:
        insert_results(connection, found, now)
        writer.came(connection, [one.at_us for one in found], now)


def test_late_results_are_folded_by_whoever_comes_until_nothing_changes(any_store):
    """The collector dies after committing late results: the next one folds their hour again, and what it changes."""
    hours = 4
    found = [result(T0 + second * S, second + 1) for second in range(0, hours * 3600, 2)]
    gap = [one for one in found if T0 + 2 * BLOCK_US + 60 * S <= one.at_us < T0 + 2 * BLOCK_US + 90 * S]
    first = writer_of(any_store)
    now = T0 + (hours + 1) * BLOCK_US
    commit(any_store, first, [one for one in found if one not in gap], T0 + 10 * S)
    with any_store.read() as connection:
        first.resume(connection)
    assert settle(any_store, first, now) == list(range(hours))
    with any_store.read() as connection:
        assert checkpoints.stale(connection) == {}
    commit(any_store, first, gap, now)
    with any_store.read() as connection:
        assert [(at - T0) // BLOCK_US for at in checkpoints.stale(connection)] == [1, 2]
        second = writer_of(any_store)
        second.resume(connection)
    again = settle(any_store, second, now + 10 * S)
    assert again[:2] == [1, 2]
    assert again[-1] == hours - 1  # the newest is always looked at after a start
    with any_store.read() as connection:
        assert checkpoints.stale(connection) == {}
        assert queries.span(connection) == (found[0].at_us, found[-1].at_us)
        assert history.position(connection) is None


def test_what_was_compacted_does_not_come_in_again(any_store):
    """A probe that did not hear the acknowledgement sends a week later what lies in a run by now."""
    now = DAY0 + 8 * DAY + 2 * BLOCK_US
    found = [result(DAY0 + second * S, second + 1) for second in range(40)]
    raw = [msgspec.Raw(encode(one)) for one in found]
    batch = Batch(v=1, probe="p1", boot="b", first=1, oldest={"b": 1}, results=raw)
    ingest = Ingest({})
    with any_store.write() as connection:
        taken = ingest.take([("p1", encode(batch))], DAY0 + 60 * S)
        insert_results(connection, [one for one, _ in taken.fresh], DAY0 + 60 * S)
        save_cursors(connection, {key: ingest.cursors[key] for key in taken.moved})
    assert compact(any_store, now) == 40
    with any_store.read() as connection:
        again = Ingest(load_cursors(connection))
        taken = again.take([("p1", encode(batch))], DAY0 + 7 * DAY)
        assert (taken.fresh, taken.refused, taken.moved) == ([], [], set())
        assert [one.result.seq for one in queries.stored(connection, DAY0, now)] == list(range(1, 41))
