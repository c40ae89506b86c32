"""What of a message is new, pure: dedupe by ranges of seq, refusal of what cannot be read.

A refused result counts as committed (it would come again for ever otherwise) and lies in quarantine for a person.
A batch that cannot be read as a whole cannot be acknowledged: nobody knows what is in it.
"""

from collections.abc import Iterable

import msgspec

from sereno.clock import SECOND_US
from sereno.errors import WireError
from sereno.ranges import Ranges
from sereno.store.results import Cursor, Cursors, Refused
from sereno.wire import BATCH_LIMIT, VERSION, Ack, Batch, Result, decode

_NAME_LIMIT = 64
_SEQ_LIMIT = 1 << 62
AHEAD_US = 5 * SECOND_US  # more than clocks that are kept may differ
_BEHIND_US = 60 * 86_400 * SECOND_US  # far more than a spool keeps: a machine that woke up without its clock, in 1970


class Taken(msgspec.Struct, kw_only=True):
    """What became of messages: results that are new, what was refused, which cursors moved, what will never come."""

    fresh: list[tuple[Result, int]] = []  # with `at` in microseconds
    refused: list[Refused] = []
    moved: set[tuple[str, str]] = set()
    probes: set[str] = set()  # those to acknowledge
    missing: dict[str, int] = {}


class Ingest:
    """Cursors of every probe and boot, in memory; the store's are written in the transaction of the same results."""

    def __init__(self, cursors: Cursors) -> None:
        self.cursors = cursors
        self._holds: dict[str, dict[str, int]] = {}  # per probe, the oldest seq that its spool holds, by boot

    def take(self, messages: Iterable[tuple[str, bytes]], now_us: int | None = None) -> Taken:
        """Messages as (probe of the topic, payload), in the order they came, at `now_us` (None: do not compare)."""
        taken = Taken(fresh=[], refused=[], moved=set(), probes=set(), missing={})
        for probe, payload in messages:
            try:
                batch = _batch(probe, payload)
            except WireError as error:
                text = payload.decode("utf-8", "replace")
                taken.refused.append(Refused(probe=probe, why=str(error), payload=text))
                continue
            taken.probes.add(probe)
            self._holds[probe] = dict(batch.oldest)
            self._advance(batch, taken)
            self._results(batch, taken, now_us)
        return taken

    def ack(self, probe: str, epoch: int) -> Ack:
        """What is committed of everything that a probe still holds."""
        committed = {}
        for boot, oldest in self._holds.get(probe, {}).items():
            cursor = self.cursors.get((probe, boot))
            if cursor is not None:
                committed[boot] = [(max(first, oldest), last) for first, last in cursor.ranges if last >= oldest]
        return Ack(v=VERSION, epoch=epoch, committed=committed)

    def _results(self, batch: Batch, taken: Taken, now_us: int | None) -> None:
        cursor = self._cursor(batch.probe, batch.boot)
        for seq, raw in enumerate(batch.results, batch.first):
            if seq in cursor.ranges:
                continue
            try:
                result = decode(raw, Result)
                _check(result, batch, seq)
                if now_us is not None:
                    _check_time(result, now_us)
                taken.fresh.append((result, result.at_us))
            except WireError as error:
                text = bytes(raw).decode("utf-8", "replace")
                taken.refused.append(Refused(probe=batch.probe, boot=batch.boot, seq=seq, why=str(error), payload=text))
        before = cursor.ranges.count()
        cursor.ranges.add(batch.first, batch.first + len(batch.results) - 1)
        if cursor.ranges.count() != before:
            taken.moved.add((batch.probe, batch.boot))

    def _advance(self, batch: Batch, taken: Taken) -> None:
        """What lies below the oldest that a probe holds and never came is gone for good."""
        for boot, oldest in batch.oldest.items():
            cursor = self._cursor(batch.probe, boot)
            if oldest > cursor.oldest:
                lost = sum(last - first + 1 for first, last in cursor.ranges.missing(cursor.oldest, oldest - 1))
                if lost:
                    taken.missing[batch.probe] = taken.missing.get(batch.probe, 0) + lost
                cursor.oldest = oldest
                taken.moved.add((batch.probe, boot))

    def _cursor(self, probe: str, boot: str) -> Cursor:
        return self.cursors.setdefault((probe, boot), Cursor(ranges=Ranges()))


def _batch(probe: str, payload: bytes) -> Batch:
    batch = decode(payload, Batch)
    if batch.probe != probe:
        raise WireError(f"a batch of {batch.probe!r} on the topic of {probe!r}")
    if not 0 < len(batch.results) <= BATCH_LIMIT:
        raise WireError(f"a batch of {len(batch.results)} results; 1 to {BATCH_LIMIT} may be in one")
    if not 1 <= batch.first < _SEQ_LIMIT or any(not 1 <= oldest < _SEQ_LIMIT for oldest in batch.oldest.values()):
        raise WireError("a batch with a seq out of range")
    if any(not 0 < len(boot) <= _NAME_LIMIT or not boot.isalnum() for boot in (batch.boot, *batch.oldest)):
        raise WireError("a batch with a boot that is no name")
    return batch


def _check(result: Result, batch: Batch, seq: int) -> None:
    if (result.probe, result.boot, result.seq) != (batch.probe, batch.boot, seq):
        raise WireError(
            f"{result.probe}, {result.boot}, {result.seq} in the place of {batch.probe}, {batch.boot}, {seq}"
        )
    names = (result.sbc, result.core, result.target)
    if any(name is not None and (len(name) > _NAME_LIMIT or not name.isprintable()) for name in names):
        raise WireError("the name of an SBC, a core or a target is no name")


def _check_time(result: Result, now_us: int) -> None:
    """One result from another age would be the newest for ever, or make the ledger begin with it."""
    if result.at_us > now_us + AHEAD_US:
        raise WireError(f"sent at {result.at}, which is still to come: the clock of {result.probe} is ahead")
    if result.at_us < now_us - _BEHIND_US:
        raise WireError(f"sent at {result.at}, longer ago than any spool keeps: the clock of {result.probe} is behind")
