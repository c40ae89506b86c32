"""What of a message is new, pure: dedupe by ranges of seq, refusal of what cannot be read.

A refused result counts as committed (it would come again for ever otherwise) and lies in quarantine for a person.
A batch that cannot be read as a whole cannot be acknowledged: nobody knows what is in it.
"""

from collections.abc import Iterable

import msgspec

from sereno.clock import SECOND_US, parse_instant
from sereno.errors import WireError
from sereno.ranges import Ranges
from sereno.store.results import Cursor, Cursors, Refused
from sereno.wire import BATCH_LIMIT, PROBE_NAME, VERSION, Ack, Batch, Result, decode, encode

_NAME_LIMIT = 64
_ADDRESS_LIMIT = 256
_NAMES_KEPT = 100_000  # names found fit that are remembered
_SEQ_LIMIT = 1 << 62
AHEAD_US = 5 * SECOND_US  # more than clocks that are kept may differ
_BEHIND_US = 60 * 86_400 * SECOND_US  # far more than a spool keeps: a machine that woke up without its clock, in 1970

_decoder = msgspec.json.Decoder(Result)


class Taken(msgspec.Struct, kw_only=True):
    """What became of messages: results that are new, what was refused, which cursors moved, what will never come."""

    fresh: list[tuple[Result, int]] = []  # with `at` in microseconds
    bodies: list[str] = []  # of the fresh ones, as they came
    refused: list[Refused] = []
    moved: set[tuple[str, str]] = set()
    probes: set[str] = set()  # those to acknowledge
    missing: dict[str, int] = {}


class Ingest:
    """Cursors of every probe and boot, in memory; the store's are written in the transaction of the same results."""

    def __init__(self, cursors: Cursors) -> None:
        self.cursors = cursors
        self._holds: dict[str, dict[str, int]] = {}  # per probe, the oldest seq that its spool holds, by boot
        self._fit: set[str | None] = {None}  # names that were looked at

    def take(self, messages: Iterable[tuple[str, bytes]], now_us: int | None = None) -> Taken:
        """Messages as (probe of the topic, payload), in the order they came, at `now_us` (None: do not compare)."""
        taken = Taken(fresh=[], bodies=[], refused=[], moved=set(), probes=set(), missing={})
        for probe, payload in messages:
            try:
                batch = _batch(probe, payload)
            except WireError as error:
                text = payload.decode("utf-8", "replace")
                taken.refused.append(Refused(probe=probe, why=str(error), payload=text, cause=error.cause))
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
        """What of a batch is new; the same results sent again cost next to nothing."""
        cursor = self._cursor(batch.probe, batch.boot)
        first = batch.first
        news = cursor.ranges.missing(first, first + len(batch.results) - 1)
        for low, high in news:
            for seq in range(low, high + 1):
                raw = batch.results[seq - first]
                try:
                    result, at_us = _read(raw)
                    if result.seq != seq or result.probe != batch.probe or result.boot != batch.boot:
                        raise _misplaced(result, batch, seq)
                    self._check_names(result)
                    if now_us is not None:
                        _check_time(result, at_us, now_us)
                except WireError as error:
                    taken.refused.append(_refused(batch, seq, raw, error))
                    continue
                taken.fresh.append((result, at_us))
                taken.bodies.append(_body(raw, result))
        if news:
            cursor.ranges.add(first, first + len(batch.results) - 1)
            taken.moved.add((batch.probe, batch.boot))

    def _check_names(self, result: Result) -> None:
        """Names become keys of the store and of the machines."""
        fit = self._fit
        if result.sbc in fit and result.core in fit and result.target in fit and result.address in fit:
            return
        names = (result.sbc, result.core, result.target, result.account)
        if any(name is not None and (len(name) > _NAME_LIMIT or not name.isprintable()) for name in names):
            raise WireError("the name of an SBC, a core or a target is no name", cause="name")
        address = result.address
        if address is not None and (len(address) > _ADDRESS_LIMIT or not address.isprintable()):
            raise WireError("an address that is none", cause="name")
        if len(fit) > _NAMES_KEPT:
            fit.clear()
            fit.add(None)
        fit.update((*names[:3], address))

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
        raise WireError(f"a batch of {batch.probe!r} on the topic of {probe!r}", cause="identity")
    if not PROBE_NAME.fullmatch(probe):
        raise WireError(f"a batch of {probe[:_NAME_LIMIT]!r}, which is no name of a probe", cause="name")
    if not 0 < len(batch.results) <= BATCH_LIMIT:
        raise WireError(f"a batch of {len(batch.results)} results; 1 to {BATCH_LIMIT} may be in one", cause="range")
    if not 1 <= batch.first < _SEQ_LIMIT or any(not 1 <= oldest < _SEQ_LIMIT for oldest in batch.oldest.values()):
        raise WireError("a batch with a seq out of range", cause="range")
    if any(not 0 < len(boot) <= _NAME_LIMIT or not boot.isalnum() for boot in (batch.boot, *batch.oldest)):
        raise WireError("a batch with a boot that is no name", cause="name")
    return batch


def _read(raw: msgspec.Raw) -> tuple[Result, int]:
    """A result and its `at`, decoded once; what cannot be is looked at again for the reason."""
    try:
        result = _decoder.decode(raw)
        if result.v == VERSION:
            return result, parse_instant(result.at)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    result = decode(raw, Result)
    return result, result.at_us


def _body(raw: msgspec.Raw, result: Result) -> str:
    """The result as it came. What we do not know may be no text; then what we do know of it."""
    try:
        body = bytes(raw).decode()
    except UnicodeDecodeError:
        return encode(result).decode()
    return encode(result).decode() if "\0" in body else body


def _refused(batch: Batch, seq: int, raw: msgspec.Raw, error: WireError) -> Refused:
    text = bytes(raw).decode("utf-8", "replace")
    return Refused(probe=batch.probe, boot=batch.boot, seq=seq, why=str(error), payload=text, cause=error.cause)


def _misplaced(result: Result, batch: Batch, seq: int) -> WireError:
    return WireError(
        f"{result.probe}, {result.boot}, {result.seq} in the place of {batch.probe}, {batch.boot}, {seq}",
        cause="identity",
    )


def _check_time(result: Result, at_us: int, now_us: int) -> None:
    """One result from another age would be the newest for ever, or make the ledger begin with it."""
    if at_us > now_us + AHEAD_US:
        raise WireError(
            f"sent at {result.at}, which is still to come: the clock of {result.probe} is ahead", cause="clock_ahead"
        )
    if at_us < now_us - _BEHIND_US:
        raise WireError(
            f"sent at {result.at}, longer ago than any spool keeps: the clock of {result.probe} is behind",
            cause="clock_behind",
        )
