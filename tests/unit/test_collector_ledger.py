"""The ledger in a store: rows and recomputation say the same, late samples supersede, nothing is rewritten."""

from itertools import groupby

import msgspec
import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner

from collector.ledger.blocks import BLOCK_US
from collector.ledger.writer import LedgerWriter, stored_intervals
from collector.measure import measure
from sereno.availability import Scope
from sereno.cli.availability import app
from sereno.clock import iso
from sereno.contract import load_contract
from sereno.store.queries import ledger
from sereno.store.results import insert_results
from sereno.store.tables import ledger as ledger_table
from sereno.store.tables import topologies
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_602_800 * S // BLOCK_US * BLOCK_US  # on the hour
SETTINGS = {
    "service": "voz",
    "cores": {"a": {"uri": "sip:10.0.0.1"}, "b": {"uri": "sip:10.0.0.2"}},
    "sbcs": {"sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "a", "backup": "b"}},
    "customers": {"acme": {"name": "A", "contract": "callmyway"}},
    "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1"]}},
    "checks": {name: {"every": "10s", "timeout": "900ms"} for name in ("edge", "options", "natural")},
    "probes": {"p1": {"network": "isp"}},
}
CONTRACTS = {"callmyway": load_contract("callmyway")}


def stream(begin, end, bad=lambda _: False, first=1):
    """Every check each ten seconds of [begin, end), in seconds after T0."""
    found = []
    for second in range(begin, end, 10):
        for check, core in (("edge", None), ("natural", None), ("options", "a"), ("options", "b")):
            said = {"outcome": "failed", "reason": "timeout"} if bad(second) else {"outcome": "ok"}
            at = iso(T0 + second * S)
            seq = first + len(found)
            found.append(Result(v=1, probe="p1", boot="b", seq=seq, at=at, check=check, sbc="sbc-1", core=core, **said))
    return found


@pytest.fixture
def store(any_store):
    body = msgspec.json.encode(SETTINGS_JSON).decode()
    with any_store.write() as connection:
        connection.execute(insert(topologies).values(from_us=0, hash="x", topology=body))
    return any_store


SETTINGS_JSON = topology_from_json(SETTINGS).model_dump(mode="json", by_alias=True, exclude_none=True)


def commit(store, results, arrived_us):
    with store.write() as connection:
        insert_results(connection, results, arrived_us)


def commit_live(store, results):
    """Each second's results by themselves, a second after they were sent."""
    with store.write() as connection:
        for at_us, group in groupby(results, key=lambda result: result.at_us):
            insert_results(connection, list(group), at_us + S)


def writer_of(store):
    with store.read() as connection:
        return LedgerWriter(ledger.in_force(connection), CONTRACTS)


def settle(store, writer, now_us):
    outages = []
    while (block := writer.due(now_us)) is not None:
        with store.read() as connection:
            plan = writer.plan(connection, block, now_us)
        with store.write() as connection:
            writer.store(connection, plan, now_us)
        outages += plan.outages
    return outages


def intervals(store, begin, end, *, recompute=False):
    with store.read() as connection:
        return stored_intervals(
            connection, ledger.in_force(connection), CONTRACTS, T0 + begin * S, T0 + end * S, recompute=recompute
        )


HOURS = 3 * 3600
LATER = T0 + 10 * 3600 * S


def outage(second):
    return 3500 <= second < 3800  # across the hour


def test_rows_and_recomputation_give_the_same(store):
    results = stream(0, HOURS, outage)
    commit_live(store, results)
    writer = writer_of(store)
    for result in results:
        writer.note(result.at_us)
    assert settle(store, writer, LATER) == []
    kept, folded = intervals(store, 0, HOURS), intervals(store, 0, HOURS, recompute=True)
    assert kept == folded
    [down] = [one for one in kept if (one.kind, one.state) == ("site", "down")]
    assert (down.from_us - T0, down.to_us - T0) == (3500 * S, 3800 * S)
    figures = [measure(store, "site:hq", T0, T0 + HOURS * S, recompute=flag) for flag in (False, True)]
    assert figures[0] == figures[1]
    assert (figures[0].down_us, figures[0].bound_us, figures[0].outages) == (300 * S, 10 * S, 1)


def test_before_anything_is_written_the_answer_is_folded(store):
    commit(store, stream(0, HOURS, outage), T0 + HOURS * S)
    assert measure(store, "service", T0, T0 + HOURS * S).down_us == 300 * S
    with store.read() as connection:
        assert ledger.current(connection, 0, LATER) == []


def test_half_written_and_half_open(store):
    results = stream(0, HOURS, outage)
    commit(store, results, T0 + HOURS * S)
    writer = writer_of(store)
    for result in results[:1500]:  # the first hour and a bit
        writer.note(result.at_us)
    settle(store, writer, T0 + 2 * 3600 * S)
    with store.read() as connection:
        rows = ledger.current(connection, 0, LATER)
    assert len(rows) > 0
    assert max(row.to_us for row in rows) <= T0 + 2 * 3600 * S
    assert intervals(store, 0, HOURS) == intervals(store, 0, HOURS, recompute=True)


def test_a_spool_that_comes_late_supersedes_and_tells_the_outage(store):
    good = stream(0, HOURS)
    hidden = [result for result in good if not 4000 * S <= result.at_us - T0 < 4300 * S]
    commit(store, hidden, T0 + HOURS * S)
    writer = writer_of(store)
    for result in hidden:
        writer.note(result.at_us)
    settle(store, writer, LATER)
    before = measure(store, "site:hq", T0, T0 + HOURS * S)
    assert (before.down_us, before.unknown_us) == (0, (310 - 25) * S)
    late = stream(4000, 4300, lambda second: 4000 <= second < 4200, first=len(good) + 1)
    commit(store, late, LATER)
    for result in late:
        writer.note(result.at_us)
    outages = settle(store, writer, LATER)
    assert {(one.kind, one.name) for one in outages} >= {("site", "hq"), ("service", "voz")}
    assert {(one.from_us - T0, one.to_us - T0) for one in outages} == {(4000 * S, 4200 * S)}
    after = measure(store, "site:hq", T0, T0 + HOURS * S)
    assert (after.down_us, after.unknown_us) == (200 * S, 0)
    assert intervals(store, 0, HOURS) == intervals(store, 0, HOURS, recompute=True)
    with store.read() as connection:
        old = connection.execute(select(ledger_table).where(ledger_table.c.superseded_by.is_not(None))).all()
    assert old  # what was believed stays readable


def test_folding_again_without_news_writes_nothing(store):
    results = stream(0, 7200, outage)
    commit(store, results, T0 + 7200 * S)
    writer = writer_of(store)
    with store.read() as connection:
        writer.resume(connection)
    settle(store, writer, LATER)
    with store.read() as connection:
        rows = ledger.current(connection, 0, LATER)
        again = writer_of(store)
        again.resume(connection)
    settle(store, again, LATER)
    with store.read() as connection:
        assert ledger.current(connection, 0, LATER) == rows


def test_the_topology_in_force_decides(store):
    """From 3600 s on, the site has a second SBC that is never measured: its death is no longer certain."""
    other = {**SETTINGS, "sbcs": {**SETTINGS["sbcs"], "sbc-2": {"addresses": ["sip:192.0.2.2"], "primary": "b"}}}
    other["sites"] = {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}}
    body = topology_from_json(other).model_dump_json(by_alias=True, exclude_none=True)
    with store.write() as connection:
        connection.execute(insert(topologies).values(from_us=T0 + 3600 * S, hash="y", topology=body))
    commit(store, stream(0, 7200, outage), T0 + 7200 * S)
    found = [(one.state, one.from_us - T0, one.to_us - T0) for one in intervals(store, 0, 7200) if one.kind == "site"]
    assert ("down", 3500 * S, 3600 * S) in found
    assert ("unknown", 3600 * S, 3800 * S) in found


def run(store_url, *options):
    return CliRunner().invoke(app, ["--database", store_url, *options])


def test_the_command_prints_figures(store, store_url):
    commit(store, stream(0, 3600, lambda second: 1000 <= second < 1100), T0 + 3600 * S)
    answer = run(store_url, "--scope", "site:hq", "--from", iso(T0), "--to", iso(T0 + 3600 * S), "--json")
    assert answer.exit_code == 0
    found = msgspec.json.decode(answer.stdout)
    assert found == {
        "scope": "site:hq", "from": iso(T0), "to": iso(T0 + 3600 * S), "low": 3500 / 3600, "observed": 3500 / 3600,
        "high": 3500 / 3600, "down_seconds": 100.0, "excluded_seconds": 0.0, "unknown_seconds": 0.0,
        "total_seconds": 3600.0, "target": 0.9999, "verdict": "missed", "timezone": "America/Costa_Rica",
        "outages": 1, "bound_seconds": 10.0, "budget_seconds": 0.36, "budget_remaining_seconds": -99.64,
        "revisions": [],
    }  # fmt: skip
    assert "incumplida" in run(store_url, "--scope", "site:hq", "--from", iso(T0), "--to", iso(LATER)).stdout


@pytest.mark.parametrize(
    ("scope", "begin", "end", "words"),
    [
        ("site:nowhere", iso(T0), iso(T0 + S), "no site named 'nowhere'"),
        ("planet:x", iso(T0), iso(T0 + S), "no scope 'planet:x'"),
        ("service", iso(T0 + S), iso(T0), "is not before"),
        ("service", "yesterday", iso(T0), "is not an ISO 8601 instant"),
    ],
)
def test_the_command_refuses_in_one_line(store, store_url, scope, begin, end, words):
    answer = run(store_url, "--scope", scope, "--from", begin, "--to", end)
    assert words in str(answer.exception)
    assert answer.exception.exit_code == 2
    assert "\n" not in str(answer.exception)


def test_scope_prints_as_it_is_written():
    assert [str(Scope("service", "voz")), str(Scope("site", "hq"))] == ["service", "site:hq"]
