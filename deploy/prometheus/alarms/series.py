"""Threshold alarms over the series that hold the very measure: counters of packets, histograms of calls.

A condition is recorded as `sereno_alarm:condition`, 1 while it is bad: between its threshold and its `clear`, and
where nothing is measured, it stays what it was, as in the collector. A percentile is asked of a histogram as the share
of samples up to the threshold, so it is exact, and only where the threshold is one of its bounds.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sereno.alarms import Condition, ThresholdAlarm

CONDITION = "sereno_alarm:condition"
_CALL_TIMES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
_JITTER = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_MOS = (1.0, 2.0, 2.58, 3.1, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)
_SHARES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


class Histogram(NamedTuple):
    """A measure of calls: its series, their bounds, by which parts they are told apart."""

    name: str
    bounds: Sequence[float]
    parts: frozenset[str]


class Pool(NamedTuple):
    """So many of so many packets: counters; `all_` is summed."""

    some: str
    all_: tuple[str, ...]
    parts: frozenset[str] = frozenset({"codec", "direction", "probe"})


_STREAM = frozenset({"codec", "direction"})
HISTOGRAMS = {
    "mos_lq": Histogram("sereno_mos_lq", _MOS, _STREAM),
    "mos_cq": Histogram("sereno_mos_cq", _MOS, _STREAM),
    "jitter_mean_seconds": Histogram("sereno_rtp_jitter_seconds", _JITTER, _STREAM),
    "setup_seconds": Histogram("sereno_call_setup_seconds", _CALL_TIMES, frozenset()),
    "post_dial_delay_seconds": Histogram("sereno_call_post_dial_delay_seconds", _CALL_TIMES, frozenset()),
}
POOLS = {
    "loss_ratio": Pool("sereno_rtp_lost_packets_total", ("sereno_rtp_packets_total", "sereno_rtp_lost_packets_total")),
    "discard_ratio": Pool("sereno_rtp_discarded_packets_total", ("sereno_rtp_packets_total",)),
}
ELEMENTS: dict[str, tuple[str, ...]] = {"sbc": ("sbc",), "core": ("core",), "path": ("sbc", "core")}


def has_series(alarm: ThresholdAlarm) -> bool:
    """All of it is measured by series of its own."""
    return all(scope in ELEMENTS for scope in alarm.scope) and all(_fits(one) for one in alarm.conditions)


def _fits(one: Condition) -> bool:
    windows = [window for window in (one.over, one.clear_over) if window is not None]
    if not all(isinstance(window, int) for window in windows):
        return False
    if one.measure in POOLS:
        return set(one.by) <= POOLS[one.measure].parts
    histogram = HISTOGRAMS.get(one.measure)
    if histogram is None or not set(one.by) <= histogram.parts:
        return False
    return one.aggregate == "mean" or (
        one.aggregate in _SHARES and one.threshold in histogram.bounds and one.good_at in histogram.bounds
    )


def condition(one: Condition, scope: str, name: str, place: int) -> str:
    """The recorded condition of one kind of element."""
    parts = sorted(one.by)
    labels = ", ".join(["element", *parts])
    bad = _named(_asked(one, scope, bad=True), scope, labels)
    good = _named(_asked(one, scope, bad=False), scope, labels)
    own = f'{CONDITION}{{alarm="{name}",condition="{place}",kind="{scope}"}}'
    still = f'max by ({labels}) ({own}) and on (element) sereno_verdict_state{{kind="{scope}",state="unknown"}}'
    return f"{bad} or (({still}) unless on ({labels}) {good})"


def _named(asked: str, scope: str, labels: str) -> str:
    """1 for each element and part of which it is so."""
    ones = f"({asked}) * 0 + 1"
    if scope == "path":
        joined = f'label_join({ones}, "element", "/", "sbc", "core")'
    else:
        joined = f'label_replace({ones}, "element", "$1", "{scope}", "(.+)")'
    return f"max by ({labels}) ({joined})"


def _asked(one: Condition, scope: str, *, bad: bool) -> str:
    over = one.over if bad or one.clear_over is None else one.clear_over
    assert isinstance(over, int)  # noqa: S101 - `has_series` was asked first
    window = f"{over // 1_000}ms" if over % 1_000_000 else f"{over // 1_000_000}s"
    by = ", ".join([*ELEMENTS[scope], *sorted(one.by)])
    limit = one.threshold if bad else one.good_at
    above = one.above is not None
    if one.measure in POOLS:
        pool = POOLS[one.measure]
        some = f"sum by ({by}) (increase({pool.some}[{window}]))"
        whole = " + ".join(f"sum by ({by}) (increase({name}[{window}]))" for name in pool.all_)
        sign = (">=" if bad else "<=") if above else ("<" if bad else ">=")
        return f"({some} {sign} {limit!r} * ({whole})) and on ({by}) (round({whole}) >= {one.min_samples})"
    histogram = HISTOGRAMS[one.measure]
    count = f"sum by ({by}) (increase({histogram.name}_count[{window}]))"
    enough = f"(round({count}) >= {one.min_samples})"
    if one.aggregate == "mean":
        total = f"sum by ({by}) (increase({histogram.name}_sum[{window}]))"
        sign = (">=" if bad else "<=") if above else ("<" if bad else ">=")
        return f"({total} {sign} {limit!r} * {count}) and on ({by}) {enough}"
    share = _SHARES[one.aggregate]
    up_to = f'sum by ({by}) (increase({histogram.name}_bucket{{le="{float(limit)!r}"}}[{window}]))'
    # Above: the percentile is beyond the limit while fewer than its share lie up to it. Below: the other way round.
    sign = "<" if above == bad else ">="
    return f"({up_to} {sign} {share!r} * {count}) and on ({by}) {enough}"
