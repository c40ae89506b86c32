"""What changed first: the same whatever the order of its input, never more than the sampling allows; and from the few
rows that are read of a store the same as from all of them.
"""

import asyncio
import itertools
import os
import random

from alerting_bench import topology
from forensic_store import PROBES, T0, TOPOLOGY, S, accept, failure, put, result
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.forensics.correlate import Seen, as_json, correlate
from collector.forensics.observe import LOOK_BACK_US, Observer
from collector.forensics.samples import lane_of, standing
from collector.forensics.words import Words, sentences
from collector.history import keeper
from sereno.clock import FakeClock
from sereno.store import open_store, tables

WATCHED = topology(TOPOLOGY)
END = T0 + 100 * S
ELEMENTS = ("sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-a", "sbc-1")
samples = st.builds(
    Seen,
    element=st.sampled_from(ELEMENTS),
    probe=st.sampled_from(PROBES),
    check=st.just("options"),
    lane=st.sampled_from(("", "sip:a")),
    at_us=st.integers(-20, 110).map(lambda second: T0 + second * S),
    boot=st.just("b"),
    seq=st.integers(1, 5),
    said=st.sampled_from(("ok", "ok", "ok", "failed", "late", "invalid")),
)


def seen(element, second, said="ok", *, probe="bog-1", check="options", seq=1):
    at_us = T0 + round(second * S)
    return Seen(element=element, probe=probe, check=check, lane="", at_us=at_us, boot="b", seq=seq, said=said)


def series(element, failing, *, every=1.0, shift=0.0, probe="bog-1", check="options", until=100.0):
    """One result each `every` seconds, bad while `failing` says so."""
    count = int((until - shift) / every)
    moments = [shift + number * every for number in range(count)]
    return [seen(element, at, "failed" if failing(at) else "ok", probe=probe, check=check) for at in moments]


def answer(*parts, clocks=None):
    return correlate(itertools.chain(*parts), WATCHED, T0, END, clocks)


@given(st.lists(samples, max_size=60), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_the_order_of_the_input_does_not_matter(given_, shuffler):
    mixed = given_[:]
    shuffler.shuffle(mixed)
    assert correlate(mixed + mixed[:3], WATCHED, T0, END) == correlate(given_, WATCHED, T0, END)


@given(st.lists(samples, max_size=60))
@settings(max_examples=100)
def test_what_is_claimed_is_in_the_samples(given_):
    found = correlate(given_, WATCHED, T0, END)
    by = {(one.element, one.probe, one.check, one.lane, one.at_us) for one in given_}
    for one in (*found.first, *found.later, *found.unordered):
        assert one.low_us < one.high_us < END
        assert one.high_us >= T0
        assert {(*one.series, one.low_us), (*one.series, one.high_us)} <= by
    for one in found.later:  # nothing is put after another within what both leave open
        assert any(one.low_us >= first.high_us for first in found.first)
    assert not set(found.affected) & set(found.unaffected)
    for words in (Words("es", "UTC"), Words("en", "UTC")):
        assert sentences(words, found)
    as_json(found, T0, END)


def test_two_paths_within_one_interval_are_told_to_fail_together_and_a_third_after():
    found = answer(
        series("sbc-1/core-a", lambda at: 50 <= at < 70),
        series("sbc-2/core-a", lambda at: 50 <= at < 70, shift=0.5),
        series("sbc-1/core-b", lambda at: 60 <= at < 65, shift=0.2),
        series("sbc-2/core-b", lambda _: False, shift=0.1),
    )
    assert [(one.element, one.high_us - T0, one.recovered_us - T0) for one in found.first] == [
        ("sbc-1/core-a", 50 * S, 70 * S), ("sbc-2/core-a", 50_500_000, 70_500_000),
    ]  # fmt: skip
    assert found.within_us == 1 * S
    assert [one.element for one in found.later] == ["sbc-1/core-b"]
    assert found.unaffected == ("sbc-2/core-b",)


def test_two_probes_are_ordered_only_as_far_as_their_clocks_are_known():
    parts = (
        series("sbc-1/core-a", lambda at: at >= 50),
        series("sbc-1/core-a", lambda at: at >= 51.4, shift=0.4, probe="bog-2"),
    )
    assert len(answer(*parts).first) == 2  # half a second each, unless more is known
    known = answer(*parts, clocks={"bog-1": 1_000, "bog-2": 2_000})
    assert [one.probe for one in known.first] == ["bog-1"]
    assert [one.probe for one in known.later] == ["bog-2"]
    assert answer(*parts).within_us == 2 * S


def test_a_lone_failure_is_no_beginning_and_its_late_answer_no_second_failure():
    late = seen("sbc-1/core-a", 30, "late", seq=2)
    found = answer(series("sbc-1/core-a", lambda at: at in {10, 30} or at >= 60), [late])
    assert [one.high_us - T0 for one in found.first] == [60 * S]
    lonely = answer(series("sbc-1/core-a", lambda at: at in {10, 30}), [late])
    assert lonely.lone == 2
    assert [one.sure for one in lonely.first] == [False]
    assert "dos veces" in " ".join(sentences(Words("es", "UTC"), lonely))


def test_what_the_failing_share_is_counted_and_never_called_a_cause():
    bad = [series(f"{sbc}/core-a", lambda at: 50 <= at < 70, probe=p) for sbc in ("sbc-1", "sbc-2") for p in PROBES]
    good = [series(f"{sbc}/core-b", lambda _: False, probe=p) for sbc in ("sbc-1", "sbc-2") for p in PROBES]
    rare = series("sbc-1/core-a", lambda _: False, check="call", every=49, until=60)  # not looked at meanwhile
    found = answer(*bad, *good, rare)
    assert [(one.what, one.name, one.separates) for one in found.shared] == [("core", "core-a", True)]
    assert (found.shared[0].inside, found.shared[0].of_inside, found.shared[0].of_outside) == (4, 4, 4)
    text = " ".join(sentences(Words("es", "UTC"), found))
    assert "núcleo core-a (fallaron 4 de sus 4 series y 0 de las otras 4)" in text
    assert "no prueba de una causa" in text


def test_where_everything_failed_nothing_is_said_not_to_be_shared():
    """One SBC, one probe, one network: what failed shares them all, and so does nothing else, for there is none."""
    found = answer(*(series(path, lambda at: at >= 50) for path in ("sbc-1/core-a", "sbc-1/core-b")))
    assert found.shared == ()
    assert "distingue lo que falló de lo que no" in " ".join(sentences(Words("es", "UTC"), found))


def test_one_network_alone_is_told_apart():
    found = answer(
        *(series(path, lambda at: at >= 50, probe="bog-1") for path in ELEMENTS),
        *(series(path, lambda _: False, probe="bog-2") for path in ELEMENTS),
    )
    assert {(one.what, one.name) for one in found.shared if one.separates} == {
        ("network", "isp-etb"), ("probe", "bog-1"),
    }  # fmt: skip


def test_what_fails_from_the_beginning_did_not_begin_here():
    found = answer(series("sbc-1/core-a", lambda _: True), series("sbc-1/core-b", lambda _: False))
    assert (found.first, [one[0] for one in found.already]) == ((), ["sbc-1/core-a"])
    assert "al comenzar ya fallaban" in " ".join(sentences(Words("es", "UTC"), found))


def test_nothing_failed():
    found = answer(series("sbc-1/core-a", lambda _: False))
    assert sentences(Words("es", "UTC"), found) == ["Ninguna comprobación empezó a fallar en esta ventana."]
    assert found.unaffected == ("sbc-1/core-a",)
    assert "sbc-2/core-b" in found.unseen


def _story(chance):
    """Outages, lone failures, late answers and silences of a few series, as results."""
    results, seq = [], 0
    for element, probe, lane in itertools.product(ELEMENTS[:3], PROBES, (1, 2)):
        every = chance.choice((1, 1, 2, 9))
        outages = [
            (begin, begin + chance.randint(0, 25)) for begin in chance.sample(range(-30, 110), chance.randint(0, 3))
        ]
        noise = chance.choice((0.0, 0.03, 0.4))
        at = -25.0 + chance.random()
        while at < 105:
            seq += 1
            at_us = T0 + round(at * S)
            bad = any(begin <= at < end for begin, end in outages) or chance.random() < noise
            address = {"address": f"sip:198.51.100.{lane}"}
            results.append((failure if bad else result)(element, probe, at_us, seq, **address))
            if bad and chance.random() < 0.2:
                seq += 1
                late = {"outcome": "ok", "reason": "late", "answered_after_seconds": 2.0}
                results.append(result(element, probe, at_us, seq, **late, **address))
            at += every * (1 if chance.random() < 0.95 else 7)
    return results


def test_the_few_rows_that_are_read_say_the_same_as_all_of_them(tmp_path):
    store = open_store(tmp_path)
    accept(store)
    for number in range(int(os.environ.get("FORENSIC_STORIES", "8"))):
        with store.write() as connection:
            connection.execute(tables.results.delete())
        results = _story(random.Random(number))
        put(store, results)
        everything = [
            Seen(
                element=f"{one.sbc}/{one.core}" if one.core else one.sbc, probe=one.probe, check=one.check,
                lane=lane_of(f'{{"address":"{one.address}"}}'), at_us=one.at_us, boot=one.boot, seq=one.seq,
                said=standing(one.outcome, one.reason), reason=one.reason,
            )
            for one in results if one.at_us >= T0 - LOOK_BACK_US
        ]  # fmt: skip
        with store.read() as connection:
            read = Observer(connection, WATCHED, T0, END).correlation({})
        whole = correlate(everything, WATCHED, T0, END)
        assert as_json(read, T0, END) == as_json(whole, T0, END), number
    store.dispose()


def test_what_was_compacted_tells_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "_BREATH_SECONDS", 0.0)
    store = open_store(tmp_path)
    accept(store)
    put(store, _story(random.Random(3)))
    answers = []
    for later in (0, 60 * 86_400 * S):
        if later:
            assert asyncio.run(keeper.Keeper(store, WATCHED, FakeClock(T0 + later)).compact()) > 100
        with store.read() as connection:
            answers.append(as_json(Observer(connection, WATCHED, T0, END).correlation({}), T0, END))
    assert answers[0] == answers[1]
    assert answers[0]["affected"]
    store.dispose()
