"""One past hour of a measure that alarms compare with: what collector and store share of it."""

from typing import NamedTuple


class Hour(NamedTuple):
    """The median or mean of an element's measure in the hour that began at `hour_us`."""

    element: str
    measure: str
    hour_us: int
    value: float
    samples: int
