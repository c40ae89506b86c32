"""The newest results as a screen needs them: the last word of every check, and ten minutes of curves.

A cache of the store, which stays the truth. It follows what comes in, whatever its age, and reads the past of the
span piece by piece, so that the first page after a start waits for seconds of results and not for all of them.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, func, literal_column, select

from dashboards.web.curves import Curves
from dashboards.web.records import LastResult
from sereno.clock import SECOND_US
from sereno.store.tables import results

SPAN_SECONDS = 600
SPAN_US = SPAN_SECONDS * SECOND_US
RTT_BUCKET_SECONDS = 2
MOS_BUCKET_SECONDS = 10
AHEAD_US = 10 * SECOND_US  # a probe's clock may be a little ahead of ours
CHECKS = ("edge", "options", "natural", "register", "call")
AT_ONCE_SECONDS = 0.06  # so long the past is read at one call, and at least one piece of it
FIRST_US = 12 * SECOND_US  # the first piece: what a live screen believes, and a little more
_QUICK_SECONDS = 0.02  # a piece that took less lets the next one be longer
LATE_US = 90 * SECOND_US  # on PostgreSQL: what was sent so long ago is looked for at every call …
LATER_EVERY_US = 45 * SECOND_US  # … and the rest of the span now and then
_SLACK_US = 2 * SECOND_US  # transactions end in another order than their rows came


class _Body(msgspec.Struct, frozen=True, gc=False):
    """Of a result's body what a screen shows; the rest is not even decoded."""

    code: int | None = None
    answered_by: str | None = None
    rtt_seconds: float | None = None
    setup_seconds: float | None = None
    expires_seconds: float | None = None
    account: str | None = None
    media: Any = None


_decode = msgspec.json.Decoder(_Body).decode
_COLUMNS = tuple(
    results.c[name] for name in ("element", "probe", "at_us", "check", "outcome", "reason", "arrived_us", "body")
)


class Recent:
    """`read` it on; then `last` and the curves say what there is. One thread's at a time."""

    def __init__(self, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._stopwatch = stopwatch
        self.forget()

    def forget(self) -> None:
        """As if nothing had been read."""
        self.rtt = Curves(SPAN_SECONDS, RTT_BUCKET_SECONDS, "high")
        self.mos_rx = Curves(SPAN_SECONDS, MOS_BUCKET_SECONDS, "low")
        self.mos_tx = Curves(SPAN_SECONDS, MOS_BUCKET_SECONDS, "low")
        self.probes: dict[str, int] = {}  # when each probe's newest result was sent
        self._last: dict[tuple[str, str], dict[str, LastResult]] = {}
        self._read_us: int | None = None
        self._mark = 0  # how far it followed what comes in
        self._later_us = 0
        self._covered_us = 0  # from here on the past was read
        self._piece_us = FIRST_US + AHEAD_US

    def read(self, connection: Connection, now_us: int) -> set[str]:
        """The elements of which something new is known."""
        if self._read_us is not None and not 0 <= now_us - self._read_us < SPAN_US:
            self.forget()  # nobody looked for longer than the span, or the clock went back
        touched: set[str] = set()
        if self._read_us is None:
            self._covered_us = now_us + AHEAD_US
            self._mark, self._later_us = self._top(connection, now_us), now_us
        else:
            self._take(connection, self._coming(connection, now_us), touched, now_us)
        self._read_us = now_us
        self._back(connection, touched, now_us)
        return touched

    def last(self, element: str, check: str, believed_us: int, now_us: int) -> LastResult | None:
        """What is to be shown of a check: of several probes the majority's word, and of that its middle round trip.

        `believed_us` is how long a result speaks. Of a tie the failure is shown.
        """
        said = [one for one in self._last.get((element, check), {}).values() if now_us - one.at_us <= believed_us]
        if len(said) <= 1:
            return said[0] if said else None
        good = [one for one in said if one.outcome == "ok"]
        if 2 * len(good) <= len(said):
            return max((one for one in said if one.outcome != "ok"), key=lambda one: one.at_us)
        timed = [one for one in good if one.rtt_seconds is not None]
        if not timed:
            return max(good, key=lambda one: one.at_us)
        middle = statistics.median_low(one.rtt_seconds or 0.0 for one in timed)
        return next(one for one in timed if one.rtt_seconds == middle)

    @property
    def complete(self) -> bool:
        """Whether all of the span was read."""
        return self._read_us is not None and self._covered_us <= self._read_us - SPAN_US

    # -- what comes in -------------------------------------------------------------------------------------------------

    def _top(self, connection: Connection, now_us: int) -> int:
        if connection.dialect.name == "sqlite":
            return int(
                connection.execute(select(func.max(literal_column("results.rowid"))).select_from(results)).scalar() or 0
            )
        return now_us - _SLACK_US

    def _coming(self, connection: Connection, now_us: int) -> Select[Any]:
        """Rows that were written since: SQLite numbers them; on PostgreSQL by when they arrived, near and far apart."""
        if connection.dialect.name == "sqlite":
            before, self._mark = self._mark, self._top(connection, now_us)
            if self._mark < before:  # emptied or restored meanwhile
                before = 0
            row = literal_column("results.rowid", results.c.seq.type)
            sent = literal_column("+results.at_us", results.c.at_us.type)  # the plus: by number, not by instant
            return select(*_COLUMNS).where(row > before, sent >= now_us - SPAN_US)
        wide = now_us - self._later_us >= LATER_EVERY_US
        arrived_us = (self._later_us if wide else self._mark) - _SLACK_US
        sent_us = now_us - (SPAN_US if wide else LATE_US)
        self._mark = now_us
        if wide:
            self._later_us = now_us
        return select(*_COLUMNS).where(results.c.at_us >= sent_us, results.c.arrived_us >= arrived_us)

    # -- the past ------------------------------------------------------------------------------------------------------

    def _back(self, connection: Connection, touched: set[str], now_us: int) -> None:
        begun = self._stopwatch()
        for begin_us, end_us in self._pieces(now_us):
            piece = self._stopwatch()
            past = select(*_COLUMNS).where(results.c.at_us >= begin_us, results.c.at_us < end_us)
            self._take(connection, past, touched, now_us)
            self._covered_us = begin_us
            spent = self._stopwatch()
            if spent - piece < _QUICK_SECONDS:
                self._piece_us *= 2
            if spent - begun > AT_ONCE_SECONDS:
                return

    def _pieces(self, now_us: int) -> Iterator[tuple[int, int]]:
        while self._covered_us > now_us - SPAN_US:
            yield max(self._covered_us - self._piece_us, now_us - SPAN_US - SECOND_US), self._covered_us

    # -- taking --------------------------------------------------------------------------------------------------------

    def _take(self, connection: Connection, query: Select[Any], touched: set[str], now_us: int) -> None:
        limit_us = now_us + AHEAD_US
        wanted = query.where(results.c.check.in_(CHECKS))
        for element, probe, at_us, check, outcome, reason, _arrived, body in connection.execute(wanted):
            if at_us >= limit_us:
                continue
            try:
                seen = _decode(body)
            except msgspec.DecodeError:  # a row of a newer version: the collector counted it when it came
                continue
            last = LastResult(
                at_us, outcome, reason, seen.code, seen.answered_by, seen.rtt_seconds, seen.setup_seconds,
                seen.expires_seconds, _mos(seen.media, "rx"), _mos(seen.media, "tx"), seen.account,
            )  # fmt: skip
            by_probe = self._last.setdefault((element, check), {})
            known = by_probe.get(probe)
            if known is None or known.at_us <= at_us:
                by_probe[probe] = last
            if at_us > self.probes.get(probe, 0):
                self.probes[probe] = at_us
            touched.add(element)
            if check == "options" and last.rtt_seconds is not None:
                self.rtt.put(element, at_us, last.rtt_seconds * 1_000)
            elif check == "call":
                if last.mos_rx is not None:
                    self.mos_rx.put(element, at_us, last.mos_rx)
                if last.mos_tx is not None:
                    self.mos_tx.put(element, at_us, last.mos_tx)


def _mos(media: Any, direction: str) -> float | None:
    side = media.get(direction) if isinstance(media, dict) else None
    value = side.get("mos_lq") if isinstance(side, dict) else None
    return float(value) if isinstance(value, int | float) else None
