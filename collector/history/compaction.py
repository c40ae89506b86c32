"""Old results of fast checks become runs: rows that say the same, one after another, are kept as one.

Only what is plainly ok goes into a run; failures, late and invalid results and everything of slow checks stay whole. A
run breaks where anything changes that is said of its results, at whatever else its series sent meanwhile, on a gap
beyond the hold, at a new boot, and at a full hour (so at a UTC day). Pure: rows in, runs out.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from collector.ledger.fold import slowness
from sereno.store.runs import Run, histogram, pack
from sereno.wire import Result

FAST = ("edge", "natural", "options")
LONGEST = 1_800  # results in a run: what one write transaction may take away without stalling the ingest
_LEAST = 8  # fewer are no smaller as a run
_STEP_LIMIT = 2**31  # what a run can tell of time in µs, and of seq, between two of its results

Place = tuple[str, str, int, int]  # probe, boot, seq, at_us: the key of a row


class Row(NamedTuple):
    """One row of `results`."""

    element: str
    at_us: int
    arrived_us: int
    body: str


class Compacted(NamedTuple):
    """A run, and the rows that it stands for."""

    run: Run
    places: list[Place]


class _Open:
    """A run that may still grow."""

    def __init__(self, row: Row, result: Result, dress: tuple[Any, ...]) -> None:
        self.dress, self.first, self.rows = dress, row, [(row, result)]

    def takes(self, row: Row, result: Result, dress: tuple[Any, ...], hold_us: int) -> bool:
        last, before = self.rows[-1]
        gap = row.at_us - last.at_us
        return (
            len(self.rows) < LONGEST
            and dress == self.dress
            and 0 < gap <= min(hold_us, _STEP_LIMIT - 1)
            and abs(result.seq - before.seq) < _STEP_LIMIT
        )

    def closed(self) -> Compacted | None:
        if len(self.rows) < _LEAST:
            return None
        at = [row.at_us for row, _ in self.rows]
        seqs = [result.seq for _, result in self.rows]
        rtts = [result.rtt_seconds for _, result in self.rows]
        first, last = self.rows[0][1], self.rows[-1][1]
        run = Run(
            element=self.first.element,
            probe=first.probe,
            from_us=at[0],
            boot=first.boot,
            first_seq=first.seq,
            last_seq=last.seq,
            to_us=at[-1],
            check=first.check,
            outcome=first.outcome,
            reason=first.reason,
            size=len(at),
            largest_gap_us=max(after - before for before, after in pairwise(at)),
            arrived_us=max(row.arrived_us for row, _ in self.rows),
            rtt_histogram=histogram(rtts),
            samples=pack(at, seqs, [slowness(rtt) for rtt in rtts]),
            body=self.first.body,
        )
        return Compacted(run, [(one.probe, one.boot, one.seq, row.at_us) for row, one in self.rows])


_Series = tuple[str | None, ...]


def compacted(rows: Iterable[Row], hold_us: Callable[[str], int], taken: Iterable[Run] = ()) -> list[Compacted]:
    """The runs that rows of an hour, in folding order, can become, beside those that there are already."""
    decode = msgspec.json.Decoder(Result).decode
    spans: dict[_Series, list[tuple[int, int]]] = {}
    for there in taken:
        spans.setdefault(_series(there.first), []).append((there.from_us, there.to_us))
    opened: dict[_Series, _Open] = {}
    found: list[Compacted | None] = []
    for row in rows:
        result = decode(row.body)
        series, dress = _series(result), _dress(result)
        run = opened.get(series)
        inside = any(begin <= row.at_us <= end for begin, end in spans.get(series, ()))
        if (
            dress is not None
            and not inside
            and run is not None
            and run.takes(row, result, dress, hold_us(result.check))
        ):
            run.rows.append((row, result))
            continue
        if run is not None:
            found.append(opened.pop(series).closed())
        if dress is not None:
            opened[series] = _Open(row, result, dress)
    found += [run.closed() for run in opened.values()]
    return [one for one in found if one is not None]


def _series(result: Result) -> _Series:
    return (result.probe, result.check, result.sbc, result.core, result.address, result.target, result.account)


def _dress(result: Result) -> tuple[Any, ...] | None:
    """All that a result says which its whole run must say; None where it must stay whole."""
    if result.check not in FAST or result.outcome != "ok" or result.reason is not None:
        return None
    if result.media is not None or result.facts is not None or result.evidence is not None:
        return None
    return (
        result.v, result.boot, result.transport, result.code, result.phrase, result.answered_by, result.answered_core,
        result.retry_after_seconds, result.setup_seconds, result.post_dial_delay_seconds, result.disconnect_seconds,
        result.expires_seconds, result.codec,
    )  # fmt: skip
