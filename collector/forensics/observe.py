"""What correlation needs of a store, and no more: failing results, the good ones beside them, one of each well series.

It must say the same as all results of the window would; a test holds that.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from collector.forensics.correlate import Correlation, Seen, correlate
from collector.forensics.samples import GOOD, lane_of, standing
from sereno.clock import SECOND_US
from sereno.store.queries import forensics as stored
from sereno.store.queries.forensics import Mark, Pair, Series
from sereno.topology.model import Topology

LOOK_BACK_US = 600 * SECOND_US  # how a series was when the window began
_LONE = 200  # single failures of a series that are looked at one by one
_LANES = 64  # results in which every address and account of a check shows itself

Told = Callable[[int], None]
_Lane = tuple[Series, str]


def observed(
    connection: Connection,
    pairs: Sequence[Pair],
    topology: Topology,
    from_us: int,
    to_us: int,
    clocks: dict[str, int] | None = None,
    told: Told | None = None,
) -> Correlation:
    """The correlation of a window, over everything that these pairs measured. `told` hears how far reading has come."""
    seen = [*_failing(connection, pairs, from_us, to_us, told), *_present(connection, pairs, from_us, to_us)]
    found = correlate(seen, topology, from_us, to_us, clocks)
    if not found.first:
        return found
    begin_us = min(one.high_us for one in found.first)  # who was looked at meanwhile?
    seen += _present(connection, pairs, begin_us, to_us)
    return correlate(seen, topology, from_us, to_us, clocks)


def _failing(
    connection: Connection, pairs: Sequence[Pair], from_us: int, to_us: int, told: Told | None
) -> Iterator[Seen]:
    """Of each series what decides its first confirmed failure: bad results with the ones before and after them."""
    until: dict[_Lane, int] = {}
    single: dict[_Lane, int] = {}
    for rows in stored.window(connection, pairs, from_us, to_us, odd=True):
        for row in rows:
            if told is not None:
                told(row.at_us)
            series = Series(row.element, row.probe, row.check)
            lane = series, lane_of(row.body)
            if row.at_us <= until.get(lane, from_us - 1):
                continue
            mark = Mark(row.at_us, row.boot, row.seq, row.outcome, row.reason, row.body)
            seen, until[lane], lone = _around(connection, lane, mark, from_us, to_us)
            yield from (_seen(lane, one) for one in seen)
            single[lane] = single.get(lane, 0) + lone
            if single[lane] > _LONE:
                until[lane] = to_us


def _around(connection: Connection, lane: _Lane, mark: Mark, from_us: int, to_us: int) -> tuple[list[Mark], int, int]:
    """What decides at a bad result; up to when the series need not be looked at again; whether it stood alone."""
    series, name = lane
    earlier = stored.before(connection, series, mark.at_us, from_us - LOOK_BACK_US)
    previous = _first_told(next((one for one in earlier if lane_of(one.body) == name), None), earlier, name)
    following = _after(connection, lane, mark.at_us, to_us)
    found = [mark] if previous is None else [previous, mark]
    was_good = previous is not None and _good(previous)
    after = next(following, None)
    if after is None:
        return found, to_us, 0
    found.append(after)
    if was_good and _good(after):
        return found, mark.at_us, 1
    if was_good:  # sure: when was it well again?
        last = after
        for one in following:
            if _good(one) and _good(last):
                return [*found, last, one], to_us, 0
            last = one
        return [*found, last], to_us, 0
    for one in (after, *following):  # bad before: not looked at until it is well
        if _good(one):
            return [*found, one], one.at_us, 0
    return found, to_us, 0


def _first_told(newest: Mark | None, earlier: Iterator[Mark], name: str) -> Mark | None:
    """Of two results of one transaction (its late answer is the second) the first."""
    if newest is None:
        return None
    for one in islice(earlier, 1):
        if one.at_us == newest.at_us and lane_of(one.body) == name:
            return one
    return newest


def _after(connection: Connection, lane: _Lane, at_us: int, to_us: int) -> Iterator[Mark]:
    """Transactions of a series after an instant, each by its first result."""
    series, name = lane
    last_us = at_us
    for one in stored.after(connection, series, at_us, to_us):
        if one.at_us != last_us and lane_of(one.body) == name:
            last_us = one.at_us
            yield one


def _present(connection: Connection, pairs: Sequence[Pair], from_us: int, to_us: int) -> Iterator[Seen]:
    """The first results of each series in [from, to): somebody looked."""
    for pair in pairs:
        for check in sorted(stored.checks_seen(connection, pair, from_us, to_us)):
            series = Series(pair.element, pair.probe, check)
            names = dict.fromkeys(
                lane_of(one.body) for one in islice(stored.after(connection, series, from_us - 1, to_us), _LANES)
            )
            for name in names:
                lane = series, name
                yield from (_seen(lane, one) for one in _neighbours(_after(connection, lane, from_us - 1, to_us)))


def _neighbours(marks: Iterator[Mark]) -> Iterator[Mark]:
    """As many as it takes for each to stand beside its true neighbour: two, and more where a good one stands alone."""
    before: Mark | None = None
    for one in marks:
        yield one
        if before is not None and (_good(before) or not _good(one)):
            return
        before = one


def _good(mark: Mark) -> bool:
    return standing(mark.outcome, mark.reason) == GOOD


def _seen(lane: _Lane, mark: Mark) -> Seen:
    series, name = lane
    return Seen(
        element=series.element, probe=series.probe, check=series.check, lane=name, at_us=mark.at_us, boot=mark.boot,
        seq=mark.seq, said=standing(mark.outcome, mark.reason), reason=mark.reason,
    )  # fmt: skip
