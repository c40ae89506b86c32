"""What a page shows, as frozen records: pages are rendered from these alone, never from rows or sockets."""

from dataclasses import dataclass
from typing import Any

import msgspec

from sereno.incident import Priority
from sereno.verdict import ElementVerdict


class LastResult(msgspec.Struct, frozen=True, gc=False):
    """The newest result of one plane of one element; a `msgspec.Struct`, for thousands are made a second."""

    at_us: int
    outcome: str
    reason: str | None
    code: int | None
    answered_by: str | None
    rtt_seconds: float | None
    setup_seconds: float | None
    expires_seconds: float | None
    mos_rx: float | None
    mos_tx: float | None
    account: str | None = None

    @property
    def mos(self) -> float | None:
        """Of both directions the worse one that was measured."""
        measured = [value for value in (self.mos_rx, self.mos_tx) if value is not None]
        return min(measured, default=None)


@dataclass(frozen=True)
class PathCell:
    """One cell of the SBC × core matrix."""

    sbc: str
    core: str
    role: str
    verdict: ElementVerdict
    options: LastResult | None
    register: LastResult | None
    call: LastResult | None

    @property
    def name(self) -> str:
        return f"{self.sbc}/{self.core}"


@dataclass(frozen=True)
class SbcRow:
    """One row of the matrix: the SBC's own edge, what a phone sees through it, and its paths by core."""

    name: str
    place: str | None
    verdict: ElementVerdict
    edge: LastResult | None
    natural: LastResult | None
    cells: dict[str, PathCell]


@dataclass(frozen=True)
class IncidentLine:
    """An open incident as the Panorama lists it."""

    number: int
    state: str
    priority: Priority
    severity: str | None
    title: str
    since_us: int
    opened_us: int
    next_clock: str | None
    next_due_us: int | None
    assigned: str | None = None
    titles: tuple[tuple[str, str], ...] = ()  # by language, where it can be said in others

    @property
    def waiting(self) -> bool:
        """Nobody has it yet."""
        return self.state in ("open", "reopened")

    def titled(self, language: str) -> str:
        return dict(self.titles).get(language, self.title)


@dataclass(frozen=True)
class ProbeLine:
    """A probe and when its newest result was sent."""

    name: str
    network: str | None
    state: str
    last_us: int | None


@dataclass(frozen=True)
class CollectorLine:
    """A collector: the writer, or one that stands by."""

    name: str
    host: str
    role: str  # leader | standby
    epoch: int
    page: str | None
    broker: bool | None


@dataclass(frozen=True)
class Panorama:
    """Everything on the first page at one instant."""

    at_us: int
    service: ElementVerdict
    timezone: str
    cores: tuple[ElementVerdict, ...]
    sites: tuple[ElementVerdict, ...]
    rows: tuple[SbcRow, ...]
    findings: tuple[dict[str, Any], ...]
    incidents: tuple[IncidentLine, ...]
    probes: tuple[ProbeLine, ...]
    last_result_us: int | None
    collector_alive: bool
    collectors: tuple[CollectorLine, ...] = ()
    topology_hash: str = ""

    @property
    def paths(self) -> tuple[PathCell, ...]:
        return tuple(cell for row in self.rows for cell in row.cells.values())


@dataclass(frozen=True)
class Series:
    """Aligned points for one plot: seconds since the epoch, and a list of values (or None) per name."""

    times: list[int]
    values: dict[str, list[float | None]]
