"""A case: one window of a store, about something; its timeline is read as it is asked for, in constant memory."""

from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice

from sqlalchemy import Connection

from collector.forensics import records, samples, selection
from collector.forensics.correlate import Correlation
from collector.forensics.entry import Entry, key_of
from collector.forensics.observe import Observer
from collector.forensics.selection import Selection, World
from collector.verdicts.samples import Timing
from sereno.answers.cases import Asked
from sereno.clock import SECOND_US, iso
from sereno.errors import StoreError, UsageError
from sereno.incident import IncidentRecord
from sereno.store.queries import forensics as stored
from sereno.store.queries import forensics_records as kept
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

_HOLES = 100
_BESIDE_US = 600 * SECOND_US
_HOLD_US = 300 * SECOND_US  # of checks that go by the minute
_AROUND_US = 60 * SECOND_US  # what an incident's own window shows before it began and after it was over


class Case:
    """What the store knows of a window. Keep its connection open while reading."""

    def __init__(self, connection: Connection, asked: Asked, now_us: int, *, bare: bool = False) -> None:
        self._connection, self._asked = connection, asked
        self.bare = bare  # results without their messages and packets
        stored.read_at_leisure(connection)
        self.topologies = kept.accepted(connection)
        self._records: dict[int, IncidentRecord] | None = None
        self.holes_left = 0  # more than are shown; known once the timeline has begun
        self.incident = self._incident(asked.incident)
        self.from_us, self.to_us = self._window(now_us)
        self.world = World(self._in_force())
        self.selection = self._selected()
        self.coverage = stored.coverage(connection)
        self._timing = Timing(self.world.newest)

    # -- what is asked ----------------------------------------------------------------------------------------------

    def _window(self, now_us: int) -> tuple[int, int]:
        asked, record = self._asked, self.incident
        from_us, to_us = asked.from_us, asked.to_us
        if record is not None:
            over = record.resolved_us if record.resolved_us is not None else now_us
            from_us = record.since_us - _AROUND_US if from_us is None else from_us
            to_us = max(over, record.opened_us) + _AROUND_US if to_us is None else to_us
        if from_us is None or to_us is None:
            raise UsageError("give --from and --to, or an --incident, whose window is its own")
        if from_us >= to_us:
            raise UsageError(
                f"--from {iso(from_us)} is not before --to {iso(to_us)}; give a window that ends after it begins"
            )
        return from_us, to_us

    def _incident(self, number: int | None) -> IncidentRecord | None:
        if number is None:
            return None
        found = kept.incidents_of(self._connection, 0, 0, [number]) if 0 < number < 1 << 63 else []
        if not found:
            raise UsageError(f"--incident {number}: there is none; `sereno incidents list --all` has them all")
        return found[0]

    def _in_force(self) -> list[Topology]:
        """Topologies of the window, the one in force at its beginning first; the oldest where it began before any."""
        if not self.topologies:
            raise StoreError("no topology was ever recorded in this store; start `sereno up` on it once")
        earlier = [one for one in self.topologies if one.from_us <= self.from_us][-1:] or self.topologies[:1]
        inside = [one for one in self.topologies if self.from_us < one.from_us < self.to_us]
        unique = {one.id: one for one in (*earlier, *inside)}
        found = [topology for one in unique.values() if (topology := records.topology_of(one.topology)) is not None]
        if not found:
            raise StoreError("the topology of that time cannot be read by this version; use the one that wrote it")
        return found

    def _selected(self) -> Selection:
        asked, world = self._asked, self.world
        plain = {
            "path": selection.of_path,
            "sbc": selection.of_sbc,
            "core": selection.of_core,
            "site": selection.of_site,
        }
        for name, of in plain.items():
            given = getattr(asked, name)
            if given is not None:
                return of(world, given)
        if asked.probe is not None:
            return selection.of_probe(world, asked.probe, stored.probes_seen(self._connection))
        if asked.target is not None:
            seen = next(stored.window(self._connection, [asked.target], None, self.from_us, self.to_us), None)
            return selection.of_target(world, asked.target, seen is not None)
        if self.incident is not None:
            record = self.incident
            parts = [(one.kind, one.name) for one in (*record.elements, *record.causes, record.cause)]
            parts += [(one.kind, one.name) for one in record.symptoms]
            return selection.of_parts(world, record.number, parts)
        return selection.everything(world)

    # -- what is known ----------------------------------------------------------------------------------------------

    @property
    def records(self) -> dict[int, IncidentRecord]:
        """The incidents of the selection that were there in the window, by number."""
        if self._records is None:
            named = {int(line.number) for line in kept.incident_lines(self._connection, self.from_us, self.to_us)}
            found = kept.incidents_of(self._connection, self.from_us, self.to_us, named)
            self._records = records.relevant(found, self.selection)
        return self._records

    @property
    def probes(self) -> list[str]:
        """The probes whose own words belong here."""
        if self.selection.probes is not None:
            return sorted(self.selection.probes)
        return sorted({*self.world.names(lambda one: one.probes), *stored.probes_seen(self._connection)})

    def before(self) -> list[Entry]:
        """The last word on each element of the selection before the window began."""
        found = []
        for kind, name in self.elements():
            one = kept.said_before(self._connection, kind, name, VERDICT, self.from_us)
            if one is not None:
                found += list(records.of_changes([one], self.selection))
        return found

    def elements(self) -> list[tuple[str, str]]:
        """What of the selection verdicts are said about: (kind, name)."""
        world = self.world
        every = [
            ("service", world.newest.service),
            *(("site", name) for name in world.names(lambda one: one.sites)),
            *(("core", name) for name in world.names(lambda one: one.cores)),
            *(("sbc", name) for name in world.names(lambda one: one.sbcs)),
            *(("path", name) for name in world.paths),
            *(("probe", name) for name in self.probes),
        ]
        return [
            (kind, name)
            for kind, name in every
            if (self.selection.watches(name) if kind == "probe" else self.selection.concerns(kind, name))
        ]

    def notes(self) -> list[tuple[str, dict[str, str]]]:
        """What a reader must know about what is not here, as (English message, values)."""
        found: list[tuple[str, dict[str, str]]] = []
        covered, values = self.coverage, {}
        if covered.first_us is None and covered.first_run_us is None:
            return [("The store holds no results at all.", {})]
        oldest = min(at for at in (covered.first_us, covered.first_run_us) if at is not None)
        if covered.first_run_us is not None and (covered.first_us is None or self.from_us < covered.first_us):
            values = {"at": iso(covered.first_us if covered.first_us is not None else self.to_us)}
            found.append(("Good results before {at} were compacted into runs: counts, no single round trips.", values))
        if self.from_us < oldest:
            values = {"at": iso(oldest)}
            found.append(
                ("The store holds no results before {at}: retention deleted them, or nobody measured.", values)
            )
        newest = max(at for at in (covered.last_us, covered.last_run_us) if at is not None)
        if newest < self.from_us:
            found.append(("The store's newest result is of {at}.", {"at": iso(newest)}))
        return found

    # -- the timeline -------------------------------------------------------------------------------------------------

    def timeline(self, measured_from_us: int | None = None, measured_to_us: int | None = None) -> Iterator[Entry]:
        """Every entry in order (see `entry.key_of`); what began before the window and reaches into it comes first.

        Of results only those sent in [measured_from, measured_to), for one who has read the others.
        """
        begin_us = self.from_us if measured_from_us is None else measured_from_us
        end_us = self.to_us if measured_to_us is None else measured_to_us
        sources: list[Iterator[Entry]] = [*self._records_streams(), *self._measured(begin_us, end_us)]
        return merge(*sources, key=key_of)

    def _measured(self, begin_us: int, end_us: int) -> list[Iterator[Entry]]:
        asked = (self._connection, self.selection.elements, self.selection.probes, begin_us, end_us)
        if self._asked.only is not None:
            changes = self._asked.only == "changes"  # of many equal failures few are told: the rest is not read whole
            return [self._results(stored.odd(*asked, bodies=not changes))]
        runs = (samples.of_run(one) for one in stored.runs_window(*asked) if self._wanted(one.check))
        return [self._results(stored.window(*asked)), runs]

    def _results(self, rows: Iterator[stored.ResultRow]) -> Iterator[Entry]:
        """Each result with what belongs to it; with `changes`, only where a series says something else than before."""
        last: dict[tuple[str, str, str, bool], tuple[str, str | None, int]] = {}
        for one in rows:
            if not self._wanted(one.check):
                continue
            if self._asked.only == "changes":
                series = (one.element, one.probe, one.check, one.outcome == samples.GOOD)  # a late answer is its own
                known = last.get(series)
                last[series] = (one.outcome, one.reason, one.at_us)
                if (
                    known is not None
                    and known[:2] == last[series][:2]
                    and one.at_us - known[2] <= self.hold_us(one.check)
                ):
                    continue
                if (whole := stored.one(self._connection, one.probe, one.boot, one.seq)) is None:
                    continue
                one = whole  # noqa: PLW2901
            entries = samples.of_result(one)
            yield from islice(entries, 1) if self.bare else entries

    def hold_us(self, check: str) -> int:
        """How long a result of this check speaks: 2.5 of its intervals."""
        every_us = self._timing.every_us.get(check)
        return _HOLD_US if every_us is None else every_us * 5 // 2

    def _wanted(self, check: str) -> bool:
        return self._asked.checks is None or check in self._asked.checks

    def _records_streams(self) -> list[Iterator[Entry]]:
        connection, chosen, from_us, to_us = self._connection, self.selection, self.from_us, self.to_us
        lines = kept.incident_lines(connection, from_us, to_us)
        probes = [
            records.of_probe(kept.probe_words(connection, probe, from_us, to_us), from_us) for probe in self.probes
        ]
        return [
            records.of_topologies(self.topologies, from_us, to_us),
            records.of_works(kept.works(connection, from_us, to_us), chosen, from_us, to_us),
            records.of_isolations(kept.isolated(connection, from_us, to_us), chosen, from_us, to_us),
            *probes,
            records.of_leaders(kept.leaders(connection, from_us, to_us), self.world.newest.service),
            self._holes(),
            records.of_changes(kept.changes(connection, from_us, to_us), chosen),
            records.of_ledger(kept.intervals(connection, from_us, to_us), chosen),
            records.of_revisions(kept.revisions(connection, from_us, to_us), chosen),
            records.of_incidents(lines, self.records),
            records.of_messages(kept.messages(connection, from_us, to_us), self.records),
            records.of_refused(kept.refused(connection, from_us, to_us), chosen),
        ]

    def _holes(self) -> Iterator[Entry]:
        found, left = kept.holes(self._connection, self.probes, self.from_us, self.to_us, _HOLES)
        self.holes_left = left
        return records.of_holes(found, self.from_us)

    # -- what changed first -------------------------------------------------------------------------------------------

    def correlation(self, told: Callable[[int], None] | None = None, to_us: int | None = None) -> Correlation:
        """Over everything that was measured in the window: what did not fail tells what the failing ones share.

        `to_us`: not to the window's end, where too much failed for somebody who waits.
        """
        clocks = {probe: known for probe in self.probes if (known := self._clock(probe)) is not None}
        reader = Observer(self._connection, self.world.newest, self.from_us, self.to_us if to_us is None else to_us)
        return reader.correlation(clocks, told)

    def beside(self, found: Correlation) -> list[Entry]:
        """What people and probes did in the ten minutes before the first change; no cause by being there."""
        if not found.first:
            return []
        until_us = max(one.high_us for one in found.first) + 1
        from_us = max(self.from_us, min(one.low_us for one in found.first) - _BESIDE_US)
        connection, every = self._connection, selection.everything(self.world)
        sources = [
            records.of_topologies(self.topologies, from_us, until_us),
            records.of_works(kept.works(connection, from_us, until_us), every, from_us, until_us),
            records.of_isolations(kept.isolated(connection, from_us, until_us), every, from_us, until_us),
            records.of_leaders(kept.leaders(connection, from_us, until_us), self.world.newest.service),
            *(
                records.of_probe(kept.probe_words(connection, probe, from_us, until_us), from_us)
                for probe in self.probes
            ),
        ]
        return list(merge(*sources, key=key_of))

    def _clock(self, probe: str) -> int | None:
        """What a probe's clock was off by at most, as far as it told."""
        rows = kept.probe_words(self._connection, probe, self.from_us, self.to_us)
        for row in reversed(rows):
            said = records.loose(row.body)
            offset, error = said.get("clock_offset_seconds"), said.get("clock_error_seconds")
            if isinstance(offset, int | float) and isinstance(error, int | float):
                return round(min(abs(offset) + abs(error), 3_600.0) * SECOND_US)
        return None
