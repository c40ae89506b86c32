"""The verdict engine and the store: rebuilt from it at start, fed with what is committed, told what people announce."""

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby

from msgspec.structs import replace
from sqlalchemy import Connection, select

from collector.engine import Engine
from collector.ingest import AHEAD_US
from collector.thresholds.budget import Burn, Spending
from collector.thresholds.hours import HOUR_US, KEPT_US
from sereno.alarms import Alarms
from sereno.alarms.hour import Hour
from sereno.clock import SECOND_US
from sereno.contract import Contract
from sereno.store.changes import Said, last_said
from sereno.store.queries.hours import hours_since
from sereno.store.queries.probes import words_since
from sereno.store.results import lately, of_checks, since
from sereno.store.tables import isolations, maintenance
from sereno.topology import Topology
from sereno.verdict import VERDICT, Change, ElementVerdict, MaintenanceWindow
from sereno.wire import Result, Status

log = logging.getLogger(__name__)

LOOK_BACK_US = 15 * 60 * SECOND_US
_MOST = 150_000  # results that a start takes up: some two seconds, and all of the look-back up to 160 a second
_MOST_CALLS = 300_000  # that are looked through for the calls of an hour: half a second
_SELDOM = ("call", "terminating", "register")
_VERDICT_KINDS = ("service", "site", "core", "sbc", "path", "portal", "database", "probe")


class Judge:
    """Says what changes; writes nothing itself."""

    def __init__(
        self, topology: Topology, contracts: Mapping[str, Contract], now_us: int, alarms: Alarms | None = None
    ) -> None:
        self._engine = Engine(topology, contracts, now_us, alarms)
        self._burn = Burn()
        self._sites = topology.sites
        self._windows: dict[int, MaintenanceWindow] = {}
        self._isolated: dict[int, str] = {}

    # -- live --------------------------------------------------------------------------------------------------------

    def feed(self, results: list[tuple[Result, int]], arrived_us: int) -> list[Change]:
        """What new results change."""
        try:
            return self._engine.feed_all(results, arrived_us) if results else []
        except Exception:  # a result that the engine cannot take must not stop those that it can
            log.exception("the verdict engine failed on %d results; they are stored all the same", len(results))
            return []

    def probe(self, name: str, state: str, at_us: int) -> list[Change]:
        return self._engine.probe_event(name, state, at_us)

    def status(self, status: Status, now_us: int) -> list[Change]:
        """What a probe's word about itself changes."""
        try:
            return self._engine.status(status, now_us)
        except Exception:  # as with results: a figure that is none must not stop those that are
            log.exception("the threshold engine failed on a status of %s", status.probe)
            return []

    def own(self, measure: str, value: float, now_us: int) -> list[Change]:
        """What the collector measured of itself changes."""
        return self._engine.own(measure, value, now_us)

    def spent(self, found: Sequence[Spending], now_us: int) -> list[Change]:
        """What the error budgets changed."""
        return self._burn.feed(found, now_us)

    def hours(self) -> list[Hour]:
        """Hours that ended since the last call, to be kept."""
        return self._engine.thresholds.known.hours.ended() if self._engine.thresholds is not None else []

    def tick(self, now_us: int) -> list[Change]:
        """What the passing of time changes, if anything was due."""
        due = self._engine.next_due_us()
        return self._engine.tick(now_us) if due is not None and due <= now_us else []

    def next_due_us(self) -> int | None:
        return self._engine.next_due_us()

    @property
    def size(self) -> int:
        """How many series it follows."""
        return self._engine.size

    def announced(self, connection: Connection, now_us: int) -> list[Change]:
        """What people announced or took back since the last look: maintenance and isolation."""
        changes: list[Change] = []
        wanted = _windows(connection, now_us - LOOK_BACK_US)
        for number in wanted.keys() - self._windows.keys():
            changes += self._engine.maintenance(wanted[number], now_us)
        for number, window in self._windows.items():
            if number not in wanted and window.to_us > now_us - LOOK_BACK_US:
                changes += self._engine.cancel(window, now_us)
        self._windows = wanted
        isolated = _isolated(connection)
        for number, (sbc, from_us) in isolated.items():
            if number not in self._isolated:
                changes += self._engine.isolate(sbc, from_us)
        for number in self._isolated.keys() - isolated.keys():
            changes += self._engine.heal(self._isolated[number], now_us)
        self._isolated = {number: sbc for number, (sbc, _) in isolated.items()}
        return changes

    # -- rebuilding --------------------------------------------------------------------------------------------------

    def rebuild(self, connection: Connection, now_us: int) -> list[Change]:
        """Takes up the last minutes silently; what must now be written so that the store says what is true.

        What lies ahead was stored by a clock that was set back since: it would be the newest until its time comes.
        """
        from_us = now_us - LOOK_BACK_US
        for number, window in _windows(connection, from_us).items():
            self._windows[number] = window
            self._engine.maintenance(window)
        said: Said = {}
        stored = last_said(connection)
        for change in stored.values():
            place = ("site", change.name) if change.name in self._sites else ("service", change.name)
            if (change.kind, change.name) != place or not self._burn.keep(change):
                self._engine.keep(change)
        events = _probe_events(connection, from_us, now_us)
        newest_us = lately(connection, from_us, _MOST)
        self._look_back(connection, newest_us, now_us, said)
        past = (
            pair for pair in since(connection, newest_us) if pair[1] <= now_us and pair[0].at_us <= now_us + AHEAD_US
        )
        for arrived_us, group in groupby(past, key=lambda pair: pair[1]):
            while events and events[0][0] <= arrived_us:
                at_us, probe, state = events.pop(0)
                _note(said, self._engine.probe_event(probe, state, at_us))
            _note(said, self.tick(arrived_us))
            _note(said, self.feed([(result, result.at_us) for result, _ in group], arrived_us))
        for at_us, probe, state in events:
            _note(said, self._engine.probe_event(probe, state, at_us))
        _note(said, self._engine.tick(now_us))
        _note(said, self.announced(connection, now_us))
        return self._differences(said, stored, now_us)

    def _look_back(self, connection: Connection, to_us: int, now_us: int, said: Said) -> None:
        """Past hours, and the calls that the longest windows reach back to: as far as a start can read."""
        thresholds = self._engine.thresholds
        if thresholds is None:
            return
        thresholds.known.hours.take(hours_since(connection, now_us - KEPT_US - HOUR_US))
        from_us = lately(connection, now_us - thresholds.longest_us, _MOST_CALLS)
        past = of_checks(connection, _SELDOM, from_us, to_us)
        for arrived_us, group in groupby(past, key=lambda pair: pair[1]):
            if arrived_us <= now_us:
                _note(said, self._engine.measure([(result, result.at_us) for result, _ in group], arrived_us))
        thresholds.known.hours.ended()  # they are in the store

    def _differences(self, said: Said, stored: Said, now_us: int) -> list[Change]:
        """From what the store says to what the engine says."""
        current = {(verdict.kind, verdict.name): verdict for verdict in self._engine.verdicts(now_us)}
        changes = [
            _as_change(verdict, now_us)
            for (kind, name), verdict in current.items()
            if (kind, name, VERDICT) not in stored or stored[kind, name, VERDICT].state != verdict.state
        ]
        true = {*self._engine.findings(), *self._burn.said}
        was_true = {key for key, before in stored.items() if key[2] != VERDICT and before.state == "true"}
        changes += [replace(said[key], at_us=now_us) for key in sorted(true - was_true) if key in said]
        nothing = {"since_us": now_us, "at_us": now_us, "facts": {}}
        changes += [replace(stored[key], state="false", reason=None, **nothing) for key in sorted(was_true - true)]
        changes += [  # announced work that ended while nobody looked
            replace(change, at_us=now_us) for key, change in said.items()
            if key[2] == "maintenance_window" and key in stored and stored[key].state != change.state
        ]  # fmt: skip
        gone = [  # no longer in the topology: nobody looks at it any more
            before
            for (kind, name, what), before in stored.items()
            if what == VERDICT and kind in _VERDICT_KINDS and (kind, name) not in current and before.state != "unknown"
        ]
        return changes + [replace(before, state="unknown", reason="no_data", **nothing) for before in gone]


def _as_change(verdict: ElementVerdict, now_us: int) -> Change:
    return Change(
        kind=verdict.kind,
        name=verdict.name,
        what=VERDICT,
        state=verdict.state,
        since_us=verdict.since_us or now_us,
        at_us=now_us,
        reason=verdict.reason,
        facts=verdict.facts,
    )


def _note(said: Said, changes: Sequence[Change]) -> None:
    for change in changes:
        said[change.kind, change.name, change.what] = change


def _windows(connection: Connection, from_us: int) -> dict[int, MaintenanceWindow]:
    """Windows that are not over (or only just) and were not taken back, by their id."""
    columns = maintenance.c
    rows = connection.execute(
        select(maintenance).where(columns.to_us > from_us, columns.cancelled_us.is_(None)).order_by(columns.id)
    )
    return {
        row.id: MaintenanceWindow(
            scope_kind=row.scope_kind,
            scope_name=row.scope_name,
            from_us=row.from_us,
            to_us=row.to_us,
            announced_us=row.announced_us,
            critical_fix=row.critical_fix,
        )
        for row in rows
    }


def _isolated(connection: Connection) -> dict[int, tuple[str, int]]:
    """SBCs that are out of service under attack now."""
    rows = connection.execute(select(isolations).where(isolations.c.to_us.is_(None)).order_by(isolations.c.id))
    return {row.id: (row.sbc, row.from_us) for row in rows}


def _probe_events(connection: Connection, from_us: int, now_us: int) -> list[tuple[int, str, str]]:
    """What probes said since `from_us`, and the last word of each before it."""
    return [(min(row.at_us, now_us), row.probe, row.state) for row in words_since(connection, from_us)]
