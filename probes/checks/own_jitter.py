"""What a probe's own machine does to its test calls, told apart from the network. Pure.

Own jitter is that of our packets at their departure, before any network: the kernel stamps them on our own interface,
or, where nothing may be captured, the clock of the worker says how unevenly it ticked. A far end that echoes sends it
back to us; what it sends back then is no measure of the network.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from probes.checks.judge_call import JudgedCall
from probes.sip.ipc import Called

BOUND_SECONDS = 0.005  # mean; a tenth of what a de-jitter buffer of 50 ms forgives
BOUND_RATIO = 0.01  # of packets discarded or turns left out: MOS 4.41 of G.711 becomes 4.34 (G.107 clause 7.3)
STALL_SECONDS = 0.5  # a worker that did not run for so long misses a sign of life (docs/calls.md)

# What somebody who was not there cannot say.
_UNSEEN = frozenset(
    {"timeout", "no_answer", "no_media", "one_way", "dead_air", "wrong_audio", "cut_off", "bye_unanswered"}
)
# Of a direction: what our own sending may have caused. Losses stay: uneven is not lost.
_DOUBTFUL = frozenset(
    {
        "jitter_mean_seconds", "jitter_max_seconds", "pdv_p50_seconds", "pdv_p95_seconds", "pdv_p99_seconds",
        "pdv_max_seconds", "discarded", "r_lq", "mos_lq", "r_cq", "mos_cq", "far_end_jitter_mean_seconds",
    }
)  # fmt: skip
_OWN = frozenset({"jitter_mean_seconds", "jitter_max_seconds", "pdv_max_seconds", "discarded"})  # of `tx`: told

Media = Mapping[str, Mapping[str, Any]]
Unmeasured = Literal["own_jitter", "own_stall"]


class OwnJitter(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: the mean, RFC 3550 A.8. `unmeasured`: why the quality of this call is nobody's to judge."""

    seconds: float | None = None
    source: Literal["meter", "clock"] | None = None
    stalled_seconds: float | None = None
    unmeasured: Unmeasured | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """As `facts` of the result; unknown is absent."""
        told = {
            "own_jitter_seconds": self.seconds,
            "own_jitter_source": self.source,
            "own_stall_seconds": self.stalled_seconds,
            "quality_unmeasured": self.unmeasured,
        }
        return {key: value for key, value in told.items() if value is not None}


def own_jitter(seen: Called, media: Media) -> OwnJitter:
    """Of a call: by the meter, else by the worker's clock, else unknown."""
    sent = media.get("tx", {})
    metered = sent.get("jitter_mean_seconds") if sent.get("source") == "meter" else None
    ticked = seen.clock.jitter_mean_seconds if seen.clock is not None else None
    seconds = metered if metered is not None else ticked
    stalled = round(seen.stalled_seconds, 3) if seen.stalled_seconds >= STALL_SECONDS else None
    # A de-jitter buffer right beside us would have discarded these already.
    discarded = sent.get("discarded", 0) if metered is not None else 0
    uneven = (
        (seconds is not None and seconds > BOUND_SECONDS)
        or discarded > BOUND_RATIO * sent.get("packets", 0)
        or (seen.clock is not None and seen.clock.skipped > BOUND_RATIO * seen.clock.ticks)
    )
    return OwnJitter(
        seconds=seconds,
        source=None if seconds is None else "clock" if metered is None else "meter",
        stalled_seconds=stalled,
        unmeasured="own_stall" if stalled is not None else "own_jitter" if uneven else None,
    )


def measured(media: Media, own: OwnJitter) -> dict[str, dict[str, Any]]:
    """The media of a call; without what our own jitter may have caused, where it was too much."""
    if own.unmeasured is None:
        return {direction: dict(told) for direction, told in media.items()}
    left_out = {"rx": _DOUBTFUL, "tx": _DOUBTFUL - _OWN}
    return {
        direction: {key: value for key, value in told.items() if key not in left_out.get(direction, _DOUBTFUL)}
        for direction, told in media.items()
    }


def excused(said: JudgedCall, own: OwnJitter) -> JudgedCall:
    """A worker that did not run cannot testify that nobody answered meanwhile: its failure is the probe's."""
    if own.stalled_seconds is None or said.outcome != "failed" or said.reason not in _UNSEEN:
        return said
    return msgspec.structs.replace(
        said,
        outcome="invalid",
        reason="probe_fault",
        answered_by=None,
        cut_off=None,
        detail=f"{said.reason}, but this probe's own worker did not run for {own.stalled_seconds:g} s of the call",
    )
