"""The service's transaction, fed by hand: exactly once, kept aside, shown; and what a start asks the store."""

import json
import re
import time

import msgspec
import pytest
from sqlalchemy import event, func, insert, select, text

from collector.link import Incoming
from collector.service import CollectorService
from sereno.cli.probes import say
from sereno.clock import FakeClock, iso, parse_instant
from sereno.mqtt import parse_broker
from sereno.store.bulk import insert_rows
from sereno.store.changes import last_said
from sereno.store.lease import Lease
from sereno.store.queries.results import of_elements
from sereno.store.tables import quarantine, results, verdict_changes
from sereno.topology import topology_from_json
from sereno.wire import VERSION, Ack, Batch, encode

S = 1_000_000
T0 = parse_instant("2026-11-21T00:00:00Z")
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a"}},
        "probes": {"p": {"network": "n"}, "q": {"network": "m"}},
    }
)


@pytest.fixture
def service(any_store):
    clock = FakeClock(T0)
    lease = Lease(any_store, time.monotonic)
    assert lease.try_take(T0)
    made = CollectorService(
        any_store.fenced(lease.check), lease, parse_broker("mqtt://127.0.0.1:1"), TOPOLOGY, {}, clock
    )
    made.store, made.clock = any_store, clock
    yield made
    lease.release()


def row(seq, at_us=T0, **fields):
    values = {"v": VERSION, "probe": "p", "boot": "b", "seq": seq, "at": iso(at_us), "check": "options"}
    values |= {"outcome": "ok", "sbc": "sbc-1", "core": "core-a"} | fields
    return msgspec.Raw(msgspec.json.encode(values))


def batch(*found, first=1, oldest=None, probe="p", topic=None):
    whole = Batch(v=VERSION, probe=probe, boot="b", first=first, oldest={"b": oldest or first}, results=list(found))
    return Incoming("results", topic or probe, encode(whole))


def count(service, table):
    with service.store.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def acked(service, probe="p"):
    return msgspec.json.decode(service._link._retained[f"sereno/v1/acks/{probe}"], type=Ack).committed


def test_everything_twice_and_in_any_order_is_there_once(service):
    batches = [batch(*(row(seq) for seq in range(first, first + 5)), first=first, oldest=1) for first in (1, 6, 11)]
    overlapping = batch(*(row(seq) for seq in range(4, 14)), first=4, oldest=1)
    for found in ([batches[2]], [batches[0], batches[2]], [overlapping, overlapping, *batches], batches):
        service._messages(found)
    assert count(service, results) == 15
    assert acked(service) == {"b": [(1, 15)]}


def test_what_came_is_stored_as_it_came_and_what_is_no_text_as_we_know_it(service):
    raw = b'{"v":1, "probe":"p","boot":"b","seq":%d,"at":"2026-11-21T00:00:00Z","check":"edge","outcome":"ok",%b}'
    strange = [b'"later":[1,{"x":2}]', b'"later":"\xff\xfe"', b'"later":"\x00"', b'"sbc":"sbc-9"']
    whole = b'{"v":1,"probe":"p","boot":"b","first":%d,"oldest":{"b":1},"results":[%b]}'
    for seq, more in enumerate(strange, 1):
        service._messages([Incoming("results", "p", whole % (seq, raw % (seq, more)))])
    with service.store.read() as connection:
        bodies = connection.execute(select(results.c.body).order_by(results.c.seq)).scalars().all()
    assert '"later":[1,{"x":2}]' in bodies[0]
    assert all(json.loads(body)["probe"] == "p" for body in bodies)
    assert len(bodies) + count(service, quarantine) == len(strange)


def test_names_that_nobody_watches_are_kept_and_say_nothing(service):
    """A topology newer than ours, a probe that is wrong, somebody who plays."""
    found = [row(1, sbc="sbc-7"), row(2, core="core-z"), row(3, check="https", target="x", sbc=None, core=None)]
    service._messages([batch(*found, row(4, sbc=None, core=None))])
    assert count(service, results) == 4
    with service.store.read() as connection:
        said = last_said(connection).items()
        assert {change.state for (kind, *_), change in said if kind in ("sbc", "path", "core")} <= {"unknown"}
    service._messages([batch(row(5), first=5, oldest=1)])
    with service.store.read() as connection:
        assert last_said(connection)["path", "sbc-1/core-a", "verdict"].state == "up"


def test_addresses_made_up_without_end_take_no_memory_and_what_is_watched_is_judged(service):
    for first in range(1, 3_001, 500):
        rows = [row(seq, T0 + seq, address=f"sip:192.0.2.1:{seq}") for seq in range(first, first + 500)]
        service._messages([batch(*rows, first=first, oldest=1)])
    assert count(service, results) == 3_000
    assert service._judge.size < 1_500
    service._messages([batch(row(1, T0 + S, probe="q", address="sip:192.0.2.1"), probe="q")])
    assert service._judge.size < 1_500
    with service.store.read() as connection:
        assert last_said(connection)["sbc", "sbc-1", "verdict"].state != "down"


def test_nobody_speaks_for_another(service):
    service._messages([batch(row(1), topic="q"), batch(row(1, probe="q"), probe="q", topic="p")])
    service._messages([batch(row(1, probe="q"))])  # in a batch of its own name, a result of another's
    assert count(service, results) == 0
    assert acked(service, "q") == {}
    assert acked(service) == {"b": [(1, 1)]}
    shown = {one["name"]: one for one in say(service.store, T0)}
    assert shown["p"]["quarantined"] == 2
    assert shown["q"]["quarantined"] == 1


def test_tiny_batches_by_the_thousand_and_one_too_large(service):
    tiny = [batch(row(seq, T0 + seq), first=seq, oldest=1) for seq in range(1, 601)]
    for first in range(0, len(tiny), 256):
        service._messages(tiny[first : first + 256])
    service._messages([batch(*(row(seq) for seq in range(601, 1_102)), first=601, oldest=1)])
    assert count(service, results) == 600
    assert acked(service) == {"b": [(1, 600)]}
    assert say(service.store, T0)[0]["quarantined_last"]["why"] == "a batch of 501 results; 1 to 500 may be in one"


def test_holes_and_what_was_refused_are_shown(service):
    service._messages([batch(row(1), row(2))])
    service._messages([batch(row(10, T0 + 3_600 * S), row(11), first=10, oldest=7)])
    status = {"v": 1, "probe": "p", "state": "online", "boot": "b", "spooled": 3, "version": "1.2"}
    status |= {"clock_offset_seconds": 0.25, "clock_error_seconds": 0.002}
    service._messages([Incoming("status", "p", msgspec.json.encode(status))])
    shown = {one["name"]: one for one in say(service.store, T0 + S)}
    one = shown["p"]
    assert (one["boots"], one["committed"], one["missing"], one["waited_for"]) == (1, 4, 4, 3)
    assert one["holes"] == [{"boot": "b", "from": 3, "to": 6}]
    assert (one["quarantined"], one["spooled"], one["version"]) == (1, 3, "1.2")
    assert "still to come" in one["quarantined_last"]["why"]
    assert (one["clock_offset_seconds"], one["clock_error_seconds"]) == (0.25, 0.002)
    assert (one["last_result"], one["last_result_took_seconds"]) == (iso(T0), 0.0)


@pytest.mark.parametrize(
    "fields",
    [{"boot": "x" * 65}, {"boot": "a\nb"}, {"version": "1" * 65}, {"probe": "q"}, {"v": 2}, {"state": "tired"}],
)
def test_a_status_that_cannot_be_taken_is_kept_aside(service, fields):
    status = {"v": 1, "probe": "p", "state": "online"} | fields
    service._messages([Incoming("status", "p", msgspec.json.encode(status)), Incoming("status", "p", b"\x00{")])
    assert count(service, quarantine) == 2


def test_the_last_word_on_everything_up_to_any_change(any_store):
    rows = [
        {"kind": kind, "name": name, "what": what, "state": str(number), "since_us": 1, "at_us": 1, "facts": "{}"}
        for number, (kind, name, what) in enumerate(
            (kind, name, what)
            for _ in range(3)
            for kind in ("path", "sbc")
            for name in ("a", "a/b", "B", "ñ")
            for what in ("verdict", "x")
        )
    ]
    with any_store.write() as connection:
        assert last_said(connection) == {}
        connection.execute(insert(verdict_changes), rows)
        for position in (None, 0, 1, 7, 20, len(rows)):
            expected = {(row["kind"], row["name"], row["what"]): row["state"] for row in rows[:position]}
            assert {key: change.state for key, change in last_said(connection, position).items()} == expected
            assert list(last_said(connection, position)) == sorted(expected, key=lambda key: int(expected[key]))


SMALL = {
    "lease", "topologies", "maintenance", "isolations", "collectors", "leaderships", "positions", "cursors",
    "measure_hours",  # nine days of them, all needed
}  # fmt: skip
STEPS = {"subjects", "seconds", "names"}  # of a recursion, each a look-up


def test_nothing_that_a_start_asks_reads_a_whole_table(tmp_path, service):
    """Of what grows with the years; cursors are all read, and are few."""
    if not service.store.is_sqlite:
        pytest.skip("SQLite tells the plan of a statement in words")
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, many):
        if not many and re.match(r"\s*(SELECT|WITH)", statement):
            asked.append((statement, parameters))

    event.listen(service.store.engine, "before_cursor_execute", note)
    lease = Lease(service.store, time.monotonic)
    lease.try_take(T0)
    CollectorService(service.store, lease, parse_broker("mqtt://127.0.0.1:1"), TOPOLOGY, {}, service.clock)
    event.remove(service.store.engine, "before_cursor_execute", note)
    assert len(asked) > 5
    with service.store.read() as connection:
        plans = {
            row.detail
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        }
    scanned = {found[1] for plan in plans if (found := re.search(r"\bSCAN (\w+)$", plan))}
    assert scanned <= SMALL | STEPS


def test_one_elements_results_are_found_by_an_index_and_all_of_them(any_store):
    columns = ("probe", "boot", "seq", "at_us", "element", "check", "outcome", "reason", "arrived_us", "body")
    rows = [
        (probe, "b", number, T0 + number * 700_000, element, "options", "ok", None, T0, "{}")
        for probe in ("p", "q")
        for number, element in enumerate(("x", "y", "z") * 20, 1)
    ]
    begin, end = T0 + 5 * S + 1, T0 + 30 * S
    with any_store.write() as connection:
        if not any_store.is_sqlite:
            from sereno.store.partitions import DAY_US, ensure_days

            ensure_days(connection, {T0 // DAY_US})
        insert_rows(connection, "results", columns, rows)
        for elements, probes in ((["x"], None), (["x", "z"], ["q"]), (["nobody"], None)):
            query = of_elements(select(results.c.seq, results.c.probe), connection, elements, begin, end, probes)
            expected = {
                (row[2], row[0])
                for row in rows
                if row[4] in elements and begin <= row[3] < end and (probes is None or row[0] in probes)
            }
            found = connection.execute(query).all()
            assert {(row.seq, row.probe) for row in found} == expected
            assert len(found) == len(expected)
        if any_store.is_sqlite:
            said = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
            plan = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {said}"))]
            assert any("ix_results_place (<expr>=? AND element=?)" in detail for detail in plan)
