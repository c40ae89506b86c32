"""The ledger is folded in blocks of one UTC hour.

A block goes on from the checkpoint at its beginning and is read until a while after its end, which decides the
failures that were still unconfirmed there; it leaves the checkpoint of the next. So a block says, to the byte, what
one fold over all results says of that hour. Checkpoints are a cache: where there is none, folding begins at an
earlier one, or at the first result of all.
"""

import hashlib
import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from collector.engine import counted_planes
from collector.ledger.fold import FORMAT, Fold, Interval
from collector.verdicts.samples import Timing
from collector.verdicts.witness import LATEST_REPLY_US
from sereno.clock import SECOND_US
from sereno.contract import Contract
from sereno.errors import StoreError
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology import topology_hash
from sereno.topology.model import Topology
from sereno.wire import Result

log = logging.getLogger(__name__)

BLOCK_US = 3_600 * SECOND_US
_LEAD_US = 20 * 60 * SECOND_US
_TAIL_US = 5 * 60 * SECOND_US


class Kept(NamedTuple):
    """A checkpoint: what a fold over everything sent before `at_us` goes on from."""

    at_us: int
    state: bytes


class Source(Protocol):
    """Where results come from."""

    def feed(self, fold: Fold, from_us: int, to_us: int) -> None:
        """Adds what was sent in [from, to) to the fold, in order of `at`."""

    def first_us(self) -> int | None:
        """When the first result of all was sent."""

    def checkpoint(self, from_us: int, basis: "Basis") -> Kept | None:
        """The newest checkpoint at `from_us` or before that was made on this basis."""


class Folded(NamedTuple):
    """What a fold found; the checkpoint at the end of it."""

    intervals: list[Interval]
    checkpoint: bytes | None


class _Part(NamedTuple):
    from_us: int
    topology: Topology
    planes: dict[str, frozenset[str]]
    digest: str


class Basis:
    """What results are judged by: the topologies and contracts in force, each from its time on."""

    def __init__(self, topologies: Sequence[TopologyInForce], contracts: Mapping[str, Contract]) -> None:
        moments = {one.from_us for one in topologies[1:]}
        for contract in contracts.values():
            moments |= {version.effective_us for version in contract.versions[1:]}
        self._parts: list[_Part] = []
        for from_us in (0, *sorted(moment for moment in moments if moment > 0)):
            topology = topologies[0].topology  # also before its time: nothing else is known
            for one in topologies:
                if one.from_us <= from_us:
                    topology = one.topology
            planes = counted_planes(topology, contracts, from_us)
            last = self._parts[-1] if self._parts else None
            if last is None or (topology, planes) != (last.topology, last.planes):
                said = [FORMAT, from_us, topology_hash(topology), sorted((k, sorted(v)) for k, v in planes.items())]
                digest = hashlib.sha256(f"{last.digest if last else ''}{said}".encode()).hexdigest()
                self._parts.append(_Part(from_us, topology, planes, digest))
        self._moments = [part.from_us for part in self._parts]

    def until(self, at_us: int) -> _Part:
        """What was in force just before an instant."""
        return self._parts[max(0, bisect_left(self._moments, at_us) - 1)]

    def at(self, at_us: int) -> _Part:
        """What is in force at an instant."""
        return self._parts[max(0, bisect_right(self._moments, at_us) - 1)]

    def digest(self, at_us: int) -> str:
        """Stands for all that was in force before an instant."""
        return self.until(at_us).digest

    def changes(self, from_us: int, to_us: int) -> list[_Part]:
        """What comes into force in [from, to)."""
        return [part for part in self._parts[1:] if from_us <= part.from_us < to_us]

    def tail_us(self, at_us: int) -> int:
        """How long after an instant its fold must have read."""
        return max(margins(part.topology)[1] for part in (self.until(at_us), *self.changes(at_us, at_us + BLOCK_US)))


def block_of(at_us: int) -> int:
    """The beginning of the block that an instant lies in."""
    return at_us - at_us % BLOCK_US


def margins(topology: Topology) -> tuple[int, int]:
    """How long before and after a block its fold may look: what a result may change beside its own block.

    After its end: a pending sample is decided within a hold, or by a late reply; a slow plane waits as long again for
    the signalling beside it; and an SBC's outage makes its edge no witness two intervals before it.
    """
    timing = Timing(topology)
    slowest, signalling = timing.slowest_us, max(timing.every_us[one] for one in ("options", "natural", "edge"))
    decided = 5 * slowest + LATEST_REPLY_US + 5 * signalling + LATEST_REPLY_US + 2 * signalling
    return _LEAD_US, max(_TAIL_US, decided)


def fold_hour(basis: Basis, begin_us: int, source: Source, to_us: int | None = None) -> Folded:
    """A block, with the checkpoint of the next; up to `to_us` and without one where the block is not over."""
    end_us = begin_us + BLOCK_US
    if to_us is None or to_us >= end_us:
        return fold_span(basis, begin_us, end_us, source, keep=True)
    return fold_span(basis, begin_us, to_us, source)


def fold_span(basis: Basis, from_us: int, to_us: int, source: Source, *, keep: bool = False) -> Folded:
    """Every element's intervals of [from, to), each part by what was in force there; `keep` asks for a checkpoint."""
    kept = source.checkpoint(from_us, basis)
    resumed = _resumed(basis, kept) if kept is not None else None
    if kept is not None and resumed is not None:
        start_us, fold = kept.at_us, resumed
        changes = basis.changes(start_us, to_us + basis.tail_us(to_us))
    else:
        first_us = source.first_us()
        start_us = min(from_us, to_us if first_us is None else first_us)
        before = basis.at(start_us)
        fold = Fold(before.topology, before.planes)
        changes = basis.changes(start_us + 1, to_us + basis.tail_us(to_us))
    pieces = [(part.from_us, part) for part in changes]
    stops: list[tuple[int, _Part | None]] = sorted(
        [*pieces, (to_us, None)], key=lambda one: (one[0], one[1] is not None)
    )
    for stop_us, part in stops:  # a checkpoint is what was, before anything came into force there
        source.feed(fold, start_us, stop_us)
        start_us = max(start_us, stop_us)
        if part is not None:
            fold.rewire(stop_us, part.topology, part.planes)
        elif keep:
            fold.cut(stop_us)
    source.feed(fold, start_us, to_us + basis.tail_us(to_us))
    intervals = fold.intervals(from_us, to_us)
    return Folded(intervals, fold.checkpoint() if keep else None)


def _resumed(basis: Basis, kept: Kept) -> Fold | None:
    """The fold that goes on from a checkpoint; None where it is none, and the results must do."""
    before = basis.until(kept.at_us)
    try:
        return Fold.resume(before.topology, before.planes, kept.at_us, kept.state)
    except StoreError as error:
        log.warning("ledger: %s; folded from the first result instead", error)
        return None


def in_order(results: Iterable[tuple[Result, int]]) -> list[tuple[Result, int]]:
    """Results with their `at`, in folding order."""
    return sorted(results, key=lambda one: (one[1], one[0].probe, one[0].boot, one[0].seq))


class Recording:
    """A source that is a list: for streams in memory."""

    def __init__(self, results: Iterable[tuple[Result, int]]) -> None:
        self._results = in_order(results)
        self.kept: dict[int, tuple[str, bytes]] = {}

    def feed(self, fold: Fold, from_us: int, to_us: int) -> None:
        first = bisect_left(self._results, from_us, key=lambda one: one[1])
        last = bisect_left(self._results, to_us, key=lambda one: one[1])
        for result, at_us in self._results[first:last]:
            fold.add(result, at_us)

    def first_us(self) -> int | None:
        return self._results[0][1] if self._results else None

    def keep(self, at_us: int, basis: Basis, state: bytes) -> None:
        self.kept[at_us] = (basis.digest(at_us), state)

    def checkpoint(self, from_us: int, basis: Basis) -> Kept | None:
        good = [at for at, (digest, _) in self.kept.items() if at <= from_us and digest == basis.digest(at)]
        return Kept(max(good), self.kept[max(good)][1]) if good else None
