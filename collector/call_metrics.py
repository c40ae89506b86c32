"""Delays and media of a path's own test calls, and how evenly the probe sent them.

Calls across the cores and over the PSTN are no path's: only what the probe itself did to them is counted here.
"""

import math
from collections.abc import Iterator
from typing import Any

from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Exemplar, Family, Histograms, Values, exemplar
from collector.exposition.kinds import UNMEASURED
from collector.exposition.names import DIRECTIONS, OTHER, Names
from sereno.wire import Result

_LONGEST_SECONDS = 1e6
_MOST = 2**53  # counters beyond are not exact, and nobody's


class CallMetrics:
    """Fed with every committed result of a call."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._setup = _histograms("call_setup_seconds")
        self._post_dial = _histograms("call_post_dial_delay_seconds")
        self._failed_post_dial = _histograms("call_failed_post_dial_delay_seconds")
        self._own_jitter = _histograms("call_own_jitter_seconds")
        self._own_jitter.child()
        self._newest_own = Values(CATALOGUE["sereno_probe_own_jitter_seconds"])
        self._newest_at: dict[str, int] = {}
        self._unmeasured = Values(CATALOGUE["sereno_calls_unmeasured_total"])
        self._counted = {
            key: Values(CATALOGUE[f"sereno_rtp_{name}_total"])
            for key, name in (("packets", "packets"), ("lost", "lost_packets"), ("discarded", "discarded_packets"))
        }
        self._measured = {
            "jitter_mean_seconds": _histograms("rtp_jitter_seconds"),
            "mos_lq": _histograms("mos_lq"),
            "mos_cq": _histograms("mos_cq"),
        }

    def families(self) -> Iterator[Family]:
        yield from (self._setup, self._post_dial, self._failed_post_dial)
        yield from (*self._counted.values(), *self._measured.values())
        yield from (self._own_jitter, self._newest_own, self._unmeasured)

    def observe(self, result: Result, at_us: int) -> None:
        """Takes one committed result."""
        facts = result.facts or {}
        self._own(result, facts, at_us)
        if result.check != "call":
            return
        names = self._names
        where = (names.sbc(result.sbc), names.core(result.core))
        call_id = facts.get("call_id")
        delay = self._post_dial if result.setup_seconds is not None else self._failed_post_dial
        for histogram, value in ((self._setup, result.setup_seconds), (delay, result.post_dial_delay_seconds)):
            if value is not None and 0 <= value < _LONGEST_SECONDS:
                histogram.child(*where).observe(value, exemplar(call_id, value, at_us))
        for direction in DIRECTIONS:
            stream = (result.media or {}).get(direction)
            if stream is not None:
                self._stream(result, (*where, direction), stream, at_us)

    def _own(self, result: Result, facts: dict[str, Any], at_us: int) -> None:
        probe = self._names.probe(result.probe)
        seconds = number(facts.get("own_jitter_seconds"))
        if seconds is not None and seconds < _LONGEST_SECONDS:
            self._own_jitter.child().observe(seconds)
            if at_us >= self._newest_at.get(probe, 0):  # a spooled one is no news
                self._newest_at[probe] = at_us
                self._newest_own.child(probe).value = seconds
        reason = facts.get("quality_unmeasured")
        if isinstance(reason, str) and reason in UNMEASURED:
            self._unmeasured.child(probe, reason).value += 1

    def _stream(self, result: Result, where: tuple[str, ...], stream: dict[str, Any], at_us: int) -> None:
        names = self._names
        place = (*where, names.codec(result.codec or stream.get("codec")))
        who = names.probe(result.probe)
        stream = _heard(stream) if where[-1] == "tx" and "source" in stream else stream
        for key, family in self._counted.items():
            amount = number(stream.get(key))
            if amount is None or amount > _MOST:
                continue
            labels = (who, *place)
            if family.find(*labels) is None and not names.room(family.declared.name, who):
                labels = (who, OTHER, OTHER, *place[2:])
            family.child(*labels).value += amount
        for key, histogram in self._measured.items():
            value = number(stream.get(key))
            if value is not None and value < _LONGEST_SECONDS:
                histogram.child(*place).observe(value, self._exemplar(result, value, at_us))

    @staticmethod
    def _exemplar(result: Result, value: float, at_us: int) -> Exemplar | None:
        return exemplar((result.facts or {}).get("call_id"), value, at_us)


def _heard(stream: dict[str, Any]) -> dict[str, Any]:
    """A stream of ours at its departure, where it is always perfect: what became of it the far end alone can tell."""
    ratio, packets = number(stream.get("far_end_loss_ratio")), number(stream.get("packets"))
    lost = None if ratio is None or packets is None else round(min(1.0, ratio) * packets)
    jitter = stream.get("far_end_jitter_mean_seconds")
    return {**stream, "lost": lost, "discarded": None, "jitter_mean_seconds": jitter}


def _histograms(name: str) -> Histograms:
    return Histograms(CATALOGUE[f"sereno_{name}"])


def number(value: object) -> float | None:
    """A measurement that is one: finite and not below zero, whole numbers as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if value >= 0 and math.isfinite(value) else None
    except OverflowError:  # a whole number beyond any float
        return None
