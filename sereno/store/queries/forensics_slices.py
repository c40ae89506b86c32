"""Results of a window in slices of one length: how many were not well, and whether there were any. Bounded work."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, func, literal_column, select, text

from sereno.clock import SECOND_US
from sereno.store.queries.forensics import runs_window
from sereno.store.queries.results import of_elements
from sereno.store.tables import ODD, SECOND, results

_SAMPLE_US = 3 * SECOND_US
_LOOKS = 200_000  # places in the index that a person waits for
_NAMES = 500
_ODD = text(f"({ODD})")


class Slices(NamedTuple):
    """A window, and into how many parts it is cut."""

    from_us: int
    to_us: int
    number: int

    @property
    def length_us(self) -> int:
        return max(1, -(-(self.to_us - self.from_us) // self.number))

    def edges(self) -> Iterator[tuple[int, int, int]]:
        """(place, from, to) of each."""
        for place in range(self.number):
            begin = self.from_us + place * self.length_us
            if begin < self.to_us:
                yield place, begin, min(begin + self.length_us, self.to_us)


class Odd(NamedTuple):
    """Of one element, by slice: failed, and what was late or not valid."""

    failed: tuple[int, ...]
    late: tuple[int, ...]


def odd(
    connection: Connection, window: Slices, elements: Collection[str], probes: Collection[str] | None
) -> Mapping[str, Odd]:
    """Counts of what was not plainly ok, by an index of its own."""
    columns = results.c
    # Written out: PostgreSQL takes a parameter here and the same one under GROUP BY for two different things.
    place = literal_column(f"((results.at_us - {window.from_us:d}) / {window.length_us:d})", BigInteger)
    query = select(columns.element, place, columns.outcome, func.count()).where(
        columns.at_us >= window.from_us, columns.at_us < window.to_us, _ODD
    )
    if probes is not None:
        query = query.where(columns.probe.in_(sorted(probes)))
    failed: dict[str, list[int]] = defaultdict(lambda: [0] * window.number)
    late: dict[str, list[int]] = defaultdict(lambda: [0] * window.number)
    for element, slice_, outcome, count in connection.execute(query.group_by(columns.element, place, columns.outcome)):
        if element in elements and 0 <= int(slice_) < window.number:
            (failed if outcome == "failed" else late)[element][int(slice_)] += count
    return {name: Odd(tuple(failed[name]), tuple(late[name])) for name in {*failed, *late}}


def seen(
    connection: Connection, window: Slices, elements: Collection[str], probes: Collection[str] | None, until_us: int
) -> Mapping[str, list[bool]]:
    """Whether an element was measured at all in each slice that has begun.

    The first seconds of a slice show who is measured often; the rest is looked for one by one, as long as that is
    cheap, and counts as seen after that: nothing is called unmeasured that was not looked for.
    """
    found = {name: [False] * window.number for name in elements}
    _compacted(connection, window, found, probes)
    looks = 0
    for place, begin, end in window.edges():
        if begin >= until_us:
            for places in found.values():
                places[place] = True  # nothing can have been measured of what is to come
            continue
        for name in _sampled(connection, begin, min(begin + _SAMPLE_US, end), probes):
            if name in found:
                found[name][place] = True
        missing = [name for name, places in found.items() if not places[place]]
        if not missing:
            continue
        looks += len(missing) * max(1, (end - begin) // SECOND_US)
        if looks > _LOOKS or len(missing) > _NAMES:
            there = set(missing)
        elif _nothing(connection, begin, end):
            there = set()
        else:
            query = of_elements(select(results.c.element).distinct(), connection, missing, begin, end, probes)
            there = set(connection.execute(query).scalars())
        for name in there:
            found[name][place] = True
    return found


def _sampled(connection: Connection, from_us: int, to_us: int, probes: Collection[str] | None) -> set[str]:
    query = select(results.c.element).distinct()
    if probes is not None or connection.dialect.name != "sqlite":
        query = query.where(results.c.at_us >= from_us, results.c.at_us < to_us)
        query = query if probes is None else query.where(results.c.probe.in_(sorted(probes)))
    else:  # whole seconds: the index alone answers
        second = literal_column(f"results.{SECOND}", BigInteger)
        first, last = -(-from_us // SECOND_US), (to_us - 1) // SECOND_US
        query = query.where(second >= first, second < max(last, first + 1))
        if (first + 1) * SECOND_US > to_us:
            return set()
    return set(connection.execute(query).scalars())


def _nothing(connection: Connection, from_us: int, to_us: int) -> bool:
    query = select(results.c.at_us).where(results.c.at_us >= from_us, results.c.at_us < to_us).limit(1)
    return connection.execute(query).first() is None


def _compacted(
    connection: Connection, window: Slices, found: Mapping[str, list[bool]], probes: Collection[str] | None
) -> None:
    for run in runs_window(connection, list(found), probes, window.from_us, window.to_us):
        first = max(0, (run.from_us - window.from_us) // window.length_us)
        last = min(window.number - 1, (run.to_us - window.from_us) // window.length_us)
        for place in range(first, last + 1):
            if run.largest_gap_us <= window.length_us or place in {first, last}:
                found[run.element][place] = True


def cut(connection: Connection, from_us: int, to_us: int, most: int) -> int | None:
    """When the result after so many that were not well was sent; None: there are no more of them in the window."""
    query = select(results.c.at_us).where(results.c.at_us >= from_us, results.c.at_us < to_us, _ODD)
    found = connection.execute(query.order_by(results.c.at_us).offset(most).limit(1)).scalar()
    return None if found is None else int(found)
