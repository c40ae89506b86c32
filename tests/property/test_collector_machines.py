"""Invariants of the verdict machines: witness, votes, ledger, availability, engine."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.availability import Book, figures
from collector.engine import Engine
from collector.ledger import spans
from collector.ledger.fold import Fold
from collector.verdicts.samples import FAIL, GOOD, LATE, PLAIN, VOID, Sample, signature
from collector.verdicts.votes import Opinion, Value, vote
from collector.verdicts.witness import Witness
from sereno.availability import Scope
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
HOLD = 5 * S // 2
TIMEOUT = signature("timeout", "visible")
LATELY = signature("late", "late")
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"a": {"uri": "sip:10.0.0.1"}, "b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "s1": {"addresses": ["sip:192.0.2.1"], "primary": "a", "backup": "b"},
            "s2": {"addresses": ["sip:192.0.2.2"], "primary": "b", "backup": "a"},
        },
        "customers": {"acme": {"name": "A", "contract": "callmyway"}},
        "sites": {"x": {"customer": "acme", "sbcs": ["s1", "s2"]}, "y": {"customer": "acme", "sbcs": ["s2"]}},
        "probes": {"p1": {"network": "n1"}, "p2": {"network": "n2"}},
    }
)

samples = st.lists(
    st.tuples(
        st.integers(100_000, 4 * S),  # gap to the one before
        st.sampled_from([GOOD, GOOD, FAIL, FAIL, LATE, VOID]),
        st.integers(950_000, 6 * S),  # of a late one: how late
    ),
    max_size=40,
)


def witnessed(drawn):
    at, found = T0, []
    for index, (gap, weight, after) in enumerate(drawn):
        at += gap
        said = {GOOD: PLAIN, FAIL: TIMEOUT, LATE: LATELY, VOID: signature("probe_fault")}[weight]
        reply = at + after if weight == LATE else at
        settled = at + 900_000 if weight in {FAIL, LATE} else at
        found.append(Sample(at, ("b", index), weight, said, reply, settled))
    return found


def steps(found):
    witness = Witness(HOLD)
    for one in found:
        witness.feed(one)
    end = (found[-1].at_us if found else T0) + 40 * S
    witness.close(end)
    return witness.steps, end


def pieces(told, end):
    if not told:
        return []
    ends = [*(step.from_us for step in told[1:]), end]
    return [(one.state, one.from_us, until) for one, until in zip(told, ends, strict=True) if one.from_us < until]


@given(samples)
def test_never_down_without_two_failures_in_a_row(drawn):
    found = witnessed(drawn)
    told, end = steps(found)
    times = [one.at_us for one in found]
    for state, begin, until in pieces(told, end):
        if state != "down":
            continue
        bad = [one for one in found if begin <= one.at_us <= max(until, begin + 1) and one.weight in {FAIL, LATE}]
        assert len(bad) >= 2 or begin not in times


@given(samples)
def test_steps_go_forward_and_change_something(drawn):
    told, _ = steps(witnessed(drawn))
    assert [one.from_us for one in told] == sorted(one.from_us for one in told)
    assert all((one.state, one.signature) != (two.state, two.signature) for one, two in pairwise(told))


@given(samples)
def test_what_is_said_never_outlives_its_samples(drawn):
    """More than a hold after the last sample or reply nothing is known; only good samples or replies make it up."""
    found = witnessed(drawn)
    told, end = steps(found)
    for state, begin, until in pieces(told, end):
        if state == "up":
            assert any(one.weight in {GOOD, LATE} and begin in (one.at_us, one.reply_us) for one in found)
        if state != "unknown":
            fresh = [one.at_us for one in found if one.at_us < until]
            assert until <= max(fresh) + HOLD


@given(samples, st.integers(0, 39))
def test_a_success_never_makes_an_outage_longer(drawn, place):
    """Turning one failure into a good answer takes nothing from the time that is up."""
    found = witnessed([(gap, weight, after) for gap, weight, after in drawn if weight in {GOOD, FAIL}])
    if not found:
        return
    index = place % len(found)
    better = list(found)
    one = found[index]
    better[index] = Sample(one.at_us, one.order, GOOD, PLAIN, one.at_us, one.at_us)
    down = [
        spans.total([(b, u) for state, b, u in pieces(*steps(each)) if state == "down"]) for each in (found, better)
    ]
    assert down[1] <= down[0]


values = st.builds(
    Value, st.sampled_from(["up", "down", "unknown", "degraded"]), st.integers(0, 99), st.none(), st.just(frozenset())
)
opinions = st.lists(st.builds(Opinion, st.sampled_from("abc"), values), max_size=7)


@given(opinions, st.integers(0, 3), st.randoms(use_true_random=False))
def test_votes_do_not_depend_on_order_and_down_needs_a_majority(said, more, shuffle):
    networks = len({one.network for one in said})
    found = vote(said, len(said) + more, networks)
    mixed = list(said)
    shuffle.shuffle(mixed)
    other = vote(mixed, len(said) + more, networks)
    assert (found.state, found.since_us, found.tags) == (other.state, other.since_us, other.tags)
    downs = [one for one in said if one.value.state == "down"]
    ups = [one for one in said if one.value.alive]
    if found.state == "down":
        assert len(downs) > len(ups)
        assert networks < 2 or len({one.network for one in downs}) > 1
        assert len(downs) + len(ups) > 1 or len(said) + more == 1
    if found.alive:
        assert len(ups) > len(downs)


@st.composite
def streams(draw):
    """Up to twenty seconds of everything that two probes send, with faults that hold for a while."""
    seconds = draw(st.integers(4, 20))
    faults = draw(
        st.lists(
            st.tuples(st.sampled_from(["a", "b", "s1", "s2", "p1", "p2"]), st.integers(0, 20), st.integers(1, 10)),
            max_size=4,
        )
    )
    lost = draw(st.sets(st.integers(0, 400), max_size=30))
    late = draw(st.sets(st.integers(0, 400), max_size=10))
    found = []
    seqs = {"p1": 0, "p2": 0}
    for second in range(seconds):
        broken = {what for what, begin, length in faults if begin <= second < begin + length}
        for probe in ("p1", "p2"):
            for index, (check, sbc, core) in enumerate(
                (check, sbc, core)
                for sbc in ("s1", "s2")
                for check, core in (
                    ("edge", None),
                    ("natural", None),
                    ("options", "a"),
                    ("options", "b"),
                    ("call", "a"),
                )
            ):
                seqs[probe] += 1
                if len(found) in lost or (check == "call" and second % 4):
                    continue
                bad = broken & {sbc, core, probe}
                said = {"outcome": "failed", "reason": "timeout"} if bad else {"outcome": "ok"}
                if not bad and len(found) in late:
                    said |= {"reason": "late", "answered_after_seconds": 1.3}
                at = T0 + second * S + index * 7_000 + (3_000 if probe == "p2" else 0)
                found.append(
                    Result(
                        v=1, probe=probe, boot="b", seq=seqs[probe], at=iso(at), check=check, sbc=sbc, core=core, **said
                    )
                )
    return found


def folded(results, end):
    fold = Fold(TOPOLOGY)
    for result in sorted(results, key=lambda one: (one.at_us, one.probe, one.boot, one.seq)):
        fold.add(result, result.at_us)
    return fold.intervals(T0, end)


END = T0 + 30 * S


@settings(max_examples=60)
@given(streams())
def test_intervals_tile_the_window_and_figures_are_bounded(results):
    intervals = folded(results, END)
    by = {}
    for one in intervals:
        by.setdefault((one.kind, one.name), []).append(one)
    for found in by.values():
        assert found[0].from_us == T0
        assert found[-1].to_us == END
        assert all(one.to_us == two.from_us and one.state != two.state for one, two in pairwise(found))
    book = Book(intervals)
    for scope in (Scope("service", "voz"), Scope("site", "x"), Scope("customer", "acme"), Scope("path", "s1/a")):
        for excluded in ([], [(T0 + 5 * S, T0 + 9 * S)]):
            said = figures(TOPOLOGY, book, scope, T0, END, excluded=lambda _, found=excluded: found, target_ppm=999_900)
            assert min(said.down_us, said.excluded_us, said.unknown_us) >= 0
            assert said.down_us + said.excluded_us + said.unknown_us <= said.total_us
            if said.observed is not None:
                assert 0 <= said.low <= said.observed <= said.high <= 1


@settings(max_examples=60)
@given(streams())
def test_a_site_is_down_only_where_all_its_paths_or_naturals_can_be(results):
    """Never more downtime than the worst of what was measured allows: a site's D lies inside failing samples' spans."""
    intervals = folded(results, END)
    failing = [one.at_us for one in results if one.outcome == "failed"]
    for one in intervals:
        if one.kind in {"service", "site", "customer"} and one.state == "down":
            assert one.from_us in failing


@settings(max_examples=40, deadline=None)
@given(streams(), st.integers(0, 2**32))
def test_any_order_of_arrival_ends_in_the_same_ledger_and_the_same_verdicts(results, seed):
    shuffled = list(results)
    random.Random(seed).shuffle(shuffled)
    assert folded(shuffled, END) == folded(results, END)
    said = []
    for stream in (results, shuffled):
        engine = Engine(TOPOLOGY)
        for result in stream:
            engine.feed(result, T0 + 20 * S)
        said.append({(one.kind, one.name): one.state for one in engine.verdicts(T0 + 20 * S)})
    assert said[0] == said[1]


@settings(max_examples=40, deadline=None)
@given(streams())
def test_changes_tell_what_the_engine_says(results):
    """Whoever follows the changes knows exactly the verdicts and the findings."""
    engine, said = Engine(TOPOLOGY), {}
    moments = []
    for result in results:
        for change in engine.feed(result, result.at_us):
            said[change.kind, change.name, change.what] = change.state
            moments.append(change.at_us)
            assert change.since_us <= change.at_us
    for change in engine.tick(T0 + 60 * S):
        said[change.kind, change.name, change.what] = change.state
    for verdict in engine.verdicts(T0 + 60 * S):
        assert said.get((verdict.kind, verdict.name, "verdict"), "unknown") == verdict.state
    assert sorted(key for key, state in said.items() if key[2] != "verdict" and state == "true") == engine.findings()
    assert moments == sorted(moments)


span_lists = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8).map(spans.union)


@given(span_lists, span_lists)
def test_spans_are_sets(one, other):
    def points(found):
        return {second for begin, end in found for second in range(begin, end)}

    assert points(spans.intersect(one, other)) == points(one) & points(other)
    assert points(spans.subtract(one, other)) == points(one) - points(other)
    assert points(spans.union([*one, *other])) == points(one) | points(other)
    assert spans.total(one) == len(points(one))
