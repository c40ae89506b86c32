"""A fold that is cut anywhere and taken up again says, to the byte, what one fold over everything says."""

import os
from itertools import pairwise

import msgspec
import pytest
from histories import CONTRACTS, KINDS, T0, TOPOLOGY, S, histories, streams
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.engine import counted_planes
from collector.ledger.blocks import BLOCK_US, Basis, Recording, fold_hour, fold_span
from collector.ledger.fold import FORMAT, Fold
from sereno.clock import iso
from sereno.store.queries.ledger import TopologyInForce
from sereno.wire import Result

MORE = int(os.environ.get("SERENO_EXAMPLES", "1"))  # times as many examples


def whole(basis, results, moments):
    """Each piece from one fold that never stops."""
    return [fold_span(basis, begin, end, Recording(results)).intervals for begin, end in pairwise(moments)]


@given(streams(), histories(), st.lists(st.integers(1, 400), min_size=1, max_size=3))
@settings(max_examples=10 * MORE, deadline=None)
def test_cut_anywhere_and_taken_up_again(results, history, cuts):
    basis = Basis(history, CONTRACTS)
    moments = sorted({T0 - 30 * S, *(T0 + cut * S for cut in cuts), T0 + 900 * S})
    chain = Recording(results)
    found = []
    for begin, end in pairwise(moments):
        folded = fold_span(basis, begin, end, chain, keep=True)
        chain.keep(end, basis, folded.checkpoint)
        found.append(folded.intervals)
    assert found == whole(basis, results, moments)
    assert len(chain.kept) == len(moments) - 1


@given(streams())
@settings(max_examples=6 * MORE, deadline=None)
def test_a_span_is_what_a_plain_fold_says(results):
    """The one fold that replay makes, and the ledger's own."""
    fold = Fold(TOPOLOGY, counted_planes(TOPOLOGY, CONTRACTS, T0))
    for result, at_us in results:
        fold.add(result, at_us)
    basis = Basis([TopologyInForce(0, TOPOLOGY)], CONTRACTS)
    end = T0 + 2 * BLOCK_US
    assert fold_span(basis, T0, end, Recording(results)).intervals == fold.intervals(T0, end)


@given(streams(), st.randoms(use_true_random=False))
@settings(max_examples=6 * MORE, deadline=None)
def test_the_order_among_elements_is_nothing(results, shuffle):
    """Only each probe's and element's own order counts: a store may be read element by element."""
    planes = counted_planes(TOPOLOGY, CONTRACTS, T0)
    one, other = Fold(TOPOLOGY, planes), Fold(TOPOLOGY, planes)
    by = {}
    for result, at_us in results:
        one.add(result, at_us)
        by.setdefault((result.probe, result.sbc, result.core), []).append((result, at_us))
    pairs = list(by.values())
    shuffle.shuffle(pairs)
    for pair in pairs:
        for result, at_us in pair:
            other.add(result, at_us)
    assert one.intervals(T0, T0 + BLOCK_US) == other.intervals(T0, T0 + BLOCK_US)


@given(streams(), st.integers(0, 300), st.integers(1, 60))
@settings(max_examples=6 * MORE, deadline=None)
def test_after_late_results_the_chain_is_folded_until_nothing_changes(results, from_s, long_s):
    """Results of a while come after all was folded: from their block on, until a checkpoint is what it was."""
    step = 240 * S
    basis = Basis([TopologyInForce(0, TOPOLOGY)], CONTRACTS)
    begin, end = T0 + from_s * S, T0 + (from_s + long_s) * S
    moments = list(range(T0, T0 + 1440 * S, step))
    chain = Recording([one for one in results if not begin <= one[1] < end])
    rows = {}
    for at in moments:
        folded = fold_span(basis, at, at + step, chain, keep=True)
        chain.keep(at + step, basis, folded.checkpoint)
        rows[at] = folded.intervals
    new = Recording(results)
    first = begin - basis.tail_us(begin) - step
    new.kept = {at: kept for at, kept in chain.kept.items() if at <= first}
    for at in moments:
        if at < first:
            continue
        folded = fold_span(basis, at, at + step, new, keep=True)
        rows[at] = folded.intervals
        new.keep(at + step, basis, folded.checkpoint)
        if at > end and folded.checkpoint == chain.kept[at + step][1]:
            break
    assert [rows[at] for at in moments] == whole(basis, results, [*moments, moments[-1] + step])


def test_an_hour_that_alternates_stays_down_in_the_next():
    """F F, then S F S F …: down until two successes in a row, however long ago the outage began."""
    results = []
    for second in range(0, 3 * 3600, 2):
        kind = "fail" if second < 40 or second % 4 == 0 else "ok"
        said = KINDS[kind]
        at = T0 + second * S
        results.append(
            (Result(v=1, probe="p1", boot="b", seq=second + 1, at=iso(at), check="edge", sbc="s2", **said), at)
        )
    alone = TOPOLOGY.model_copy(update={"probes": {"p1": TOPOLOGY.probes["p1"]}})
    basis = Basis([TopologyInForce(0, alone)], CONTRACTS)
    chain = Recording(results)
    for block in (T0, T0 + BLOCK_US, T0 + 2 * BLOCK_US):
        folded = fold_hour(basis, block, chain)
        chain.keep(block + BLOCK_US, basis, folded.checkpoint)
    states = [(one.state, one.from_us, one.to_us) for one in folded.intervals if (one.kind, one.name) == ("sbc", "s2")]
    assert states == [("down", T0 + 2 * BLOCK_US, T0 + 3 * BLOCK_US)]


NONE = [b"", b"no", *(msgspec.msgpack.encode([number, 0, [], []]) for number in (FORMAT, FORMAT - 1))]


@pytest.mark.parametrize("state", NONE)
def test_a_checkpoint_that_is_none_is_done_without(state, caplog):
    results = [(Result(v=1, probe="p1", boot="b", seq=1, at=iso(T0), check="edge", sbc="s2", **KINDS["ok"]), T0)]
    basis = Basis([TopologyInForce(0, TOPOLOGY)], CONTRACTS)
    source = Recording(results)
    source.keep(T0 + S, basis, state)
    assert fold_span(basis, T0 + S, T0 + 9 * S, source).intervals == whole(basis, results, [T0 + S, T0 + 9 * S])[0]
    assert "folded from the first result instead" in caplog.text
