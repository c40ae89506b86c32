"""The commands inbox: an order that cannot be carried out is refused once and never stops the desk."""

from pathlib import Path

import pytest

from alerting.commands import apply_pending, handlers_for
from alerting.desk import DeskMachine
from sereno.alarms import load_alarms
from sereno.contract import load_contract
from sereno.store import Store
from sereno.store.commands import submit, wait
from sereno.topology import load_topology

TOPOLOGY = """
service: voice
domain: voice.example
cores: {core-a: {uri: "sip:127.0.2.1"}, core-b: {uri: "sip:127.0.2.2"}}
sbcs: {sbc-1: {addresses: ["sip:127.0.1.1:5060"], primary: core-a, backup: core-b}}
"""
BEYOND = 10**30  # no database counts so far


@pytest.fixture
def store(any_store: Store) -> Store:
    return any_store


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("maintenance.cancel", {"id": BEYOND}),
        ("maintenance.cancel", {"id": "three"}),
        ("maintenance.cancel", {}),
        ("maintenance.add", {"kind": "service", "name": "voice", "from_us": 0, "to_us": BEYOND}),
        ("incident.ack", {"number": BEYOND}),
        ("incident.ack", {"number": None}),
        ("sbc.isolate", {}),
    ],
)
def test_a_poisoned_order_is_refused_and_the_next_one_is_done(
    store: Store, tmp_path: Path, verb: str, arguments: dict[str, object]
) -> None:
    path = tmp_path / "topology.yaml"
    path.write_text(TOPOLOGY)
    topology = load_topology(path)
    machine = DeskMachine(topology, None, {"wekall": load_contract("wekall")}, load_alarms())
    bad = submit(store, verb, arguments, "ana")
    good = submit(store, "sbc.isolate", {"sbc": "sbc-1"}, "ana")
    with store.write() as connection:
        apply_pending(connection, machine, handlers_for(topology), 1_000_000)
    refused, done = wait(store, bad, 0.0), wait(store, good, 0.0)
    assert (refused.state, refused.code) == ("refused", 2)
    assert done.state == "done"
