"""Real users, as the platform's own Prometheus counts them, now and at the same hour of last week."""

from collections.abc import Callable

from collector.thresholds.known import Known
from collector.thresholds.source import Source, number
from sereno.wire import Result

LEAST_USERS = 50  # of whom fewer go home together


def _now(name: str) -> Callable[[Result, int, Known], float | None]:
    def read(result: Result, _at_us: int, _known: Known) -> float | None:
        return number((result.facts or {}).get(name))

    return read


def _change(name: str) -> Callable[[Result, int, Known], float | None]:
    def read(result: Result, at_us: int, known: Known) -> float | None:
        value = number((result.facts or {}).get(name))
        if value is None or result.sbc is None:
            return None
        track = known.hours.of(result.sbc, name)
        track.note(at_us, value, median=False)
        then = track.week_ago(at_us)
        return None if then is None or then < LEAST_USERS else round(value / then - 1, 9)

    return read


SOURCES = {
    "registered": Source(("traffic",), _now("registered"), reads="`facts.registered`"),
    "calls": Source(("traffic",), _now("calls"), reads="`facts.calls`"),
    "registered_change_ratio": Source(
        ("traffic",), _change("registered"),
        reads="`facts.registered` over its mean at the same hour a week ago (50 at least), less 1",
    ),
    "calls_change_ratio": Source(
        ("traffic",), _change("calls"),
        reads="`facts.calls` over their mean at the same hour a week ago (50 at least), less 1",
    ),
}  # fmt: skip
