"""Bytes that are nearly a batch, through the whole service: each result stored or kept aside, once; never fatal."""

import itertools
import json
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from collector.link import Incoming
from collector.metrics import Metrics
from collector.service import CollectorService
from sereno.clock import FakeClock, iso, parse_instant
from sereno.mqtt import parse_broker
from sereno.store import open_store
from sereno.store.lease import Lease
from sereno.store.tables import quarantine, results
from sereno.topology import topology_from_json
from sereno.wire import Ack

T0 = parse_instant("2026-11-21T00:00:00Z")
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a"}},
        "probes": {"p": {"network": "n"}, "q": {"network": "m"}},
    }
)
ODD = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6) | st.just([{}])
KEYS = ["v", "probe", "boot", "seq", "at", "check", "outcome", "sbc", "core", "address", "reason", "code", "evidence"]
KEYS += ["answered_by", "duration_seconds", "rtt_seconds", "expires_seconds", "media", "facts", "target", "account"]
FIELDS = st.dictionaries(
    st.sampled_from(KEYS),
    ODD | st.sampled_from(["edge", "call", "https", "failed", "invalid", "timeout", "sbc-1", "core-a", iso(T0 - 5)]),
    max_size=4,
)
FLIPS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=3)
boots = itertools.count()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("fuzz"))
    lease = Lease(store, time.monotonic)
    assert lease.try_take(T0)
    metrics = Metrics(store, TOPOLOGY)
    made = CollectorService(
        store.fenced(lease.check), lease, parse_broker("mqtt://127.0.0.1:1"), TOPOLOGY, {}, FakeClock(T0),
        observer=metrics,
    )  # fmt: skip
    made.store, made.metrics = store, metrics
    yield made
    lease.release()
    store.dispose()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(FIELDS, min_size=1, max_size=5), FLIPS, st.integers(0, 8), st.integers(1, 3))
def test_what_is_nearly_a_batch_is_stored_or_kept_aside_once(service, changed, flips, cut, again):
    boot = f"b{next(boots)}"
    rows = [
        {"v": 1, "probe": "p", "boot": boot, "seq": seq, "at": iso(T0 - seq), "check": "options", "outcome": "ok"}
        | {"sbc": "sbc-1", "core": "core-a"}
        | fields
        for seq, fields in enumerate(changed, 1)
    ]
    payload = bytearray(
        json.dumps({"v": 1, "probe": "p", "boot": boot, "first": 1, "oldest": {boot: 1}, "results": rows}).encode()
    )
    for place, value in flips:
        payload[place % len(payload)] = value
    message = Incoming("results", "p", bytes(payload[: len(payload) - cut] if cut > 6 else payload))
    service._messages([message] * again)
    service._messages([message, Incoming("status", "p", bytes(payload[:50]))])
    acked = msgspec.json.decode(service._link._retained["sereno/v1/acks/p"], type=Ack).committed.get(boot, [])
    done = sorted(seq for first, last in acked for seq in range(first, last + 1))
    with service.store.read() as connection:
        kept = connection.execute(select(results.c.seq).where(results.c.boot == boot)).scalars().all()
        aside = connection.execute(select(quarantine.c.seq).where(quarantine.c.boot == boot)).scalars().all()
    assert sorted([*kept, *aside]) == done  # each in one place, once
    assert service.metrics.render()[0]
