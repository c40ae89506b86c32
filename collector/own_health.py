"""What the collector measures of itself now and then: the room left where its store lies, the error budgets."""

import os
from pathlib import Path

from collector.budget import Budgets, Spent
from collector.thresholds.budget import Spending
from sereno.clock import SECOND_US, Clock
from sereno.store import Store

EVERY_US = 10 * SECOND_US


class OwnHealth:
    """`due` says when to look again; `read` may be called beside the loop."""

    def __init__(self, store: Store, clock: Clock, *, sites: bool) -> None:
        self._folder = Path(store.engine.url.database or ".").parent if store.is_sqlite else None
        self._budgets = Budgets(store, clock)
        self._sites = sites
        self._next_us = 0

    def due(self, now_us: int) -> bool:
        """Whether it is time; then it is not for a while."""
        if now_us < self._next_us:
            return False
        self._next_us = now_us + EVERY_US
        return True

    def room(self) -> float | None:
        """Of the disk of the store, where it is ours: a database server's disk is its own people's to watch."""
        return free_ratio(self._folder) if self._folder is not None else None

    def read(self) -> list[Spending]:
        """What each site has spent of its budget."""
        by_site: dict[str, dict[str, Spent]] = {}
        for one in self._budgets.read():
            by_site.setdefault(one.site, {})[one.period] = one
        found = (_spending(name, periods, sites=self._sites) for name, periods in by_site.items())
        return [one for one in found if one is not None]


def free_ratio(folder: Path) -> float | None:
    """What of a disk this user may still fill; None where nobody can say."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail / found.f_blocks if found.f_blocks else None


def _spending(name: str, periods: dict[str, Spent], *, sites: bool) -> Spending | None:
    month = periods["month"]
    if month.allowed_us is None or month.remaining_us is None or month.target_ppm is None:
        return None
    return Spending(
        "site" if sites else "service", name, month.target_ppm, periods["5m"].down_us, periods["hour"].down_us,
        periods["3d"].down_us, month.allowed_us, month.remaining_us,
    )  # fmt: skip
