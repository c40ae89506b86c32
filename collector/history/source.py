"""Results of a store as the ledger folds them: rows one by one, runs whole where nothing else happened meanwhile."""

import time
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from collector.ledger.blocks import Basis, Kept
from collector.ledger.fold import Fold
from sereno.store.queries import checkpoints, results
from sereno.store.queries.results import HOUR_US
from sereno.store.runs import Run
from sereno.wire import Result

_BREATH, _BREATH_SECONDS = 500, 0.005  # results folded between two rests: some 2.5 ms of work
_Key = tuple[str | None, ...]
_Item = tuple[int, str, str, int, Result | Run]
_RTT_OF_CLASS = (None, 0.4, 1.0)  # for the fold's eyes only: any round trip of the class does


class StoreSource:
    """A source over an open connection.

    Without `checkpoints` all is folded from the first result: what was kept on the way is not believed.
    `gently`: for a thread beside the ingest, which shares the interpreter's lock; it rests two thirds of the time.
    """

    def __init__(self, connection: Connection, *, checkpoints: bool = True, gently: bool = False) -> None:
        self._connection = connection
        self._use, self._gently = checkpoints, gently

    def first_us(self) -> int | None:
        """When the first result of all was sent."""
        span = results.span(self._connection)
        return None if span is None else span[0]

    def checkpoint(self, from_us: int, basis: Basis) -> Kept | None:
        """The newest that was made on this basis; one made on another is none."""
        while self._use and (found := checkpoints.newest(self._connection, from_us)) is not None:
            at_us, made_on, state = found
            if made_on == basis.digest(at_us):
                return Kept(at_us, state)
            from_us = at_us - 1
        return None

    def feed(self, fold: Fold, from_us: int, to_us: int) -> None:
        """Adds what was sent in [from, to) to the fold, in order of `at`."""
        while from_us < to_us:
            begin = results.next_run(self._connection, from_us // HOUR_US * HOUR_US)
            if begin is None or begin >= to_us:
                self._rows(fold, from_us, to_us)
                return
            hour = begin // HOUR_US * HOUR_US
            if hour > from_us:
                self._rows(fold, from_us, hour)
                from_us = hour
            end = min(hour + HOUR_US, to_us)
            self._hour(fold, hour, from_us, end)
            from_us = end

    def _rows(self, fold: Fold, from_us: int, to_us: int) -> None:
        decode, add = msgspec.json.Decoder(Result).decode, fold.add
        for number, (body, at_us) in enumerate(results.rows(self._connection, from_us, to_us)):
            add(decode(body), at_us)
            if self._gently and number % _BREATH == 0:
                time.sleep(_BREATH_SECONDS)

    def _hour(self, fold: Fold, hour: int, from_us: int, to_us: int) -> None:
        """An hour, or a part of one, that has runs."""
        decode = msgspec.json.Decoder(Result).decode
        whole = [(decode(body), at_us) for body, at_us in results.rows(self._connection, from_us, to_us)]
        taken: dict[_Key, list[tuple[int, int]]] = defaultdict(list)
        for result, at_us in whole:
            taken[_key(result)].append((at_us, at_us))
        found = [(run, run.first) for run in results.runs_between(self._connection, hour, hour + HOUR_US)]
        for run, first in found:
            taken[_key(first)].append((run.from_us, run.to_us))
        items: list[_Item] = [(at_us, one.probe, one.boot, one.seq, one) for one, at_us in whole]
        for run, first in found:
            if from_us <= run.from_us and run.to_us < to_us and _alone(run, taken[_key(first)]):
                items.append((run.from_us, run.probe, run.boot, run.first_seq, run))
            else:
                items += _apart(run, from_us, to_us)
        items.sort(key=lambda one: one[:4])
        for at_us, *_, one in items:
            if isinstance(one, Run):
                fold.add_run(one)
            else:
                fold.add(one, at_us)


def _key(result: Result) -> _Key:
    """Of the series, as coarse as can be without taking two for different that are one."""
    thing = result.address or result.target
    return (result.probe, result.check, result.sbc, result.core, thing, result.account)


def _alone(run: Run, taken: list[tuple[int, int]]) -> bool:
    """Nothing else of its series was sent while it lasted."""
    return sum(begin <= run.to_us and end >= run.from_us for begin, end in taken) == 1


def _apart(run: Run, from_us: int, to_us: int) -> Iterator[_Item]:
    """The results of a run that lie in [from, to), each by itself."""
    _, seqs, classes = run.open()
    for index, (result, at_us) in enumerate(run.results()):
        if from_us <= at_us < to_us:
            rtt = _RTT_OF_CLASS[classes[index]] if classes is not None else None
            yield (at_us, run.probe, run.boot, seqs[index], replace(result, rtt_seconds=rtt))
