"""Portals and databases: verdicts beside the service's, never part of it (docs/verdicts.md §12)."""

import pytest
from sqlalchemy import insert

from collector.availability import Book, figures
from collector.engine import Engine
from collector.ledger.fold import Fold
from sereno.availability import Scope
from sereno.cli.verdicts import say
from sereno.clock import iso
from sereno.store.changes import insert_changes
from sereno.store.tables import lease, topologies
from sereno.topology import canonical_json, topology_from_json, topology_hash
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
TOPOLOGY = {
    "service": "voz",
    "cores": {"a": {"uri": "sip:10.0.0.1"}},
    "sbcs": {"s": {"addresses": ["sip:192.0.2.1"], "primary": "a"}},
    "probes": {"p": {"network": "n"}, "in": {"network": "lan", "vantage": "inside"}},
    "portals": {"web": {"url": "https://w.example", "every": "10s"}},
    "databases": {
        "db": {"dsn": {"env": "X"}, "replicas": ["db2"], "every": "10s"},
        "db2": {"dsn": {"env": "X"}, "role": "replica", "every": "10s"},
    },
}
DEAD = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "facts": {"answering": 0, "total": 2}}
HALF = {"outcome": "failed", "reason": "timeout", "answered_by": "unknown", "facts": {"answering": 1, "total": 2}}
GRADE = {"outcome": "failed", "reason": "tls_grade", "facts": {"answering": 2, "total": 2}}


def run(said, check, target, probe=None, topology=TOPOLOGY):
    """One result each ten seconds through ledger and engine: the intervals in tens of seconds, and the changes."""
    model = topology_from_json(topology)
    fold, engine, changes = Fold(model), Engine(model), []
    who = probe or ("p" if check == "https" else "in")
    for index, one in enumerate(said):
        at = T0 + 10 * index * S
        result = Result(v=1, probe=who, boot="b", seq=index + 1, at=iso(at), check=check, target=target, **one)
        fold.add(result, at)
        changes += engine.feed(result, at + S)
    found = fold.intervals(T0, T0 + 10 * len(said) * S)
    return [
        (one.state, (one.from_us - T0) / S / 10, (one.to_us - T0) / S / 10, one.reason, one.interval_us // S)
        for one in found
        if one.name == target
    ], changes, found  # fmt: skip


OK = {"outcome": "ok"}


def test_a_portal_is_down_when_no_server_answers_twice_and_degraded_when_some_do():
    said, changes, _ = run([OK, OK, DEAD, DEAD, OK, OK, HALF, HALF, OK, OK, GRADE, GRADE, OK, OK], "https", "web")
    assert said == [
        ("up", 0, 2, None, 0),
        ("down", 2, 4, "timeout", 10),
        ("up", 4, 6, None, 0),
        ("degraded", 6, 8, "timeout", 0),
        ("up", 8, 10, None, 0),
        ("degraded", 10, 12, "tls_grade", 0),
        ("up", 12, 14, None, 0),
    ]
    members = [(one.state, (one.at_us - T0) // S) for one in changes if one.what == "portal_member"]
    assert members == [("true", 71), ("false", 91)]
    degraded = next(one for one in changes if (one.kind, one.state) == ("portal", "degraded"))
    assert degraded.since_us == T0 + 60 * S  # not since it was up


def test_one_failure_is_no_outage_and_silence_is_unknown():
    assert run([OK, DEAD, OK, OK], "https", "web")[0] == [("up", 0, 4, None, 0)]
    assert run([OK, OK, *[]], "https", "web")[0] == [("up", 0, 2, None, 0)]
    invalid = {"outcome": "invalid", "reason": "probe_fault"}
    assert [one[0] for one in run([OK, invalid, invalid], "https", "web")[0]] == ["up", "unknown"]


def test_the_probes_own_lost_network_says_nothing_of_a_portal():
    blind = DEAD | {"evidence": {"canaries": {"sip:203.0.113.5": False}}}
    assert [one[0] for one in run([OK, blind, blind], "https", "web")[0]] == ["up", "unknown"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"outcome": "failed", "reason": "refused"}, "down"),
        ({"outcome": "failed", "reason": "auth"}, "down"),
        ({"outcome": "failed", "reason": "role", "facts": {"role": "replica"}}, "down"),  # nothing takes writes
        ({"outcome": "failed", "reason": "lag", "facts": {"role": "primary"}}, "degraded"),
        ({"outcome": "failed", "reason": "backup_stale", "facts": {"role": "primary"}}, "degraded"),
    ],
)
def test_a_database(said, expected):
    assert [one[0] for one in run([OK, said, said], "database", "db")[0]] == ["up", expected]


def test_who_looks_at_what():
    """Databases by inside probes, portals by outside ones."""
    assert [one[0] for one in run([OK, OK], "database", "db", probe="p")[0]] == ["unknown"]
    assert [one[0] for one in run([OK, OK], "https", "web", probe="in")[0]] == ["unknown"]
    assert [one[0] for one in run([OK, OK], "database", "db", topology=TOPOLOGY | {"probes": {}})[0]] == ["up"]


def test_a_primary_whose_replica_took_over_is_degraded():
    model = topology_from_json(TOPOLOGY)
    fold = Fold(model)
    for index in range(6):
        at = T0 + 10 * index * S
        moved = index > 1
        said = {
            "db": {"outcome": "failed", "reason": "role", "facts": {"role": "replica"}} if moved else OK,
            "db2": {"outcome": "failed", "reason": "role", "facts": {"role": "primary"}} if moved else OK,
        }
        for number, (name, one) in enumerate(said.items()):
            fold.add(
                Result(v=1, probe="in", boot="b", seq=2 * index + number + 1, at=iso(at + number), check="database",
                       target=name, **one), at + number)  # fmt: skip
    states = {
        name: [one.state for one in fold.intervals(T0, T0 + 60 * S) if one.name == name] for name in ("db", "db2")
    }
    assert states["db"][-1] == states["db2"][-1] == "degraded"


def test_they_are_no_part_of_the_service():
    _, changes, found = run([OK, DEAD, DEAD, DEAD], "https", "web")
    assert {one.state for one in found if one.kind == "service"} == {"unknown"}
    assert not [one for one in changes if one.kind == "service"]
    said = figures(
        topology_from_json(TOPOLOGY), Book(found), Scope("service", "voz"), T0, T0 + 40 * S,
        excluded=lambda _: [], target_ppm=None,
    )  # fmt: skip
    assert said.down_us == 0


def test_the_command_tells_them(any_store):
    topology = topology_from_json(TOPOLOGY)
    with any_store.write() as connection:
        row = {"from_us": T0, "hash": topology_hash(topology), "topology": canonical_json(topology), "desk": None}
        connection.execute(insert(topologies).values(row))
        connection.execute(lease.delete())
        connection.execute(lease.insert().values(id=1, epoch=1, holder="somebody", renewed_us=T0 + 40 * S))
        insert_changes(connection, run([OK, DEAD, DEAD], "https", "web")[1])
    told = {(one["kind"], one["name"]): one["state"] for one in say(any_store, T0 + 41 * S)}
    assert told["portal", "web"] == "down"
    assert told["database", "db"] == "unknown"
