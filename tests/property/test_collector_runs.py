"""From runs and the rows that are left, verdicts come out as from the rows alone, to the byte; on both databases."""

import asyncio
import contextlib
import os
from unittest import mock

import pytest
from histories import CONTRACTS, SERIES, T0, TOPOLOGY, S, streams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from collector.history import compaction
from collector.history.keeper import Keeper
from collector.history.source import StoreSource
from collector.ledger.blocks import BLOCK_US, Basis, Recording, fold_span
from sereno.clock import FakeClock, iso
from sereno.store import open_store
from sereno.store.queries import results as queries
from sereno.store.queries.ledger import TopologyInForce
from sereno.store.results import insert_results
from sereno.store.runs import Run, pack
from sereno.store.tables import checkpoints, metadata, positions, results, runs
from sereno.wire import Result

MORE = int(os.environ.get("SERENO_EXAMPLES", "1"))
BASIS = Basis([TopologyInForce(0, TOPOLOGY)], CONTRACTS)
DAYS = 9 * 86_400 * S
END = T0 + 2 * BLOCK_US
FAST = [one for one in SERIES if one[1] in compaction.FAST]


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def any_open_store(request, tmp_path_factory):
    """One store of each kind for all examples, emptied before each."""
    sqlite = request.param == "sqlite"
    store = open_store(tmp_path_factory.mktemp("runs") if sqlite else request.getfixturevalue("pg_cluster").database())
    yield store
    store.dispose()


def emptied(store):
    with store.write() as connection:
        for table in (results, runs, positions, checkpoints):
            connection.execute(delete(table))
    assert metadata.tables
    return store


def commit(store, found):
    with store.write() as connection:
        insert_results(connection, [result for result, _ in found], T0 + DAYS)


def folded(store, begin=T0, end=END):
    with store.read() as connection:
        return fold_span(BASIS, begin, end, StoreSource(connection)).intervals


def told(store):
    with store.read() as connection:
        return [(one.probe, one.boot, one.seq, at) for one, at in queries.in_order(connection, 0, 1 << 62)]


def compact(store, now_us=T0 + DAYS):
    return asyncio.run(Keeper(store, TOPOLOGY, FakeClock(now_us)).compact())


@given(streams(FAST), st.integers(0, 2**16), st.sampled_from([8, 3, 40]))
@settings(max_examples=6 * MORE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_runs_fold_as_their_rows(any_open_store, found, mask, longest):
    """Compacted in two passes, results arriving between them and after."""
    store = emptied(any_open_store)
    parts = [
        [one for index, one in enumerate(found) if (mask >> (index * 7 + index // 5) % 16) % 3 == turn]
        for turn in range(3)
    ]
    raw = fold_span(BASIS, T0, END, Recording(found)).intervals
    everything = [(one.probe, one.boot, one.seq, at) for one, at in found]
    with mock.patch.object(compaction, "LONGEST", longest), mock.patch.object(compaction, "_LEAST", 2):
        commit(store, parts[0])
        compact(store)
        commit(store, parts[1])
        with store.write() as connection:
            connection.execute(delete(positions))  # as after the restore of an older backup
        compact(store)
        commit(store, parts[2])
    assert told(store) == everything
    assert folded(store) == raw
    middle = T0 + 100 * S
    halves = folded(store, T0, middle), folded(store, middle, END)
    assert halves == tuple(
        fold_span(BASIS, begin, end, Recording(found)).intervals for begin, end in ((T0, middle), (middle, END))
    )


@given(
    st.lists(st.tuples(st.integers(1, 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2)), max_size=30),
    st.integers(0, 2**50),
)
def test_what_a_run_keeps_it_gives_back(steps, first):
    at, seqs, classes = [first], [0], [0]
    for gap, number, slow in steps:
        at.append(at[-1] + gap)
        seqs.append(seqs[-1] + number)
        classes.append(slow)
    run = Run(
        "e",
        "p",
        at[0],
        "b",
        seqs[0],
        seqs[-1],
        at[-1],
        "edge",
        "ok",
        None,
        len(at),
        0,
        0,
        None,
        pack(at, seqs, classes),
        "",
    )
    opened = run.open()
    assert (opened[0], opened[1]) == (at, seqs)
    assert list(opened[2] or [0] * len(at)) == classes
    assert run.slow == any(classes)


def steady(count, first=0, *, bad=()):
    said = {"outcome": "ok", "rtt_seconds": 0.01, "answered_by": "core", "code": 200}
    lost = {"outcome": "failed", "reason": "timeout", "duration_seconds": 0.9}
    found = []
    for index in range(first, first + count):
        at = T0 + index * S + index * index * 17 % 400
        one = lost if index in bad else said
        found.append(
            (
                Result(
                    v=1, probe="p1", boot="b", seq=3 * index + 1, at=iso(at), check="options", sbc="s2", core="b", **one
                ),
                at,
            )
        )  # fmt: skip
    return found


def test_an_outage_and_lone_failures_between_hours_of_runs(any_open_store):
    """Hours long: runs are swallowed whole, and what comes after them counts the same ten minutes."""
    bad = {*range(4000, 4010), *range(9000, 9300, 15), *range(9400, 9500, 2), 10799, 10800}
    found = steady(3 * 3600 + 900, bad=bad)
    store = emptied(any_open_store)
    commit(store, found)
    raw = fold_span(BASIS, T0, T0 + 4 * BLOCK_US, Recording(found)).intervals
    assert {one.state for one in raw if one.name == "s2/b"} >= {"up", "degraded", "unknown"}
    gone = compact(store)
    with store.read() as connection:
        kept = connection.execute(select(runs.c.from_us, runs.c.to_us, runs.c.count, runs.c.samples)).all()
        left = connection.execute(select(results.c.outcome)).scalars().all()
    assert left.count("failed") == len(bad)
    assert 0 < left.count("ok") < 60  # between failures: too few for a run
    assert gone == len(found) - len(left)
    assert all(row.from_us // BLOCK_US == row.to_us // BLOCK_US for row in kept)
    big = [row for row in kept if row.count > 1_000]
    assert sum(len(row.samples) for row in big) / sum(row.count for row in big) < 3  # bytes a sample
    opened = []
    read = Run.open

    def counted(run):
        opened.append(run)
        return read(run)

    with mock.patch.object(Run, "open", counted):
        assert folded(store, T0, T0 + 4 * BLOCK_US) == raw
    assert len(opened) < len(kept)


def test_what_was_compacted_is_told_as_such(any_open_store):
    store = emptied(any_open_store)
    found = steady(60, bad={30})
    commit(store, found)
    compact(store)
    with store.read() as connection:
        seen = list(queries.stored(connection, T0, T0 + 60 * S, elements=["s2/b"], probes=["p1"], checks=["options"]))
        assert list(queries.stored(connection, T0, T0 + 60 * S, elements=["s1/b"])) == []
        assert queries.span(connection) == (found[0][1], found[31][1])
    assert [(one.result.seq, one.at_us, one.compacted) for one in seen] == [
        (result.seq, at, result.seq != 91) for result, at in found
    ]
    assert {one.result.rtt_seconds for one in seen if one.compacted} == {None}
    assert {one.result.code for one in seen if one.compacted} == {200}


def test_it_may_be_killed_between_any_two_transactions(any_open_store):
    """Each result is there exactly once, as a row or in a run, and the next one goes on from there."""
    store = emptied(any_open_store)
    found = steady(2 * 3600, bad={100, 5000})
    commit(store, found)
    everything = told(store)
    for after in range(1, 7):
        keeper = Keeper(store, TOPOLOGY, FakeClock(T0 + DAYS))
        calls = iter(range(after))

        def dying(one, real=keeper._replace, calls=calls):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return real(one)

        keeper._replace = dying
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(keeper.compact())
        assert told(store) == everything
    assert compact(store) == 0
    with store.read() as connection:
        assert connection.execute(select(results.c.outcome)).scalars().all() == ["failed", "failed"]


def test_what_is_young_stays(any_open_store):
    store = emptied(any_open_store)
    commit(store, steady(60))
    assert compact(store, T0 + 8 * 86_400 * S) == 0
    assert compact(store, T0 + 8 * 86_400 * S + 3600 * S) == 60
