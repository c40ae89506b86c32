"""Where the samples of a measure come from: one `Source` each, in the file of its family."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from collector.thresholds.known import Known
from sereno.wire import Result

NO_PARTS: Mapping[str, str] = {}


class Reading(NamedTuple):
    """One sample. An event is 1 or 0; of what is pooled, `value` of `weight`.

    Without weight it corrects, by `value`, the sample of the same instant that was told before.
    """

    value: float
    weight: float = 1.0
    parts: Mapping[str, str] = NO_PARTS  # what only the measure knows: codec, direction, address, replica, cores
    element: str | None = None  # where the result itself does not say which
    at_us: int | None = None  # where it is another instant than the result's


Single = Callable[[Result, int, Known], float | None]
Many = Callable[[Result, int, Known], Iterable[Reading]]


Plain = Callable[[list[float], int, str | None, str | None, Known], Iterable[float]]


class Source(NamedTuple):
    """`one` for a measure with a sample a result, `many` for any other; each gets the result and its `at`."""

    checks: tuple[str, ...]
    one: Single | None = None
    many: Many | None = None
    quality: bool = False  # what a caller hears or waits for: bad enough, it makes its SBC or path degraded
    reads: str = ""  # in words, for docs/measures.md
    # Of OPTIONS that were plainly answered, many at once: their round trips, when, of which path; None: not so simple.
    plain: Plain | None = None


def number(value: object) -> float | None:
    """A measurement that is one: a finite number, not below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e15 else None  # noqa: PLR2004  # beyond, nothing is measured; NaN neither


def facts(value: object) -> Mapping[str, object]:
    """An object of a result's facts; empty where it is none."""
    return value if isinstance(value, dict) else {}
