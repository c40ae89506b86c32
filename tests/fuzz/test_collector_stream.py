"""A recorded line is a result or an event, or the one documented error: FILE:LINE what; mend."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.stream import Reader
from sereno.errors import ConfigError
from sereno.topology import topology_from_json

TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"s": {"addresses": ["sip:192.0.2.1"], "primary": "a"}},
    }
)
WORDS = [
    "v",
    "event",
    "at",
    "maintenance",
    "cancel",
    "probe",
    "incident",
    "isolate",
    "heal",
    "scope",
    "kind",
    "name",
    "from",
    "to",
    "announced",
    "sbc",
    "core",
    "check",
    "outcome",
    "ok",
    "boot",
    "seq",
    "action",
    "by",
    "ack",
    "options",
    "service",
    "2026-11-02T12:00:00Z",
    "s",
    "a",
    "online",
    "state",
]
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=8), st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=12,
)


def parse(raw):
    said = None
    try:
        line = Reader(TOPOLOGY, "stream").parse(raw, 7)
    except ConfigError as error:
        said = str(error)
    if said is None:
        assert isinstance(line.at_us, int)
    else:
        assert said.startswith("stream:7: ")
        assert "\n" not in said


@given(st.binary(max_size=200))
def test_bytes(raw):
    parse(raw)


@given(st.dictionaries(st.sampled_from(WORDS), values, max_size=10))
def test_json(row):
    parse(json.dumps(row).encode())


GOOD = {"v": 1, "probe": "p", "boot": "b", "seq": 1, "at": "2026-11-02T12:00:00Z", "check": "options", "outcome": "ok",
        "sbc": "s", "core": "a"}  # fmt: skip
WORK = {"v": 1, "event": "maintenance", "at": "2026-11-02T12:00:00Z", "from": "2026-11-02T12:00:00Z",
        "to": "2026-11-02T13:00:00Z", "announced": "2026-10-20T12:00:00Z", "scope": {"kind": "service"}}  # fmt: skip


@given(st.sampled_from([GOOD, WORK]), st.sampled_from([*GOOD, *WORK]), values)
def test_one_value_changed(row, key, value):
    parse(json.dumps(row | {key: value}).encode())


@pytest.mark.parametrize("row", [GOOD, WORK])
def test_the_whole_ones_are_read(row):
    assert Reader(TOPOLOGY, "stream").parse(json.dumps(row).encode(), 1).at_us > 0
