"""Runs: many results of one series that say the same, kept in place of their rows.

A run keeps what verdicts and audits need of each of its results, exactly: when it was sent, its seq, and whether its
round trip was above 300 or 500 ms. Other round trips live on as a histogram. What a run has forgotten is absent from
the results that it gives back; nothing is made up.
"""

import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from sereno.clock import iso
from sereno.errors import StoreError
from sereno.store.bulk import insert_rows
from sereno.wire import Result

BOUNDS_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)  # of the histogram
COLUMNS = (
    "element", "probe", "from_us", "boot", "first_seq", "last_seq", "to_us", "check", "outcome", "reason", "count",
    "largest_gap_us", "arrived_us", "rtt_histogram", "samples", "body",
)  # fmt: skip
_PLAIN, _CLASSES = 1, 2  # the first byte of `samples`: all round trips below 300 ms, or each one's class at the end
_FORGOTTEN = {  # what differs from one result to the next, and is not kept of each
    "rtt_seconds": None,
    "duration_seconds": None,
    "answered_after_seconds": None,
    "retransmissions": None,
}


class Run(NamedTuple):
    """One row of `runs`."""

    element: str
    probe: str
    from_us: int
    boot: str
    first_seq: int
    last_seq: int
    to_us: int
    check: str
    outcome: str
    reason: str | None
    size: int
    largest_gap_us: int
    arrived_us: int
    rtt_histogram: str | None
    samples: bytes
    body: str

    @property
    def slow(self) -> bool:
        """Whether any of its round trips was above 300 ms."""
        return self.samples[0] != _PLAIN

    @property
    def first(self) -> Result:
        """What all of its results say, as the first one said it."""
        return _decode(self.body)

    def instants(self) -> list[int]:
        """When each was sent."""
        return self.open()[0]

    def open(self) -> tuple[list[int], list[int], bytes | None]:
        """When each was sent, its seq, and the classes of their round trips, where any was slow."""
        try:
            raw = zlib.decompress(self.samples[1:])
            size = 4 * (self.size - 1)
            at = list(accumulate(_plain(raw[:size]), initial=self.from_us))
            seq = list(accumulate(_plain(raw[size : 2 * size]), initial=self.first_seq))
        except (zlib.error, ValueError, IndexError) as error:
            raise StoreError(f"a run of {self.element} by {self.probe} cannot be read: {error}") from None
        classes = raw[2 * size :] if self.slow else None
        if len(at) != self.size or at[-1] != self.to_us or seq[-1] != self.last_seq:
            raise StoreError(f"a run of {self.element} by {self.probe} does not end where it says")
        return at, seq, classes

    def results(self) -> Iterator[tuple[Result, int]]:
        """Each result with its `at`, less what a run does not keep."""
        common = msgspec.structs.replace(self.first, **_FORGOTTEN)
        at, seq, _ = self.open()
        for at_us, number in zip(at, seq, strict=True):
            yield msgspec.structs.replace(common, seq=number, at=iso(at_us)), at_us


_decode = msgspec.json.Decoder(Result).decode


def pack(at_us: Sequence[int], seqs: Sequence[int], classes: Sequence[int]) -> bytes:
    """What a run keeps of each of its results: distances in time and in seq, bytes of one weight side by side."""
    slow = any(classes)
    raw = _shuffled(_steps(at_us)) + _shuffled(_steps(seqs)) + (bytes(classes) if slow else b"")
    return bytes([_CLASSES if slow else _PLAIN]) + zlib.compress(raw, 6)


def histogram(rtts: Iterable[float | None]) -> str | None:
    """How many round trips were at most each of BOUNDS_SECONDS, and how many above; None where none was measured."""
    counts = [0] * (len(BOUNDS_SECONDS) + 1)
    for rtt in rtts:
        if rtt is not None:
            counts[next((i for i, bound in enumerate(BOUNDS_SECONDS) if rtt <= bound), len(BOUNDS_SECONDS))] += 1
    return msgspec.json.encode(counts).decode() if any(counts) else None


def insert_runs(connection: Connection, found: Sequence[Run]) -> None:
    """Writes runs."""
    insert_rows(connection, "runs", COLUMNS, found)


def _steps(numbers: Sequence[int]) -> "array[int]":
    return array("i", [after - before for before, after in pairwise(numbers)])


def _shuffled(steps: "array[int]") -> bytes:
    if sys.byteorder == "big":
        steps.byteswap()
    raw = steps.tobytes()
    return raw[0::4] + raw[1::4] + raw[2::4] + raw[3::4]


def _plain(raw: bytes) -> "array[int]":
    count = len(raw) // 4
    mixed = bytearray(len(raw))
    for weight in range(4):
        mixed[weight::4] = raw[weight * count : (weight + 1) * count]
    steps = array("i", bytes(mixed))
    if sys.byteorder == "big":
        steps.byteswap()
    return steps
