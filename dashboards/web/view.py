"""What the pages show of now, built from the store piece by piece: a beat costs what has changed, not what there is.

A cache of the store, never a truth: what it cannot read is an error, what is too old to speak is not shown.
"""

import threading
from collections.abc import Iterable

from sqlalchemy import Connection

from dashboards.web import queries
from dashboards.web.recent import CHECKS, SPAN_US, Recent
from dashboards.web.records import IncidentLine, LastResult, Panorama, PathCell, ProbeLine, SbcRow
from sereno.clock import SECOND_US
from sereno.store import Store
from sereno.store.changes import changes_after, last_said
from sereno.store.queries.probes import newest_results
from sereno.topology.model import Path, Topology
from sereno.verdict import VERDICT, Change, ElementKind, ElementVerdict

SPEAKS_US = 10 * SECOND_US  # a live screen believes a sample at least so long (docs/verdicts.md §1)
AGAIN_US = 150_000  # pages asked for within this time are one page, as long as nothing was said meanwhile


class View:
    """One for each application; any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = threading.Lock()
        self.recent = Recent()
        self._last_id = 0
        self._latest: dict[tuple[str, str, str], Change] = {}
        self._hash: str | None = None
        self._topology: Topology | None = None
        self._paths: dict[str, tuple[Path, ...]] = {}
        self._believed: dict[str, int] = {}
        self._rows: dict[str, SbcRow] = {}
        self._until: dict[str, int] = {}  # when something that a row shows ceases to speak
        self._alive: bool | None = None
        self._incidents: tuple[IncidentLine, ...] = ()
        self._marker: tuple[int, int] | None = None
        self._page: Panorama | None = None

    @property
    def topology(self) -> Topology | None:
        """The one that the newest page was built from."""
        return self._topology

    def page(self, now_us: int) -> Panorama | None:
        """Everything as of now; None until a topology was accepted."""
        with self._one, self._store.read() as connection:
            marker = queries.marker(connection)
            page = self._page
            if page is not None and marker == self._marker and 0 <= now_us - page.at_us < AGAIN_US:
                return page
            try:
                self._page = self._next(connection, marker, now_us)
            except Exception:
                self._rows, self._marker = {}, None  # what was heard and not shown yet is shown next time
                self.recent.forget()
                raise
            return self._page

    @property
    def lock(self) -> threading.Lock:
        """Who reads `recent` holds it."""
        return self._one

    def holds(self, least_seconds: int = 0) -> dict[str, int]:
        """For how many seconds a value of each check speaks, in a plot of such steps."""
        step = least_seconds * 5 // 2
        return {check: max(step, us // SECOND_US) for check, us in self._believed.items()} or dict.fromkeys(
            CHECKS, step
        )

    # -- going on ------------------------------------------------------------------------------------------------------

    def _next(self, connection: Connection, marker: tuple[int, int], now_us: int) -> Panorama | None:
        changed = self._said(connection)
        self._known(connection)
        topology = self._topology
        if topology is None:
            return None
        touched = self.recent.read(connection, now_us)
        collectors = tuple(queries.collectors(connection, now_us))
        alive = any(each.role == "leader" for each in collectors)
        if marker != self._marker:
            self._incidents = tuple(queries.open_incidents(connection))
            self._marker = marker
        stale = self._stale(changed, touched, now_us, alive=alive)
        for name in stale:
            self._renew(name, topology.sbcs[name].place, now_us, alive=alive)
        probes = self._probes(connection, topology)
        return Panorama(
            at_us=now_us,
            service=self._verdict("service", topology.service, alive=alive),
            timezone=topology.timezone,
            cores=tuple(self._verdict("core", name, alive=alive) for name in topology.cores),
            sites=tuple(self._verdict("site", name, alive=alive) for name in topology.sites),
            rows=tuple(self._rows[name] for name in topology.sbcs),
            findings=self._findings(),
            incidents=self._incidents,
            probes=tuple(
                ProbeLine(
                    name=name,
                    network=probe.network,
                    state=self._verdict("probe", name, alive=alive).state,
                    last_us=probes.get(name),
                )
                for name, probe in topology.probes.items()
            ),
            last_result_us=max(probes.values(), default=None),
            collector_alive=alive,
            collectors=collectors,
            topology_hash=self._hash or "",
        )

    def _said(self, connection: Connection) -> list[Change]:
        if not self._last_id:  # not all that was ever said: the last word on everything
            self._last_id, _ = queries.marker(connection)
            self._latest = last_said(connection, self._last_id)
        news = changes_after(connection, self._last_id)
        for identifier, change in news:
            self._last_id = identifier
            self._latest[change.kind, change.name, change.what] = change
        return [change for _, change in news]

    def _known(self, connection: Connection) -> None:
        """Reads the topology again when it is another one; whatever was built of the old one goes."""
        newest = queries.current_hash(connection)
        if newest == self._hash:
            return
        found = queries.current_topology(connection)
        self._hash, self._topology = found or (None, None)
        self._rows, self._until, self._paths = {}, {}, {}
        self.recent.forget()
        if self._topology is None:
            return
        listed: dict[str, list[Path]] = {name: [] for name in self._topology.sbcs}
        for path in self._topology.paths():
            listed[path.sbc].append(path)
        self._paths = {name: tuple(paths) for name, paths in listed.items()}
        self._believed = believed(self._topology)

    def _stale(self, changed: Iterable[Change], touched: Iterable[str], now_us: int, *, alive: bool) -> set[str]:
        """The SBCs whose row may have changed."""
        if self._alive != alive or not self._rows:
            self._alive = alive
            return set(self._paths)
        names = [change.name for change in changed if change.kind in ("sbc", "path")]
        stale = {name.partition("/")[0] for name in (*names, *touched)}
        stale |= {name for name, until_us in self._until.items() if until_us <= now_us}
        return stale & self._paths.keys()

    def _renew(self, name: str, place: str | None, now_us: int, *, alive: bool) -> None:
        shown: list[tuple[LastResult, int]] = []

        def last(element: str, check: str) -> LastResult | None:
            found = self.recent.last(element, check, self._believed[check], now_us)
            if found is not None:
                shown.append((found, self._believed[check]))
            return found

        row = SbcRow(
            name=name,
            place=place,
            verdict=self._verdict("sbc", name, alive=alive),
            edge=last(name, "edge"),
            natural=last(name, "natural"),
            cells={
                path.core: PathCell(
                    sbc=name,
                    core=path.core,
                    role=path.role,
                    verdict=self._verdict("path", path.name, alive=alive),
                    options=last(path.name, "options"),
                    register=last(path.name, "register"),
                    call=last(path.name, "call"),
                )
                for path in self._paths[name]
            },
        )
        self._until[name] = min((one.at_us + believed_us + 1 for one, believed_us in shown), default=now_us + SPAN_US)
        if self._rows.get(name) != row:
            self._rows[name] = row

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _probes(self, connection: Connection, topology: Topology) -> dict[str, int]:
        """When each probe's newest result was sent; of silent ones what they said of themselves tells."""
        found = {name: at_us for name, at_us in self.recent.probes.items() if name in topology.probes}
        if len(found) < len(topology.probes):
            older = newest_results(connection)
            found = {name: older[name] for name in topology.probes if name in older} | found
        return found or dict(self.recent.probes)

    def verdict(self, kind: ElementKind, name: str) -> ElementVerdict:
        """What is said of an element, as of the newest page."""
        return self._verdict(kind, name, alive=bool(self._alive))

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


def believed(topology: Topology) -> dict[str, int]:
    """How long the newest result of each check is shown: as long as it speaks (docs/verdicts.md §1)."""
    checks = topology.checks
    every = {
        "edge": checks.edge, "options": checks.options, "natural": checks.natural,
        "register": checks.register_, "call": checks.call,
    }  # fmt: skip
    found = {name: max(SPEAKS_US, check.every_us * 5 // 2) for name, check in every.items() if check is not None}
    signalling = dict.fromkeys(("edge", "options", "natural"), SPEAKS_US)
    return signalling | dict.fromkeys(("register", "call"), SPAN_US) | found
