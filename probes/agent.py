"""The probe: measures what its part of the topology says, keeps it in the spool, delivers it.

It needs only a broker, its name and its secrets. The last topology part is kept beside the spool, so that a probe that
starts while broker or collector are away measures at once.
"""

import asyncio
import logging
import os
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes import doubt
from probes.canary import Canaries
from probes.checks import REGISTRY, CheckFunction, Runtime, Target, notes, targets
from probes.checks.base import BY_WORKERS
from probes.checks.named import Names
from probes.checks.sip_standing import SipStandings
from probes.delivery import Delivery
from probes.pulse import BEAT_SECONDS, Pulse
from probes.schedule import Key, Scheduler, canaries_of
from probes.sip.client import SipClient
from probes.spool import Spool
from sereno.bootclock import BootClock
from sereno.clock import SECOND_US, Clock, SystemClock, iso
from sereno.errors import ConfigError, WireError
from sereno.instance import take_lock
from sereno.mqtt import Broker
from sereno.notify import tell
from sereno.tasks import together
from sereno.topology import Topology, explain_secret, resolve_secret, topology_from_json
from sereno.version import __version__
from sereno.wire import VERSION, Result, Status, TopologyPart, decode, encode

if TYPE_CHECKING:
    from probes.sip.pool import CallPool

log = logging.getLogger(__name__)

SPOOL_FILE = "spool.db"
TOPOLOGY_FILE = "topology.json"
_CLOCK_SECONDS = 1.0
_LOCK_SECONDS = 12.0  # a probe whose supervisor was killed may still be winding up
_SET_US = SECOND_US // 4  # a wall clock that moved so far since the boot, while ours is known to be off, was mended
_SPREAD_SECONDS = 60  # probes that start together do not all call in the same second of their minutes
_SOON_SECONDS = 0.05
_STALL_NEWS_SECONDS = 1.0


class Agent:
    """One probe process. `await run()` until cancelled."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        data: Path,
        *,
        clock: Clock | None = None,
        registry: Mapping[str, CheckFunction] = REGISTRY,
    ) -> None:
        self.name = name
        self._data, self._registry = data, registry
        self._lock = take_lock(data, _LOCK_SECONDS)
        self._clock = BootClock(clock or SystemClock())
        self._spool = Spool(data / SPOOL_FILE, name)
        self._spool.begin_boot(self._clock.boot)
        self._delivery = Delivery(broker, name, self._spool, self._clock, self._status, self._topology_came)
        self._part: TopologyPart | None = None
        self._topology: Topology | None = None
        self._changed = asyncio.Event()
        self._measuring = asyncio.Event()
        self._notes: list[str] = []
        self._refusal: str | None = None
        self._winding_up: set[asyncio.Task[None]] = set()
        self._pools: list[CallPool] = []
        self._dropped: int | None = None  # by the meters of pools that are gone
        self._pulse = Pulse()
        self._anchor: float | None = None
        self._known: frozenset[Key] = frozenset()  # what was measured under the last topology
        self._canaries: Canaries | None = None
        self._names: Names | None = None
        self._resolvers: tuple[str, ...] = ()
        self._standings, self._kept = SipStandings(), dict[str, Any]()
        self._doubted: Counter[str] = Counter()
        self._clock_off = False

    async def run(self) -> None:
        """Measures and delivers until cancelled; the spool keeps what is not yet committed."""
        self._recall()
        try:
            await together(self._delivery.run(), self._measure(), self._watch_clock(), self._beat(), self._announce())
        finally:
            self._spool.close()
            os.close(self._lock)

    # -- measuring ---------------------------------------------------------------------------------------------------

    async def _measure(self) -> None:
        """Runs what the topology in use says; the next one takes over at once while the last one still winds up."""
        sip = SipClient(self.name, clock=self._clock)
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                waiting = asyncio.create_task(self._changed.wait())
                done, _ = await asyncio.wait({waiting, *running}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                for task in done & running:
                    task.result()  # measuring never ends by itself: this raises
                self._changed.clear()
                for task in running:
                    task.cancel()
                    self._winding_up.add(task)
                    task.add_done_callback(self._winding_up.discard)
                if self._topology is not None:
                    running = {asyncio.create_task(self._measure_topology(self._topology, sip))}
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, *self._winding_up, return_exceptions=True)
            await sip.close()

    async def _measure_topology(self, topology: Topology, sip: SipClient) -> None:
        def secret(account: str) -> str | None:
            known = topology.accounts.get(account)
            return resolve_secret(known.password, account) if known is not None else None

        self._resolvers = topology.checks.dns.resolvers if topology.checks.dns is not None else ()
        sip.resolver.use(self._resolvers)
        names = Names(targets(topology, self.name), sip.resolver)
        found = await names.first()
        runtime = Runtime(
            clock=self._clock, topology=topology, probe=self.name, sip=sip, emit=self._emit, secret=secret,
            standings=self._standings, kept=self._kept,
        )  # fmt: skip
        runtime.extras["pstn calls"] = self._data / "pstn-calls.json"
        self._notes, self._names = list(notes(topology)), names
        log.info("measuring %d targets of %s", len(found), topology.service)
        pool = await self._start_calls(found)
        runtime.calls = pool
        if self._anchor is None:  # for as long as this process lives, so that a reload keeps every beat
            slot = zlib.crc32(self.name.encode()) % _SPREAD_SECONDS
            self._anchor = asyncio.get_running_loop().time() + _SOON_SECONDS - slot
        canaries = canaries_of(runtime)
        scheduler = Scheduler(
            found, runtime, self._emit,
            registry=self._registry, pulse=self._pulse, anchor=self._anchor, known=self._known, canaries=canaries,
        )  # fmt: skip
        self._canaries, self._known = canaries, scheduler.keys
        watching = [names.watch(scheduler.update), self._standings.watch(names.now, runtime)]
        watching += [canaries.watch()] if canaries is not None else []
        try:
            await together(scheduler.run(), *watching)
        finally:
            if pool is not None:
                await pool.stop()
                self._pools.remove(pool)
                self._dropped = _sum(self._dropped, pool.meter_dropped)

    async def _start_calls(self, found: list[Target]) -> "CallPool | None":
        """The pool of pjsua2 workers, or None where no target needs it."""
        if not any(target.check in BY_WORKERS for target in found):
            return None
        from probes.sip.pool import CallPool

        pool = CallPool(found, self._clock, resolvers=self._resolvers)
        await pool.start()
        self._pools.append(pool)
        return pool

    def _meter_dropped(self) -> int | None:
        """Packets that the media meters missed since this process began; None: none of them ever ran."""
        return _sum(self._dropped, *(pool.meter_dropped for pool in self._pools))

    def _emit(self, result: Result) -> None:
        offset = self._offset_beyond()
        if offset is not None:
            result = doubt.clock(result, offset)
        if result.outcome == "invalid" and isinstance(result.evidence, dict) and "doubt" in result.evidence:
            self._doubted[str(result.evidence["doubt"])] += 1
        self._delivery.put(result)

    def _offset_beyond(self) -> float | None:
        return self._delivery.offset.beyond(doubt.CLOCK_LIMIT_SECONDS, self._clock.monotonic())

    async def _watch_clock(self) -> None:
        while True:
            await asyncio.sleep(_CLOCK_SECONDS)
            offset = self._offset_beyond()
            if self._clock.stepped() or (offset is not None and abs(self._clock.behind_us()) > _SET_US):
                log.warning("the wall clock stepped away from %s: a new boot begins", iso(self._clock.now_us()))
                self._delivery.offset.stepped(self._clock.begin())
                self._spool.begin_boot(self._clock.boot)
                self._delivery.announce()
                offset = self._offset_beyond()
            if (offset is not None) != self._clock_off:
                self._clock_off = offset is not None
                log.warning("the clock is %s", f"{offset:+.3f} s off the collector's" if offset else "right again")
            self._delivery.trim()

    async def _beat(self) -> None:
        """Notices whether this process runs at all (`probes.pulse`)."""
        asleep = _suspended()
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            before, asleep = asleep, _suspended()
            stalled = self._pulse.stalled_seconds
            self._pulse.beat(asyncio.get_running_loop().time(), asleep - before)
            if self._pulse.stalled_seconds - stalled >= _STALL_NEWS_SECONDS:
                log.warning("this process did not run for %.1f s", self._pulse.stalled_seconds - stalled)
                self._delivery.announce()

    # -- the topology ------------------------------------------------------------------------------------------------

    def _topology_came(self, part: TopologyPart) -> None:
        if self._part is not None and part.hash == self._part.hash:
            if self._refusal is not None:  # what was refused meanwhile is no more
                self._refusal = None
                self._delivery.announce()
            return
        if self._adopt(part, "the collector's topology"):
            try:
                new = self._data / (TOPOLOGY_FILE + ".new")
                new.write_bytes(encode(part))
                new.replace(self._data / TOPOLOGY_FILE)
            except OSError as error:  # a full disk: it is used all the same, and comes again with the next connection
                log.warning("%s: %s; after a restart the collector's is awaited", self._data, error.strerror)

    def _recall(self) -> None:
        """Takes up the topology part of last time, if there is one."""
        try:
            part = decode((self._data / TOPOLOGY_FILE).read_bytes(), TopologyPart)
        except FileNotFoundError:
            return
        except (OSError, WireError) as error:
            log.warning("%s: %s; waiting for the collector's", self._data / TOPOLOGY_FILE, error)
            return
        self._adopt(part, str(self._data / TOPOLOGY_FILE))

    def _adopt(self, part: TopologyPart, source: str) -> bool:
        try:
            topology = _own(topology_from_json(part.topology), self.name)
        except ConfigError as error:
            log.warning("%s is refused, the one in use stays: %s", source, error)
            self._refusal = f"topology refused, the one in use stays: {error}"
            self._delivery.announce()
            return False
        log.info("topology %s from %s", part.hash[:12], source)
        self._part, self._topology, self._refusal = part, topology, None
        self._changed.set()
        self._measuring.set()
        self._delivery.announce()
        return True

    # -- what it says of itself --------------------------------------------------------------------------------------

    async def _announce(self) -> None:
        await self._delivery.connected.wait()
        await self._measuring.wait()
        tell("ready", f"probe {self.name}")

    def _missing_secrets(self) -> list[str]:
        """Which accounts of checks in use have no password here: what needs them is invalid."""
        if self._topology is None:
            return []
        used = sorted({key[4] for key in self._known if key[4] is not None})
        known = [(name, self._topology.accounts[name]) for name in used if name in self._topology.accounts]
        return [why for name, account in known if (why := explain_secret(account.password, name)[1])]

    def _status(self) -> Status:
        named = self._names.notes() if self._names is not None else []
        notes = [*self._notes, *self._missing_secrets(), *named, *(note for pool in self._pools for note in pool.notes)]
        if self._refusal:
            notes.append(self._refusal)
        notes += [*self._spool.notes(), *self._delivery.notes()]
        if self._canaries is not None:
            notes += self._canaries.notes()
        offset = self._offset_beyond()
        if offset is not None:
            notes.append(f"the clock is {offset:+.3f} s off the collector's: results are invalid; look at its NTP")
        sample = self._delivery.offset.best(self._clock.monotonic())
        counts = self._pulse.counts
        waits, room = self._spool.oldest_seconds(self._clock.now_us()), self._spool.free_ratio()
        return Status(
            v=VERSION,
            probe=self.name,
            state="online",
            at=iso(self._clock.now_us()),
            boot=self._spool.boot,
            topology_hash=self._part.hash if self._part is not None else None,
            spooled=len(self._spool),
            notes=notes or None,
            meter_dropped=self._meter_dropped(),
            version=__version__,
            clock_offset_seconds=round(sample.offset_seconds, 6) if sample is not None else None,
            clock_error_seconds=round(sample.error_seconds, 6) if sample is not None else None,
            canaries=self._canaries.last if self._canaries is not None else None,
            cpu_seconds=round(time.process_time(), 3),
            dropped=self._spool.dropped,
            unsaved=self._spool.unsaved,
            fired=counts.fired,
            extras=counts.extras,
            overruns=counts.overruns,
            missed=counts.missed,
            stalled_seconds=round(self._pulse.stalled_seconds, 3),
            doubted=dict(self._doubted) or None,
            lateness=self._pulse.lateness(),
            spool_oldest_seconds=round(waits, 3) if waits is not None else None,
            disk_free_ratio=round(room, 6) if room is not None else None,
        )


def _own(topology: Topology, name: str) -> Topology:
    """A probe that the topology does not name gets a part without probes; ConfigError for a part of another one."""
    if topology.probes and name not in topology.probes:
        who = ", ".join(sorted(topology.probes))
        raise ConfigError("topology", f"it is another probe's ({who})", f"send {name} its own part")
    return topology


def _suspended() -> float:
    """For how many seconds this machine slept since it was booted: the monotonic clock leaves them out."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _sum(*counts: int | None) -> int | None:
    """The sum of what is known; None: nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
