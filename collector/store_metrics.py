"""What the store says: verdicts, time by state, ledger and budget, incidents, clocks, notifications.

Read at a scrape, in a thread; only what is new since the last one, so that a year of history costs a scrape nothing.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from collector.budget import PERIODS, Budgets, Spent
from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Family, Labels, Values
from collector.exposition.kinds import INCIDENT_STATES, PRIORITIES, STATES
from collector.exposition.names import Names
from collector.finding_metrics import Findings
from collector.site_time import SiteTime
from sereno.clock import SECOND_US, Clock
from sereno.store import Store, lease
from sereno.store.changes import last_said
from sereno.store.tables import incidents, outbox, topologies, verdict_changes
from sereno.verdict import VERDICT

_OVER = ("resolved", "closed", "merged")
_Verdicts = dict[tuple[str, str], str]
_Findings = dict[tuple[str, str, str], str]  # kind, name, what: true or false


class Found(NamedTuple):
    """What one look at the store gave."""

    number: int
    verdicts: _Verdicts
    findings: _Findings
    site_time: Mapping[Labels, float]
    spent: list[Spent]
    incidents: Mapping[Labels, float]
    next_due: Mapping[Labels, float]
    notifications: Mapping[Labels, float]
    waiting: Mapping[Labels, float]
    failing: Mapping[Labels, float]
    hashes: frozenset[str]


class StoreMetrics:
    """Before a scrape `read`, from any thread, and `show` what was found; `families` for it."""

    def __init__(self, store: Store, names: Names, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._verdicts: _Verdicts = dict.fromkeys(names.elements(), "unknown")
        self._last_id: int | None = None
        self._findings = Findings(names)
        self._found: _Findings = {}
        self._budgets = Budgets(store, clock)
        self._place = "site" if names.sites else "service"  # a system without sites is one
        self._places = frozenset(name for kind, name in self._verdicts if kind == self._place)
        self._sites = SiteTime(sorted(self._places))
        self._outbox = _Outbox()
        self._reads = self._shown = 0
        self.hashes: frozenset[str] = frozenset()
        self._state = _values("verdict_state")
        self._site_time = _values("site_state_seconds_total")
        self._down, self._unknown = _values("down_seconds"), _values("unknown_seconds")
        self._budget, self._remaining = _values("error_budget_seconds"), _values("error_budget_remaining_seconds")
        self._incidents, self._next_due = _values("incidents"), _values("clock_next_due_seconds")
        self._notifications, self._waiting = _values("notifications_total"), _values("notifications_pending")
        self._failing = _values("notification_channel_failing")
        self._series = [
            ((kind, name), [(state, self._state.child(kind, name, state)) for state in STATES])
            for kind, name in self._verdicts
        ]

    def families(self) -> Iterator[Family]:
        yield from (self._state, self._site_time, self._down, self._unknown, self._budget, self._remaining)
        yield from (self._incidents, self._next_due, self._notifications, self._waiting, self._failing)
        yield from self._findings.families()

    def begin(self) -> None:
        """The process leads from now on: time by state counts from here."""
        with self._lock:
            self._sites.begin(self._clock.now_us())

    def epoch(self) -> int:
        """Of the lease as it stands, for who does not hold it."""
        with self._store.read() as connection:
            row = lease.read(connection)
        return 0 if row is None else row.epoch

    def read(self) -> "Found":
        """What is true now; from any thread."""
        with self._lock:
            with self._store.read() as connection:
                self._read_verdicts(connection)
                counts = _incident_counts(connection)
                due = _next_due(connection)
                sent = self._outbox.read(connection)
                waiting, failing = self._outbox.waiting(connection), self._outbox.failing(connection)
                hashes = frozenset(connection.scalars(select(topologies.c.hash)))
            now_us = self._clock.now_us()
            time: dict[Labels, float] = {
                (site, state): self._sites.seconds(site, state, now_us)
                for site in self._sites.names
                for state in STATES
            }
            spent = [one for one in self._budgets.read() if one.site in self._places]
            self._reads += 1
            said = dict(self._verdicts), dict(self._found)
            return Found(self._reads, *said, time, spent, counts, due, sent, waiting, failing, hashes)

    def show(self, found: "Found") -> None:
        """Takes it over into the families, in the thread that writes them: no scrape shows half of a state set."""
        if found.number < self._shown:
            return  # another scrape was quicker
        self._shown = found.number
        for element, series in self._series:
            current = found.verdicts[element]
            for state, value in series:
                value.value = int(state == current)
        for finding, state in found.findings.items():
            self._findings.say(*finding, state)
        self._site_time.replace(found.site_time)
        self._incidents.replace(found.incidents)
        self._next_due.replace(found.next_due)
        self._notifications.replace(found.notifications)
        self._waiting.replace(found.waiting)
        self._failing.replace(found.failing)
        self._show_budgets(found.spent)
        self.hashes = found.hashes

    def _read_verdicts(self, connection: Connection) -> None:
        """The last word on every element at first, what was said since then."""
        columns = verdict_changes.c
        newest = int(connection.scalar(select(func.max(columns.id))) or 0)
        if self._last_id is None:
            said = last_said(connection).values()
            rows = [(one.kind, one.name, one.what, one.state, one.since_us, one.at_us) for one in said]
        else:
            wanted = select(columns.kind, columns.name, columns.what, columns.state, columns.since_us, columns.at_us)
            wanted = wanted.where(columns.id > self._last_id).order_by(columns.id)
            rows = [tuple(row) for row in connection.execute(wanted)]
        self._last_id = newest
        for kind, name, what, state, since_us, at_us in rows:
            if what != VERDICT:
                if state in {"true", "false"}:
                    self._found[kind, name, what] = state
                continue
            if (kind, name) not in self._verdicts:
                continue  # no longer in the topology
            self._verdicts[kind, name] = state
            if kind == self._place:
                self._sites.change(name, state, since_us, at_us)

    def _show_budgets(self, spent: list[Spent]) -> None:
        shown = [one for one in spent if one.period in PERIODS or one.period == "month"]
        self._down.replace({(one.site, one.period): one.down_us / SECOND_US for one in shown})
        self._unknown.replace({(one.site, one.period): one.unknown_us / SECOND_US for one in shown})
        months = [one for one in spent if one.period == "month"]
        self._budget.replace({(one.site,): one.allowed_us / SECOND_US for one in months if one.allowed_us is not None})
        self._remaining.replace(
            {(one.site,): one.remaining_us / SECOND_US for one in months if one.remaining_us is not None}
        )


class _Outbox:
    """Counts notifications: those below the first that is still pending can change no more, and are counted once."""

    def __init__(self) -> None:
        self._upto = 0
        self._done: dict[Labels, int] = {}

    def read(self, connection: Connection) -> Mapping[Labels, int]:
        columns = outbox.c
        pending = connection.scalar(select(func.min(columns.id)).where(columns.state == "pending"))
        last = connection.scalar(select(func.max(columns.id))) or 0
        fixed = last if pending is None else pending - 1
        for labels, count in self._between(connection, self._upto, fixed).items():
            self._done[labels] = self._done.get(labels, 0) + count
        self._upto = max(self._upto, fixed)
        found: dict[Labels, int] = dict(self._done)
        for labels, count in self._between(connection, self._upto, last).items():
            found[labels] = found.get(labels, 0) + count
        return found

    def waiting(self, connection: Connection) -> Mapping[Labels, float]:
        """Of every channel that was ever used, also where nothing waits."""
        columns = outbox.c
        found: dict[Labels, float] = {(channel,): 0.0 for channel, _ in self._done}
        rows = connection.execute(
            select(columns.channel, func.count()).where(columns.state == "pending").group_by(columns.channel)
        )
        return {**found, **{(str(channel),): float(count) for channel, count in rows}}

    def failing(self, connection: Connection) -> Mapping[Labels, float]:
        """What was said last of each channel."""
        columns = verdict_changes.c
        said = connection.execute(
            select(columns.name, columns.state)
            .where(columns.kind == "channel", columns.what == "notify_failing")
            .order_by(columns.id)
        )
        found: dict[Labels, float] = {(channel,): 0.0 for channel, _ in self._done}
        return {**found, **{(str(name),): float(state == "true") for name, state in said}}

    @staticmethod
    def _between(connection: Connection, after: int, upto: int) -> dict[Labels, int]:
        if upto <= after:
            return {}
        columns = outbox.c
        rows = connection.execute(
            select(columns.channel, columns.state, func.count())
            .where(columns.id > after, columns.id <= upto, columns.state != "pending")
            .group_by(columns.channel, columns.state)
        )
        return {(str(channel), str(state)): int(count) for channel, state, count in rows}


def _incident_counts(connection: Connection) -> dict[Labels, int]:
    """Every priority and state, also those that have none."""
    found: dict[Labels, int] = {(priority, state): 0 for priority in PRIORITIES for state in INCIDENT_STATES}
    rows = connection.execute(
        select(incidents.c.priority, incidents.c.state, func.count())
        .where(incidents.c.state.in_(INCIDENT_STATES))
        .group_by(incidents.c.priority, incidents.c.state)
    )
    for priority, state, count in rows:
        found[str(priority), str(state)] = int(count)
    return found


def _next_due(connection: Connection) -> dict[Labels, float]:
    rows = connection.execute(select(incidents.c.priority, incidents.c.body).where(incidents.c.state.not_in(_OVER)))
    earliest: dict[Labels, int] = {}
    for priority, body in rows:
        for clock in msgspec.json.decode(body).get("clocks", []):
            due_us = clock.get("due_us")
            if clock.get("state") == "running" and due_us:
                labels = (str(priority), str(clock["clock"]))
                earliest[labels] = min(due_us, earliest.get(labels, due_us))
    return {labels: due_us / SECOND_US for labels, due_us in earliest.items()}


def _values(name: str) -> Values:
    return Values(CATALOGUE[f"sereno_{name}"])
