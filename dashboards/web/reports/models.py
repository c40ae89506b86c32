"""Models of reports as children make them: begun once, kept while they hold, never waited for by the loop."""

import asyncio
import time
from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy import func, select

from dashboards.reports.canonical import decoded
from dashboards.reports.model import Report
from sereno.press import Press, PressError
from sereno.store import Store
from sereno.store.tables import ledger_revisions, topologies

KEPT = 200
YOUNG_SECONDS = 60.0  # a month that goes on is another one after so long
OLD_SECONDS = 3_600.0  # incidents of an ended month may still be closed
FAILED_SECONDS = 30.0


class Wanted(NamedTuple):
    """A customer's month, or a site's."""

    month: str
    customer: str
    site: str | None = None


class Found(NamedTuple):
    """What came of one; neither report nor fault: it is being made."""

    report: Report | None = None
    fault: str | None = None
    made_at: float = 0.0
    marker: tuple[int, int] = (0, 0)


class Models:
    """`look` answers at once and begins what is missing; `wait` gives it a moment. For one event loop."""

    def __init__(self, store: Store) -> None:
        self._store, self._press = store, Press(store.url)
        self._found: OrderedDict[Wanted, Found] = OrderedDict()
        self._making: dict[Wanted, asyncio.Task[None]] = {}

    def marker(self) -> tuple[int, int]:
        """Differs when the past was revised or another topology came; two index look-ups, in a thread of the caller."""
        with self._store.read() as connection:
            revised = connection.execute(select(func.max(ledger_revisions.c.id))).scalar()
            known = connection.execute(select(func.max(topologies.c.id))).scalar()
        return int(revised or 0), int(known or 0)

    def look(self, wanted: Wanted, marker: tuple[int, int]) -> Found:
        """What is known of it; making it is begun where that does not hold any more."""
        found = self._found.get(wanted, Found())
        if not self._holds(found, marker) and wanted not in self._making:
            task = asyncio.create_task(self._make(wanted, marker), name=f"report-{wanted.customer}-{wanted.month}")
            self._making[wanted] = task
            task.add_done_callback(lambda _done: self._making.pop(wanted, None))
        return found

    async def wait(self, wanted: Wanted, marker: tuple[int, int], seconds: float) -> Found:
        """The same, once it is made, or as it is when the time is over."""
        found = self.look(wanted, marker)
        task = self._making.get(wanted)
        if task is None:
            return found
        if found.report is not None and found.marker == marker:
            return found  # a minute old: good enough while the next one is made
        await asyncio.wait([task], timeout=seconds)
        return self._found.get(wanted, Found())

    @staticmethod
    def _holds(found: Found, marker: tuple[int, int]) -> bool:
        age = time.monotonic() - found.made_at
        if found.report is None:
            return found.fault is not None and age < FAILED_SECONDS
        return found.marker == marker and age < (OLD_SECONDS if found.report.over else YOUNG_SECONDS)

    async def _make(self, wanted: Wanted, marker: tuple[int, int]) -> None:
        try:
            body = await self._press.model(wanted.month, customer=wanted.customer, site=wanted.site)
            report, fault = await asyncio.to_thread(decoded, body), None
        except PressError as error:
            report, fault = None, str(error)
        self._found[wanted] = Found(report, fault, time.monotonic(), marker)
        self._found.move_to_end(wanted)
        while len(self._found) > KEPT:
            self._found.popitem(last=False)


__all__ = ["Found", "Models", "Wanted"]
