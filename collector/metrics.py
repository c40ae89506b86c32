"""Prometheus exposition: counters and histograms fed by committed results, states read from the store at each scrape.

Labels come from the topology and closed lists (`exposition.names`); histograms carry no probe label. Counters start at
zero with the process (Prometheus expects resets); states come from the store, the truth. Only the collector that leads
exports them: a standby has its own health to tell and nothing else, so nothing is ever there twice.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Sequence

from collector.call_metrics import CallMetrics
from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Buckets, Family, Histograms, Value, Values
from collector.exposition.names import HASH_LENGTH, OTHER, Names
from collector.exposition.text import OPENMETRICS, PLAIN, pieces, wants_openmetrics
from collector.other_metrics import OtherMetrics
from collector.probe_metrics import ProbeMetrics
from collector.store_metrics import Found, StoreMetrics
from sereno.clock import SECOND_US, Clock, SystemClock
from sereno.errors import StoreError
from sereno.store import Store
from sereno.store.results import Refused
from sereno.topology import Topology, topology_hash
from sereno.version import __version__
from sereno.wire import Result, Status

log = logging.getLogger(__name__)

_BOUNDS = CATALOGUE["sereno_check_duration_seconds"].bounds
_PLAIN_CHECKS = frozenset({"options", "natural"})  # nothing to look into but outcome, code and duration
_LONGEST_SECONDS = 1e6  # what takes longer was not measured
_Key = tuple[str, str | None, str | None, str, str, str | None, int | None]


class _Slot:
    """The series that one kind of result counts in, found once."""

    __slots__ = ("check", "duration", "last", "plain", "responses", "results")

    def __init__(self, check: str, results: Value, responses: Value | None, duration: Buckets, last: Value) -> None:
        self.check, self.results, self.responses, self.duration, self.last = check, results, responses, duration, last
        self.plain = check in _PLAIN_CHECKS


class Metrics:
    """Everything that one collector process exports."""

    def __init__(
        self,
        store: Store,
        topology: Topology | None = None,
        *,
        clock: Clock | None = None,
        standby: bool = False,
        valid_files: bool = True,
    ) -> None:
        self.names = Names(topology)
        self._clock = clock or SystemClock()
        self._results, self._responses = _values("check_results_total"), _values("sip_responses_total")
        self._duration = _histograms("check_duration_seconds")
        self._expires = _values("register_expires_seconds")
        self._granted: dict[tuple[str, str, str], int] = {}  # until when a registration speaks
        self._last = _values("probe_last_result_timestamp_seconds")
        self._committed, self._missing = _values("results_committed_total"), _values("results_missing_total")
        self._refused = _values("results_refused_total")
        for probe in topology.probes if topology is not None else ():
            self._missing.child(probe)  # a rate needs the zero before the first one
        self._folded = _values("label_values_folded_total")
        self._info = _values("build_info")
        self._info.child(__version__).value = 1
        self._leader, self._epoch = _values("collector_leader"), Values(CATALOGUE["sereno_collector_lease_epoch"])
        self._topology = _values("topology_info")
        self._reload_ok = _values("topology_last_reload_successful")
        self._reloaded = _values("topology_last_reload_success_timestamp_seconds")
        self._reloaded.remove()
        self.reloaded(ok=valid_files)
        if topology is not None:
            self._topology.child(topology_hash(topology)[:HASH_LENGTH]).value = 1
        self._readable = _values("store_readable")
        self._calls = CallMetrics(self.names)
        self._others = OtherMetrics(self.names)
        self._probes = ProbeMetrics(self.names)
        self._store = StoreMetrics(store, self.names, self._clock)
        self._slots: dict[_Key, _Slot] = {}
        self._leader.child().value = 0 if standby else 1
        if not standby:
            self._store.begin()

    # -- who this is -------------------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        return self._leader.child().value == 1

    def lead(self, epoch: int) -> None:
        """The process is the writer now."""
        self._leader.child().value, self._epoch.child().value = 1, epoch
        self._store.begin()

    def stand_by(self) -> None:
        """Another process is the writer, or nobody is."""
        self._leader.child().value = 0

    def reloaded(self, *, ok: bool) -> None:
        """The operator's files were read again: taken up, or refused and what was in use stays."""
        self._reload_ok.child().value = int(ok)
        if ok:
            self._reloaded.child().value = self._clock.now_us() / SECOND_US

    # -- what was committed ------------------------------------------------------------------------------------------

    def observe(self, result: Result) -> None:
        """Counts one committed result."""
        self.observe_all([result], [result.at_us])

    def observe_all(self, results: Sequence[Result], ats: Sequence[int]) -> None:
        """Counts committed results, with their `at` in microseconds."""
        known = self._slots.get
        for result, at_us in zip(results, ats, strict=True):
            key = (
                result.probe, result.sbc, result.core, result.check, result.outcome, result.reason, result.code,
            )  # fmt: skip
            slot = known(key) or self._slot(key)
            slot.results.value += 1
            if slot.responses is not None:
                slot.responses.value += 1
            seconds = result.duration_seconds
            if seconds is not None and 0 <= seconds < _LONGEST_SECONDS:
                buckets = slot.duration  # as Buckets.observe, without the price of a call
                buckets.counts[bisect_left(_BOUNDS, seconds)] += 1
                buckets.total += seconds
            sent = at_us / SECOND_US
            if sent > slot.last.value:  # noqa: PLR1730 - the hottest line: max() costs a call
                slot.last.value = sent
            if not slot.plain:
                self._look_into(result, at_us)

    def _slot(self, key: _Key) -> _Slot:
        """Finds or begins the series of a kind of result; remembers it unless something of it was not ours."""
        probe, sbc, core, check, outcome, reason, code = key
        names, folded = self.names, self.names.folded
        who, where = names.probe(probe), (names.sbc(sbc), names.core(core))
        labels = (who, *where, check, outcome, reason or "")
        if self._results.find(*labels) is None and not names.room("sereno_check_results_total", who):
            labels = (who, OTHER, OTHER, check, outcome, OTHER)
        results = self._results.child(*labels)
        responses = None
        if code is not None:
            answer = (who, *where, check, names.code(code))
            if self._responses.find(*answer) is None and not names.room("sereno_sip_responses_total", who):
                answer = (who, OTHER, OTHER, check, names.code(code))
            responses = self._responses.child(*answer)
        slot = _Slot(check, results, responses, self._duration.child(*where, check), self._last.child(who))
        if names.folded == folded and who == probe:  # names made up by somebody would fill the memory
            self._slots[key] = slot
        return slot

    def _look_into(self, result: Result, at_us: int) -> None:
        """What results of some checks say besides."""
        if result.check == "register" and result.expires_seconds is not None:
            seconds = result.expires_seconds
            if 0 <= seconds < _LONGEST_SECONDS * 10:
                names = self.names
                where = (names.probe(result.probe), names.sbc(result.sbc), names.core(result.core))
                self._expires.child(*where).value = seconds
                hold_us = max(round(seconds * SECOND_US), names.hold_us("register", None))
                self._granted[where] = max(self._granted.get(where, 0), at_us + hold_us)
        elif result.check in ("call", "terminating", "pstn"):
            self._calls.observe(result, at_us)
        else:
            self._others.observe(result, at_us)

    def committed(self, count: int) -> None:
        """Counts results that one transaction committed."""
        self._committed.child().value += count

    def missing(self, probe: str, count: int) -> None:
        """Counts results that are gone for good: below the oldest that the spool holds, and never committed."""
        self._missing.child(self.names.probe(probe)).value += count

    def refused(self, refused: Sequence[Refused]) -> None:
        """Counts what could not be taken."""
        for each in refused:
            self._refused.child(self.names.probe(each.probe), each.cause).value += 1

    def status(self, status: Status, *, current: bool) -> None:
        """Takes what a probe says of itself; `current`: it uses the topology in force."""
        self._probes.take(status, current=current)

    # -- scrapes -----------------------------------------------------------------------------------------------------

    async def scrape(self, accept: str = "") -> tuple[str, AsyncIterator[bytes]]:
        """Content type and body of one scrape; the body comes in pieces, and others run in between."""
        self._take(await asyncio.to_thread(self._look))
        openmetrics = wants_openmetrics(accept)
        return OPENMETRICS if openmetrics else PLAIN, self._stream(openmetrics=openmetrics)

    async def _stream(self, *, openmetrics: bool) -> AsyncIterator[bytes]:
        for piece in pieces(self.families(), openmetrics=openmetrics):
            yield piece.encode()
            await asyncio.sleep(0)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The whole exposition and its content type, at once."""
        self._take(self._look())
        openmetrics = wants_openmetrics(accept)
        body = "".join(pieces(self.families(), openmetrics=openmetrics)).encode()
        return body, OPENMETRICS if openmetrics else PLAIN

    def _look(self) -> Found | int | None:
        """What the store says to who leads, the epoch to who stands by; None when it cannot be read."""
        try:
            return self._store.read() if self.leads else self._store.epoch()
        except StoreError as error:
            log.warning("metrics: %s", error)
            return None

    def _take(self, found: Found | int | None) -> None:
        """What the store cannot say is left out: an old verdict would be a lie."""
        self._readable.child().value = int(found is not None)
        if isinstance(found, Found):
            self._store.show(found)
        elif found is not None and not self.leads:
            self._epoch.child().value = found

    def families(self) -> Iterator[Family]:
        """All families, those that a standby has first."""
        yield from (self._leader, self._epoch, self._info, self._readable)
        yield from (self._topology, self._reload_ok, self._reloaded)
        if not self.leads:
            return
        self._folded.child().value = self.names.folded
        now_us = self._clock.now_us()
        for labels in [one for one, until_us in self._granted.items() if until_us < now_us]:
            del self._granted[labels]
            self._expires.remove(*labels)
        yield from (self._results, self._duration, self._responses, self._expires)
        yield from self._calls.families()
        if self._readable.child().value:
            yield from self._store.families()
        yield from self._others.families(now_us)
        yield self._last
        yield from self._probes.families(self._store.hashes)
        yield from (self._committed, self._missing, self._refused, self._folded)


def _values(name: str) -> Values:
    return Values(CATALOGUE[f"sereno_{name}"])


def _histograms(name: str) -> Histograms:
    return Histograms(CATALOGUE[f"sereno_{name}"])
