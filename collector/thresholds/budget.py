"""Error budgets that burn (alarm 41): how much downtime a site had lately, against what its contract leaves. Pure.

Two speeds, as the workbook of Google's SRE has them: 14.4 times the allowed rate over an hour, still going on in the
last five minutes; or three days' worth in three days, or less than a quarter of the month left.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sereno.clock import SECOND_US
from sereno.verdict import Change, ElementKind

PPM = 1_000_000
FAST, SLOW = "budget_burn", "budget_low"
_HOUR_US, _THREE_DAYS_US = 3_600 * SECOND_US, 3 * 86_400 * SECOND_US
_RATE = 14.4
_LEFT = 0.25


class Spending(NamedTuple):
    """Of one site (the service, where there are no sites): microseconds down, by how far one looks back."""

    kind: ElementKind
    name: str
    target_ppm: int
    minutes_us: int  # in the last five
    hour_us: int
    three_days_us: int
    allowed_us: int  # of the whole month
    remaining_us: int  # negative: overspent

    @property
    def fast_us(self) -> float:
        """Downtime in an hour that is too much: 5.2 s of 99.99 %."""
        return _RATE * (PPM - self.target_ppm) / PPM * _HOUR_US

    @property
    def slow_us(self) -> float:
        """Downtime in three days that is too much: 25.9 s of 99.99 %."""
        return (PPM - self.target_ppm) / PPM * _THREE_DAYS_US

    def burns(self) -> bool | None:
        """Fast: too much in the hour and not over; None: going on, and not too much any more."""
        if self.minutes_us == 0:
            return False
        return True if self.hour_us >= self.fast_us else None

    def low(self) -> bool:
        """Slow."""
        return self.three_days_us >= self.slow_us or self.remaining_us < _LEFT * self.allowed_us


class Burn:
    """What was said of each budget."""

    def __init__(self) -> None:
        self._said: dict[tuple[ElementKind, str, str], int] = {}

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """What is true now, as (kind, name, what)."""
        return list(self._said)

    def keep(self, said: Change) -> bool:
        """What was true before a restart holds until it is reckoned again; False where it is none of ours."""
        if said.what not in {FAST, SLOW} or said.state != "true":
            return False
        self._said[said.kind, said.name, said.what] = said.since_us
        return True

    def feed(self, found: Iterable[Spending], now_us: int) -> list[Change]:
        """What changes by the figures of now."""
        changes: list[Change] = []
        for one in found:
            for what, bad in ((FAST, one.burns()), (SLOW, one.low())):
                key = (one.kind, one.name, what)
                if bad is None or bad == (key in self._said):
                    continue
                if bad:
                    self._said[key] = now_us
                else:
                    del self._said[key]
                changes.append(_change(one, what, bad=bad, now_us=now_us))
        return changes


def _change(one: Spending, what: str, *, bad: bool, now_us: int) -> Change:
    spent = one.hour_us if what == FAST else one.three_days_us
    return Change(
        kind=one.kind, name=one.name, what=what, state="true" if bad else "false", since_us=now_us, at_us=now_us,
        reason=f"{spent / SECOND_US:.1f} s" if bad else None,
        facts={
            "down_hour_seconds": one.hour_us / SECOND_US,
            "down_three_days_seconds": one.three_days_us / SECOND_US,
            "allowed_month_seconds": one.allowed_us / SECOND_US,
            "remaining_month_seconds": one.remaining_us / SECOND_US,
            "target": one.target_ppm / PPM,
        },
    )  # fmt: skip
