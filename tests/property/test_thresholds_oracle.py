"""The threshold engine against brute force: every sample kept, every window counted anew at every decision."""

from math import ceil

import yaml
from hypothesis import given
from hypothesis import strategies as st

from collector.thresholds import Thresholds
from collector.thresholds.windows import Limits, SampleWindow, ValueWindow, bucket_us, percentile
from sereno.alarms import parse_alarms
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"s": {"addresses": ["sip:10.0.0.9"], "primary": "a"}},
        "checks": {"options": {"every": "1s", "timeout": "900ms"}},
        "probes": {"p": {"network": "n"}},
    }
)
VALUES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "min": 0.0, "max": 1.0}


def declared(condition):
    kept = {key: value for key, value in condition.items() if value is not None}
    text = yaml.safe_dump({"alarms": {"x": {"scope": "path", **kept}}})
    return parse_alarms("x.yaml", text.encode())


def result(seq, at_us, measure, value):
    fields = {"outcome": "ok", "check": "options"}
    if measure == "wrong_core":
        fields |= {"outcome": "failed", "reason": "wrong_core"} if value else {}
    elif measure == "rtt_seconds":
        fields |= {"rtt_seconds": value}
    else:
        fields |= {"check": "call", "media": {"rx": {"expected": 100, "lost": round(value * 100)}}}
    return Result(v=1, probe="p", boot="b", seq=seq, at=iso(at_us), sbc="s", core="a", **fields)


class Oracle:
    """Hysteresis over plain lists."""

    def __init__(self, condition):
        self.given, self.samples, self.bad, self.next_us = condition, [], False, 0
        over, clear = condition["over"], condition.get("clear_over") or condition["over"]
        self.on, self.off = over, clear
        widths = [bucket_us(seconds(one) * S) for one in (over, clear) if isinstance(one, str)]
        self.width = min(widths, default=0)

    def aggregate(self, over, now_us):
        if isinstance(over, dict):
            chosen = sorted(self.samples, key=lambda one: one[0])[-over["samples"] :]
        else:
            width = bucket_us(seconds(over) * S)
            end, length = now_us // width, ceil(seconds(over) * S / width)
            chosen = [one for one in self.samples if end - length <= one[0] // width < end]
        weight = sum(one[2] for one in chosen)
        if not chosen:
            return 0, None
        values = sorted(one[1] for one in chosen)
        name = self.given["aggregate"]
        if name == "ratio":
            return weight, sum(values) / weight
        if name in {"count", "sum"}:
            return weight, sum(values)
        if name == "mean":
            return weight, sum(values) / len(values)
        return weight, percentile(values, VALUES[name])

    def holds(self, value):
        above, below, clear = self.given.get("above"), self.given.get("below"), self.given.get("clear")
        if above is not None:
            return True if value >= above else False if value <= (above if clear is None else clear) else None
        return True if value < below else False if value >= (below if clear is None else clear) else None

    def feed(self, sample, now_us):
        if sample is not None:
            self.samples.append(sample)
        if isinstance(self.on, str):
            if now_us < self.next_us:
                return
            self.next_us = (now_us // self.width + 1) * self.width
        least = self.given.get("min_samples", 1)
        weight, value = self.aggregate(self.on, now_us)
        if not self.bad:
            self.bad = weight >= least and self.holds(value) is True
            return
        weight, value = self.aggregate(self.off, now_us)
        full = isinstance(self.off, str) or len(self.samples) >= self.off["samples"]
        if weight >= least and full and self.holds(value) is False:
            self.bad = False


def seconds(text):
    return int(text[:-1])


def length(window):
    return seconds(window) if isinstance(window, str) else window["samples"]


SHAPES = {
    "wrong_core": (["ratio", "count"], st.sampled_from([0.0, 0.0, 1.0])),
    "rtt_seconds": (["mean", "sum", *VALUES], st.sampled_from([0.01, 0.02, 0.3, 0.5, 0.7, 1.1])),
    "loss_ratio": (["ratio"], st.sampled_from([0.0, 0.01, 0.03, 0.2])),
}


@st.composite
def conditions(draw):
    measure = draw(st.sampled_from(sorted(SHAPES)))
    aggregate = draw(st.sampled_from(SHAPES[measure][0]))
    pool = [0.0, 1.0, 2.0, 3.0] if aggregate in {"count", "sum"} else [0.0, 0.02, 0.3, 0.5, 0.7]
    low, high = sorted(draw(st.lists(st.sampled_from(pool), min_size=2, max_size=2)))
    above = draw(st.booleans())
    window = st.sampled_from(["6s", "15s", "60s", {"samples": 3}, {"samples": 7}])
    over = draw(window)
    clear_over = draw(st.none() | window)
    if clear_over is not None:
        mixed = isinstance(clear_over, str) != isinstance(over, str)
        clear_over = None if mixed or length(clear_over) < length(over) else clear_over
    return {
        "measure": measure,
        "aggregate": aggregate,
        "over": over,
        "clear_over": clear_over,
        "above" if above else "below": high if above else low,
        "clear": low if above else high,
        "min_samples": draw(st.integers(1, 4)) * (100 if measure == "loss_ratio" else 1),
    }


@given(st.data())
def test_it_says_what_counting_everything_anew_says(data):
    condition = data.draw(conditions())
    values = SHAPES[condition["measure"]][1]
    step = st.tuples(st.sampled_from([0.3, 1, 1, 2.5, 9]), st.sampled_from([0, 0, 0, 1.7, 12]), values)
    steps = data.draw(st.lists(step, max_size=90))
    engine, oracle = Thresholds(TOPOLOGY, declared(condition)), Oracle(condition)
    now_us, said, weight = T0, False, 100 if condition["measure"] == "loss_ratio" else 1
    for seq, (pause, late, value) in enumerate(steps, 1):
        now_us += round(pause * S)
        at_us = now_us - round(late * S) - seq  # every sample its own instant
        amount = round(value * 100) if weight == 100 else value
        for change in engine.feed([(result(seq, at_us, condition["measure"], value), at_us)], now_us):
            assert (change.kind, change.name, change.what) == ("path", "s/a", "x")
            assert (change.state == "true") != said
            said = change.state == "true"
        oracle.feed((at_us, amount, weight), now_us)
        assert said == oracle.bad, (seq, condition)


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.6]) | st.floats(0, 1), min_size=300, max_size=500),
    st.sampled_from(sorted(VALUES)),
    st.booleans(),
)
def test_of_many_values_the_thresholds_are_exact_by_nearest_rank(values, aggregate, above):
    test = Limits(aggregate, above, 0.5 if above else 0.2, 0.2 if above else 0.5)
    window = ValueWindow(60 * S, test)
    for place, value in enumerate(values):
        window.add(T0 + place * 50_000, value, 1.0)
    answer = window.answer(T0 + 60 * S)
    ranked = sorted(values)[max(1, ceil(VALUES[aggregate] * len(values))) - 1]
    assert answer.samples == len(values)
    assert answer.holds is test.holds(ranked)
    assert window.estimate() is not None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=60), st.integers(1, 9))
def test_the_last_samples_are_the_last_by_their_own_time(samples, length):
    window = SampleWindow(length, Limits("sum", above=True, bad_at=1, good_at=0), values=True)
    seen = []
    for order, (at, value) in enumerate(samples):
        window.add(at * 1_000 + order, float(value), 1.0)
        seen.append((at * 1_000 + order, value))
        answer = window.answer(0)
        assert answer.samples == min(len(seen), length)
        assert answer.value == sum(value for _, value in sorted(seen)[-length:])
