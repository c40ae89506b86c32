"""Whatever a probe's account publishes: a batch is taken or refused; nothing else happens to the collector."""

import json

from hypothesis import given
from hypothesis import strategies as st

from collector.ingest import Ingest
from sereno.store import open_store
from sereno.store.results import insert_refused, insert_results, save_cursors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
RESULT = st.fixed_dictionaries(
    {
        "v": st.sampled_from([1, 1, 1, 2]),
        "probe": st.just("p") | st.text(max_size=4),
        "boot": st.just("b"),
        "seq": st.integers(1, 5) | JSON,
        "at": st.sampled_from(["2026-11-21T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59Z"]) | JSON,
        "check": st.sampled_from(["edge", "options"]),
        "outcome": st.sampled_from(["ok", "failed"]),
    },
    optional={"sbc": st.text(max_size=4), "core": st.text(max_size=4), "phrase": st.text(), "evidence": JSON},
)
BATCH = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "probe": st.just("p"),
        "boot": st.just("b") | st.text(max_size=3),
        "first": st.integers(1, 3) | JSON,
        "oldest": st.dictionaries(st.sampled_from(["b", "c"]), st.integers(1, 4)) | JSON,
        "results": st.lists(RESULT | JSON, max_size=5) | JSON,
    }
)
PAYLOAD = (
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | BATCH.map(lambda value: json.dumps(value).encode())
)


@given(st.lists(PAYLOAD, min_size=1, max_size=4))
def test_any_payload_is_taken_or_refused_and_can_be_stored(payloads):
    ingest = Ingest({})
    taken = ingest.take([("p", payload) for payload in payloads])
    store = _STORE
    try:
        with store.write() as connection:
            insert_results(connection, [result for result, _ in taken.fresh], 1)
            insert_refused(connection, taken.refused, 1)
            save_cursors(connection, {key: ingest.cursors[key] for key in taken.moved})
            _undo()
    except _Undo:
        pass
    assert not ingest.take([("p", payload) for payload in payloads]).fresh


class _Undo(Exception):  # noqa: N818
    pass


def _undo():
    raise _Undo


_STORE = open_store("sqlite://")
