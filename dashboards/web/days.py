"""Ninety days of availability as bars, today apart: what the ledger says, kept so that a page never waits for it.

Past days come from the ledger through `answers.availability`; they are read in the background and read again only
where rows were added. Today is its closed hours by the ledger, and what was said live since: unfinished, and said so.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from sereno.answers.availability import Availability
from sereno.answers.availability import Day as LedgerDay
from sereno.availability import Scope
from sereno.clock import to_datetime
from sereno.contract.calendar import day_start_us
from sereno.errors import StoreError
from sereno.store import Store
from sereno.store.tables import ledger, maintenance, verdict_changes
from sereno.verdict import VERDICT

DAYS = 90  # with today
AGAIN_US = 60_000_000  # the ledger gains rows once an hour; late results come when they come
REST_US = 10_000_000  # before what could not be read is tried again
_AT_ONCE = 12  # scopes asked for in one go: between them others get at the processor
_log = logging.getLogger("sereno.web")
DayKind = Literal["up", "down", "partly", "unmeasured", "excluded"]


@dataclass(frozen=True)
class Bar:
    """One local day that is over."""

    from_us: int
    to_us: int
    down_us: int
    unknown_us: int
    excluded_us: int

    @property
    def kind(self) -> DayKind:
        """What it is drawn as; a day of which only a part was measured is never plainly good."""
        length = self.to_us - self.from_us
        if self.down_us:
            return "down"
        if self.excluded_us >= length:
            return "excluded"
        if self.unknown_us + self.excluded_us >= length:
            return "unmeasured"
        return "partly" if self.unknown_us else "up"


@dataclass(frozen=True)
class Today:
    """Since local midnight, to be continued."""

    from_us: int
    to_us: int
    down_us: int
    unknown_us: int
    excluded_us: int

    @property
    def kind(self) -> DayKind:
        return Bar(self.from_us, self.to_us, self.down_us, self.unknown_us, self.excluded_us).kind


@dataclass(frozen=True)
class Line:
    """The days of one scope, oldest first; None while nobody has read them yet."""

    scope: Scope
    days: tuple[Bar, ...] | None
    today: Today | None

    @property
    def down_us(self) -> int:
        return sum(day.down_us for day in self.days or ())

    @property
    def unknown_us(self) -> int:
        return sum(day.unknown_us for day in self.days or ())

    @property
    def _counted_us(self) -> int:
        return sum(day.to_us - day.from_us - day.excluded_us for day in self.days or ())

    @property
    def observed(self) -> float | None:
        """Of the days that are over, over the time that was seen; None when none was."""
        seen_us = self._counted_us - self.unknown_us
        return None if seen_us <= 0 else (seen_us - self.down_us) / seen_us

    @property
    def measured(self) -> float | None:
        """How much of the time that counts was seen."""
        return None if self._counted_us <= 0 else (self._counted_us - self.unknown_us) / self._counted_us


class Days:
    """`lines` answers at once with what is known; what is not is read meanwhile."""

    def __init__(self, store: Store, answers: Any) -> None:
        self._store = store
        self._availability: Availability | None = getattr(answers, "availability", None)
        self._one = threading.Lock()
        self._past: dict[Scope, dict[int, Bar]] = {}  # by midnight
        self._seen: tuple[int, tuple[int, int, int]] | None = None  # the ledger's last row; what is announced
        self._basis: tuple[str, str, int] | None = None  # topology, zone, this midnight
        self._today: dict[Scope, Today] = {}
        self._read_us = self._failed_us = 0
        self._reader: threading.Thread | None = None

    @property
    def can(self) -> bool:
        """Whether anybody here can be asked for the ledger's figures."""
        return self._availability is not None

    def lines(self, scopes: Sequence[Scope], basis: str, zone: str, now_us: int, *, wait: float = 0.0) -> list[Line]:
        """One line a scope. `basis` stands for the topology; `wait` is how many seconds the first reading may take."""
        if self._availability is None:
            return [Line(scope, None, None) for scope in scopes]
        midnights = local_midnights(zone, now_us)
        with self._one:
            self._start((basis, zone, midnights[-1]), scopes, midnights, now_us)
            reader = self._reader
        if wait and reader is not None:
            reader.join(wait)
        with self._one:
            return [self._line(scope, midnights) for scope in scopes]

    def _line(self, scope: Scope, midnights: Sequence[int]) -> Line:
        past = self._past.get(scope)
        if past is None or any(day not in past for day in midnights[:-1]):
            return Line(scope, None, self._today.get(scope))
        return Line(scope, tuple(past[day] for day in midnights[:-1]), self._today.get(scope))

    # -- reading, in a thread of its own -------------------------------------------------------------------------------

    def _start(
        self, basis: tuple[str, str, int], scopes: Sequence[Scope], midnights: Sequence[int], now_us: int
    ) -> None:
        if (self._reader is not None and self._reader.is_alive()) or 0 <= now_us - self._failed_us < REST_US:
            return
        missing = basis != self._basis or any(scope not in self._past for scope in scopes)
        if not missing and 0 <= now_us - self._read_us < AGAIN_US:
            return
        if self._basis is not None and basis[:2] != self._basis[:2]:
            self._past, self._today, self._seen = {}, {}, None
        self._basis, self._read_us = basis, now_us
        wanted = [*self._past, *(scope for scope in scopes if scope not in self._past)]
        self._reader = threading.Thread(
            target=self._read, args=(wanted, basis[1], list(midnights), now_us), name="days", daemon=True
        )
        self._reader.start()

    def _read(self, scopes: list[Scope], zone: str, midnights: list[int], now_us: int) -> None:
        try:
            with self._store.read() as connection:
                seen, begin_us = self._news(connection, midnights[0])
                written_us = _written(connection, now_us)
            for first in range(0, len(scopes), _AT_ONCE):
                self._some(scopes[first : first + _AT_ONCE], zone, midnights, begin_us, written_us, now_us)
            self._seen = seen
        except StoreError as error:
            self._failed_us = now_us
            _log.warning("the days of the ledger cannot be read now: %s", error)
        except Exception:  # noqa: BLE001 - bars that cannot be read stay as they were, and are tried again; it is logged whole
            self._failed_us = now_us
            _log.exception("the days of the ledger could not be read")

    def _some(
        self, scopes: list[Scope], zone: str, midnights: list[int], begin_us: int, written_us: int, now_us: int
    ) -> None:
        """Reads what is missing or has changed of some scopes, and today of all of them."""
        assert self._availability is not None  # noqa: S101 - `lines` asked
        whole = [scope for scope in scopes if any(day not in self._past.get(scope, {}) for day in midnights[:-1])]
        known = [scope for scope in scopes if scope not in whole]
        today_us, open_us = midnights[-1], max(midnights[-1], min(written_us, now_us))
        again_us = max((day for day in midnights if day <= begin_us), default=midnights[0])  # whole days
        for chosen, from_us in ((whole, midnights[0]), (known, again_us)):
            if not chosen:
                continue
            found = self._availability.days(chosen, zone, from_us, open_us) if from_us < open_us else {}
            with self._store.read() as connection:
                live = {scope: _live(connection, scope, open_us, now_us) for scope in chosen}
            with self._one:
                for scope in chosen:
                    days = [day for day in found.get(scope, ()) if day.from_us < day.to_us]
                    past = {one.from_us: one for one in self._past.get(scope, {}).values() if one.from_us in midnights}
                    past |= {day.from_us: _bar(day) for day in days if day.from_us < today_us}
                    self._past[scope] = past
                    closed = next((day for day in days if day.from_us >= today_us), None)
                    self._today[scope] = _today(today_us, now_us, closed, live[scope])

    def _news(self, connection: Connection, first_us: int) -> tuple[tuple[int, tuple[int, int, int]], int]:
        """Where the ledger ends now, and from when on its past may be another than the one that was read."""
        last = int(connection.execute(select(func.max(ledger.c.id))).scalar() or 0)
        columns = maintenance.c
        row = connection.execute(
            select(func.count(), func.max(columns.recorded_us), func.max(columns.cancelled_us)).select_from(maintenance)
        ).one()
        announced = (int(row[0]), int(row[1] or 0), int(row[2] or 0))
        if self._seen is None or self._seen[1] != announced or self._seen[0] > last:
            return (last, announced), first_us
        newer = select(func.min(ledger.c.from_us)).where(ledger.c.id > self._seen[0])
        begin_us = connection.execute(newer).scalar()
        return (last, announced), (1 << 62) if begin_us is None else int(begin_us)


def local_midnights(zone: str, now_us: int) -> list[int]:
    """The midnights of the last ninety local days, today's last; where a day has no midnight, its beginning."""
    today = to_datetime(now_us).astimezone(ZoneInfo(zone)).date()
    return [day_start_us(zone, today - timedelta(days=back)) for back in range(DAYS - 1, -1, -1)]


def _bar(day: LedgerDay) -> Bar:
    one = day.figures
    return Bar(day.from_us, day.to_us, one.down_us, one.unknown_us, one.excluded_us)


def _written(connection: Connection, now_us: int) -> int:
    """Up to when the ledger's rows tell: the hours after that are told live."""
    query = select(ledger.c.to_us).where(ledger.c.kind == "service", ledger.c.from_us > now_us - 30 * 3_600_000_000)
    found = connection.execute(query.order_by(ledger.c.from_us.desc()).limit(1)).scalar()
    return 0 if found is None else int(found)


def _live(connection: Connection, scope: Scope, from_us: int, to_us: int) -> tuple[int, int]:
    """Down and unknown time by what was said live; unknown where nothing was."""
    columns = verdict_changes.c
    mine = (columns.kind == scope.kind, columns.name == scope.name, columns.what == VERDICT)
    said = select(columns.id, columns.state, columns.since_us).where(*mine)
    before = connection.execute(said.where(columns.at_us < from_us).order_by(columns.id.desc()).limit(1)).all()
    after = connection.execute(said.where(columns.at_us >= from_us).order_by(columns.id)).all()
    pieces: list[tuple[int, str]] = [(from_us, "unknown")]
    for row in [*before, *after]:
        since_us = min(max(int(row.since_us), from_us), to_us)
        pieces = [piece for piece in pieces if piece[0] < since_us]  # what was said later is right about its own time
        pieces.append((since_us, str(row.state)))
    ends = [at_us for at_us, _ in pieces[1:]] + [to_us]
    spent = {"down": 0, "unknown": 0}
    for (begin_us, state), end_us in zip(pieces, ends, strict=True):
        if state in spent:
            spent[state] += end_us - begin_us
    return spent["down"], spent["unknown"]


def _today(from_us: int, to_us: int, closed: LedgerDay | None, live: tuple[int, int]) -> Today:
    down_us, unknown_us = live
    if closed is None:
        return Today(from_us, to_us, down_us, unknown_us, 0)
    one = closed.figures
    return Today(from_us, to_us, one.down_us + down_us, one.unknown_us + unknown_us, one.excluded_us)


def worst_first(lines: Iterable[Line]) -> list[Line]:
    """The scopes that were down longest first; of equals the ones of which least is known."""
    return sorted(lines, key=lambda line: (-line.down_us - (line.today.down_us if line.today else 0), -line.unknown_us))
