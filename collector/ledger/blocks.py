"""The ledger is folded in blocks of one UTC hour, each by itself.

So any block can be folded again, at any time, by anybody, and comes out the same. A block is read from a while before
its beginning, which gives every machine the state that it has at the block's first instant, to a while after its end,
which decides the failures that were still unconfirmed there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from collector.engine import counted_planes
from collector.ledger.fold import Fold, Interval, joined
from collector.verdicts.samples import Timing
from sereno.clock import SECOND_US
from sereno.contract import Contract
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology.model import Topology
from sereno.wire import Result

BLOCK_US = 3_600 * SECOND_US
_LEAD_US = 20 * 60 * SECOND_US
_TAIL_US = 5 * 60 * SECOND_US

Read = Callable[[int, int], Iterable[tuple[Result, int]]]  # results sent in [from, to), in folding order


def block_of(at_us: int) -> int:
    """The beginning of the block that an instant lies in."""
    return at_us - at_us % BLOCK_US


def margins(topology: Topology) -> tuple[int, int]:
    """How long before and after a block its fold reads."""
    slowest = Timing(topology).slowest_us
    return max(_LEAD_US, 10 * slowest), max(_TAIL_US, 5 * slowest)


def fold_block(
    topologies: Sequence[TopologyInForce],
    contracts: Mapping[str, Contract],
    begin_us: int,
    read: Read,
    to_us: int | None = None,
) -> list[Interval]:
    """The intervals of a block (up to `to_us`), each part by the topology and contracts in force there."""
    end_us = begin_us + BLOCK_US if to_us is None else min(to_us, begin_us + BLOCK_US)
    found: list[Interval] = []
    for part_us, until_us, topology in _parts(topologies, contracts, begin_us, end_us):
        lead, tail = margins(topology)
        fold = Fold(topology, counted_planes(topology, contracts, part_us))
        for result, at_us in read(part_us - lead, until_us + tail):
            fold.add(result, at_us)
        found += fold.intervals(part_us, until_us)
    return joined(found)


def _parts(
    topologies: Sequence[TopologyInForce], contracts: Mapping[str, Contract], begin_us: int, end_us: int
) -> Iterator[tuple[int, int, Topology]]:
    """Pieces of [begin, end) with one topology and one version of every contract; before the first, the first."""
    cuts = {begin_us, end_us}
    cuts |= {one.from_us for one in topologies[1:] if begin_us < one.from_us < end_us}
    for contract in contracts.values():
        cuts |= {v.effective_us for v in contract.versions[1:] if begin_us < v.effective_us < end_us}
    moments = sorted(cuts)
    for index, part_us in enumerate(moments[:-1]):
        topology = topologies[0].topology
        for one in topologies:
            if one.from_us <= part_us:
                topology = one.topology
        yield part_us, moments[index + 1], topology
