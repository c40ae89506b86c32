"""Builds the Panorama from the store; keeps the newest change per element, read incrementally: a cache, not a truth."""

from collections.abc import Sequence

from sqlalchemy import Connection

from dashboards.web import queries
from dashboards.web.recent import MOST_ELEMENTS, Recent
from dashboards.web.records import LastResult, Panorama, PathCell, ProbeLine, SbcRow, Series
from sereno.clock import SECOND_US
from sereno.store import Store
from sereno.store.changes import changes_after, last_said
from sereno.store.queries.probes import newest_results
from sereno.topology.model import Path, Topology
from sereno.verdict import VERDICT, Change, ElementKind, ElementVerdict
from sereno.wire import Result

SPEAKS_US = 10 * SECOND_US  # a live screen believes a sample at least so long
PLOT_SECONDS = 600
RTT_BUCKET_SECONDS = 2
MOS_BUCKET_SECONDS = 10
_CHECKS = ("edge", "options", "natural", "register", "call")


class View:
    """Reads the store and answers with records; not thread-safe, one per application."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_id = 0
        self._latest: dict[tuple[str, str, str], Change] = {}
        self._topology: tuple[str, Topology] | None = None
        self._recent = Recent()

    def panorama(self, now_us: int) -> tuple[Panorama | None, dict[str, list[Result]]]:
        """The page at an instant and the recent results per element; None until a topology was accepted."""
        with self._store.read() as connection:
            if not self._last_id:  # not all that was ever said: the last word on everything
                self._last_id, _ = queries.marker(connection)
                self._latest = last_said(connection, self._last_id)
            for identifier, change in changes_after(connection, self._last_id):
                self._last_id = identifier
                self._latest[change.kind, change.name, change.what] = change
            self._topology = queries.current_topology(connection)
            if self._topology is None:
                return None, {}
            return self._build(connection, self._topology[1], now_us)

    def marker(self) -> tuple[int, int]:
        """Something cheap that differs when verdicts or incidents do."""
        with self._store.read() as connection:
            return queries.marker(connection)

    def plots(self, found: dict[str, list[Result]], now_us: int) -> dict[str, Series]:
        """The series of the two live plots."""
        return {
            "rtt": queries.series(found, now_us, PLOT_SECONDS, RTT_BUCKET_SECONDS, measure="rtt"),
            "mos": queries.series(found, now_us, PLOT_SECONDS, MOS_BUCKET_SECONDS, measure="mos"),
        }

    def _build(
        self, connection: Connection, topology: Topology, now_us: int
    ) -> tuple[Panorama, dict[str, list[Result]]]:
        collectors = tuple(queries.collectors(connection, now_us))
        alive = any(each.role == "leader" for each in collectors)
        probes, paths = tuple(topology.probes), dict[str, list[Path]]()
        for path in topology.paths():
            paths.setdefault(path.sbc, []).append(path)
        elements = [*topology.sbcs, *(path.name for each in paths.values() for path in each)]
        found = self._recent.read(connection, elements, probes, _CHECKS, now_us)
        everything = [result for listed in found.values() for result in listed]
        last_by_probe: dict[str, int | None] = dict.fromkeys(probes)
        for result in everything:
            last_by_probe[result.probe] = max(result.at_us, last_by_probe.get(result.probe) or 0)
        if len(elements) > MOST_ELEMENTS:
            last_by_probe |= newest_results(connection)
        panorama = Panorama(
            at_us=now_us,
            service=self._verdict("service", topology.service, alive=alive),
            timezone=topology.timezone,
            cores=tuple(self._verdict("core", name, alive=alive) for name in topology.cores),
            sites=tuple(self._verdict("site", name, alive=alive) for name in topology.sites),
            rows=tuple(self._row(topology, name, paths[name], found, now_us, alive=alive) for name in topology.sbcs),
            findings=self._findings(),
            incidents=tuple(queries.open_incidents(connection)),
            probes=tuple(
                ProbeLine(
                    name=name,
                    network=probe.network,
                    state=self._verdict("probe", name, alive=alive).state,
                    last_us=last_by_probe[name],
                )
                for name, probe in topology.probes.items()
            ),
            last_result_us=max((at for at in last_by_probe.values() if at is not None), default=None),
            collector_alive=alive,
            collectors=collectors,
        )
        return panorama, found

    def _row(
        self,
        topology: Topology,
        name: str,
        paths: Sequence[Path],
        found: dict[str, list[Result]],
        now_us: int,
        *,
        alive: bool,
    ) -> SbcRow:
        cells = {}
        for path in paths:
            listed = found[path.name]
            cells[path.core] = PathCell(
                sbc=name,
                core=path.core,
                role=path.role,
                verdict=self._verdict("path", path.name, alive=alive),
                options=queries.last_result(listed, "options", core=path.core),
                register=queries.last_result(listed, "register", core=path.core),
                call=queries.last_result(listed, "call", core=path.core),
            )
        return SbcRow(
            name=name,
            place=topology.sbcs[name].place,
            verdict=self._verdict("sbc", name, alive=alive),
            edge=queries.last_result(found[name], "edge"),
            natural=self._natural(topology, found[name], now_us),
            cells=cells,
        )

    @staticmethod
    def _natural(topology: Topology, listed: list[Result], now_us: int) -> LastResult | None:
        """What a phone saw last, while that still speaks (docs/verdicts.md §1); an old answer says nothing of now."""
        last = queries.last_result(listed, "natural")
        every_us = topology.checks.natural.every_us if topology.checks.natural is not None else 0
        if last is None or now_us - last.at_us > max(SPEAKS_US, every_us * 5 // 2):
            return None
        return last

    def _verdict(self, kind: ElementKind, name: str, *, alive: bool) -> ElementVerdict:
        """What was said last of an element; unknown when nothing was, or when nobody is there to say otherwise."""
        change = self._latest.get((kind, name, VERDICT))
        if change is None:
            return ElementVerdict(kind=kind, name=name, state="unknown", since_us=None, reason="no_data")
        if not alive:
            return ElementVerdict(kind=kind, name=name, state="unknown", since_us=None, reason="collector_stopped")
        return ElementVerdict(
            kind=kind,
            name=name,
            state=change.state,  # type: ignore[arg-type]  # a verdict's state is a State by Change's contract
            since_us=change.since_us,
            reason=change.reason,
            facts=change.facts,
        )

    def _findings(self) -> tuple[dict[str, object], ...]:
        return tuple(
            {"kind": kind, "name": name, "what": what, "since_us": change.since_us}
            for (kind, name, what), change in sorted(self._latest.items())
            if what != VERDICT and change.state == "true"
        )
