"""How the month's test calls were set up and how they sounded: percentiles and histograms, by SBC and by site."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from dashboards.reports.model import AllCalls, Calls, Distribution
from sereno.store.queries.calls import Call
from sereno.topology.model import Topology

DELAY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
MOS_BOUNDS = (1.0, 2.0, 2.5, 3.0, 3.5, 3.6, 4.0, 4.1, 4.2, 4.3, 4.4)
_MOS = ("mos_lq", "mos_cq", "sent_mos_lq")
_DELAYS = (
    "setup_seconds",
    "session_request_delay_seconds",
    "failed_session_request_delay_seconds",
    "session_disconnect_delay_seconds",
)
_Sample = NDArray[np.float64]


class _Taken:
    """The calls of one SBC."""

    def __init__(self) -> None:
        self.outcomes = {"ok": 0, "failed": 0, "invalid": 0}
        self.values: dict[str, list[float]] = {name: [] for name in (*_MOS, *_DELAYS)}

    def take(self, call: Call) -> None:
        self.outcomes[call.outcome] += 1
        received, sent = call.media.get("rx"), call.media.get("tx")
        answered = call.setup_seconds is not None
        delay = "session_request_delay_seconds" if answered else "failed_session_request_delay_seconds"
        for name, value in (
            ("mos_lq", received.mos_lq if received else None),
            ("mos_cq", received.mos_cq if received else None),
            ("sent_mos_lq", sent.mos_lq if sent else None),
            ("setup_seconds", call.setup_seconds),
            (delay, call.post_dial_delay_seconds),
            ("session_disconnect_delay_seconds", call.disconnect_seconds),
        ):
            if value is not None and math.isfinite(value) and value >= 0:
                self.values[name].append(value)


def all_calls(found: Iterable[Call], topology: Topology, sites: Sequence[str]) -> AllCalls:
    """The calls through every SBC that these sites use."""
    wanted = list(dict.fromkeys(sbc for site in sites for sbc in topology.sites[site].sbcs))
    taken = {sbc: _Taken() for sbc in wanted}
    for call in found:
        one = taken.get(call.sbc or "")
        if one is not None:
            one.take(call)
    samples = {
        sbc: {name: np.sort(np.array(values)) for name, values in one.values.items()} for sbc, one in taken.items()
    }
    known: dict[tuple[str, ...], Calls] = {}

    def of(name: str, sbcs: tuple[str, ...]) -> Calls:
        if sbcs not in known:  # many sites use the same ones
            known[sbcs] = _calls(name, sbcs, taken, samples)
        return _named(known[sbcs], name)

    return AllCalls(
        whole=of("*", tuple(wanted)),
        by_sbc=tuple(of(sbc, (sbc,)) for sbc in wanted),
        by_site=tuple(of(site, topology.sites[site].sbcs) for site in sites),
    )


def _named(one: Calls, name: str) -> Calls:
    return replace(one, name=name)


def _calls(
    name: str, sbcs: tuple[str, ...], taken: Mapping[str, _Taken], samples: Mapping[str, Mapping[str, _Sample]]
) -> Calls:
    def counted(outcome: str) -> int:
        return sum(taken[sbc].outcomes[outcome] for sbc in sbcs)

    def spread(measure: str, bounds: tuple[float, ...]) -> Distribution:
        return distribution([samples[sbc][measure] for sbc in sbcs], bounds)

    return Calls(
        name=name,
        sbcs=sbcs,
        made=sum(sum(taken[sbc].outcomes.values()) for sbc in sbcs),
        ok=counted("ok"),
        failed=counted("failed"),
        invalid=counted("invalid"),
        mos_lq=spread("mos_lq", MOS_BOUNDS),
        mos_cq=spread("mos_cq", MOS_BOUNDS),
        sent_mos_lq=spread("sent_mos_lq", MOS_BOUNDS),
        setup_seconds=spread("setup_seconds", DELAY_BOUNDS),
        session_request_delay_seconds=spread("session_request_delay_seconds", DELAY_BOUNDS),
        failed_session_request_delay_seconds=spread("failed_session_request_delay_seconds", DELAY_BOUNDS),
        session_disconnect_delay_seconds=spread("session_disconnect_delay_seconds", DELAY_BOUNDS),
    )


def distribution(parts: Sequence[_Sample], bounds: tuple[float, ...]) -> Distribution:
    """Of samples that are each in order. Nearest rank: every percentile is a value that was measured."""
    values = np.sort(np.concatenate(parts)) if parts else np.array([])
    count = len(values)

    def rank(percent: int) -> float | None:
        return float(values[max(0, -(-percent * count // 100) - 1)]) if count else None

    upto = [int(np.searchsorted(values, bound, side="right")) for bound in bounds]
    edges = [0, *upto, count]
    return Distribution(
        count=count,
        minimum=float(values[0]) if count else None,
        p5=rank(5),
        p50=rank(50),
        p95=rank(95),
        p99=rank(99),
        maximum=float(values[-1]) if count else None,
        bounds=bounds,
        counts=tuple(after - before for before, after in pairwise(edges)),
    )
