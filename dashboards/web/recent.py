"""The last minutes of results per element, kept in memory so that a page does not read them all again at every beat."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from dashboards.web import queries
from sereno.clock import SECOND_US
from sereno.wire import Result

MOST_ELEMENTS = 200  # SBCs and paths; more would take the processor from the ingest, and nobody reads them on one page
SPAN_US = 600 * SECOND_US
AHEAD_US = 10 * SECOND_US  # a probe's clock may be a little ahead of ours
OVERLAP_US = 45 * SECOND_US  # late answers and small reorderings: read again, known by (probe, boot, seq)
WHOLE_EVERY_US = 60 * SECOND_US  # what a spool brings later than that appears at the next whole reading


class Recent:
    """A cache of the store's newest results; the store stays the truth and is read whole once a minute."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[tuple[str, str, int], tuple[int, Result]]] = {}
        self._whole_us = 0
        self._read_us = 0

    def read(
        self, connection: Connection, elements: Iterable[str], probes: Sequence[str], checks: Sequence[str], now_us: int
    ) -> dict[str, list[Result]]:
        """Results of each element in the last ten minutes, oldest first; of too many elements none (docs/scale.md)."""
        elements = list(elements)
        if len(elements) > MOST_ELEMENTS:
            return {element: [] for element in elements}
        whole = now_us - self._whole_us >= WHOLE_EVERY_US or now_us < self._read_us
        if whole:
            self._kept, self._whole_us = {}, now_us
        from_us = now_us - SPAN_US
        since_us = from_us if whole else max(from_us, self._read_us - OVERLAP_US)
        self._read_us = now_us
        found = {}
        for element in elements:
            kept = self._kept.setdefault(element, {})
            begin_us = since_us if kept else from_us
            for result in queries.recent_results(connection, element, probes, begin_us, now_us + AHEAD_US, checks):
                kept[result.probe, result.boot, result.seq] = result.at_us, result
            for key in [key for key, (at_us, _) in kept.items() if at_us < from_us]:
                del kept[key]
            found[element] = [result for _, result in sorted(kept.values(), key=lambda pair: pair[0])]
        return found
