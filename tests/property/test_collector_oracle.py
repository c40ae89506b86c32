"""The machines against an independent reading of the rules (tests/support/oracle.py), over random small systems."""

import os
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import UP, Oracle
from random_systems import T0, S, calm, stream, system

from collector.engine import Engine
from collector.ledger.fold import Fold
from sereno.topology import topology_from_json


def told(fold, end):
    """The ledger's intervals, with alive for up and degraded."""
    found = {}
    for one in fold.intervals(T0, end):
        state = UP if one.state == "degraded" else one.state
        pieces = found.setdefault((one.kind, one.name), [])
        if pieces and pieces[-1][0] == state:
            pieces[-1] = (state, pieces[-1][1], one.to_us)
        else:
            pieces.append((state, one.from_us, one.to_us))
    return found


def compare(seed):
    rng = random.Random(seed)
    settings_, every = system(rng)
    topology = topology_from_json(settings_)
    results, end = stream(rng, topology, every)
    fold = Fold(topology)
    for one in sorted(results, key=lambda one: (one.at_us, one.probe, one.boot, one.seq)):
        fold.add(one, one.at_us)
    oracle = Oracle(topology, results)
    differences = []
    for (kind, name), pieces in told(fold, end).items():
        wanted = oracle.intervals(kind, name, T0, end)
        if wanted != pieces:
            differences.append((kind, name, pieces, wanted))
    return settings_, results, differences


@settings(max_examples=int(os.environ.get("SERENO_ORACLE_EXAMPLES", "80")))
@given(st.integers(0, 2**40))
def test_the_ledger_says_what_the_text_says(seed):
    _, _, differences = compare(seed)
    assert not differences


def live(topology, results):
    """What the engine says after everything has arrived in order."""
    engine = Engine(topology)
    arriving = [
        (one.at_us + round((one.answered_after_seconds or one.duration_seconds or 0) * S), one) for one in results
    ]
    for arrived, one in sorted(arriving, key=lambda pair: (pair[0], pair[1].at_us, pair[1].probe, pair[1].seq)):
        while (due := engine.next_due_us()) is not None and due <= arrived:
            engine.tick(due)
        engine.feed(one, arrived)
    now = max(arrived for arrived, _ in arriving) + 1
    engine.tick(now)
    return now, {(one.kind, one.name): one.state for one in engine.verdicts(now) if one.kind != "probe"}


@settings(max_examples=40)
@given(st.integers(0, 2**40))
def test_once_nothing_changes_any_more_the_live_engine_says_what_the_ledger_says(seed):
    rng = random.Random(seed)
    settings_, every = system(rng)
    topology = topology_from_json(settings_)
    results, _ = stream(rng, topology, every)
    if not results:
        return
    results += calm(rng, topology, every, results)
    now, said = live(topology, results)
    fold = Fold(topology)
    for one in sorted(results, key=lambda one: (one.at_us, one.probe, one.boot, one.seq)):
        fold.add(one, one.at_us)
    for one in fold.intervals(T0, now + 1):
        if one.to_us == now + 1 and one.kind != "customer":
            assert said[one.kind, one.name] == one.state, one
