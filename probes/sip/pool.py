"""Test calls and registrations for asyncio: as many pjsua2 workers as the targets need, one meter on their ports."""

import asyncio
import contextlib
import errno
import itertools
import logging
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.checks.base import BY_WORKERS, Target
from probes.media.errors import CaptureUnavailable
from probes.sip.errors import NetworkError
from probes.sip.ipc import Answered, Call, Called, Register, Registered, Unregister
from probes.sip.resolve import Resolver
from probes.sip.scratch import Scratch
from probes.sip.supervise import WorkerFault, WorkerProcess
from probes.sip.uri import parse_uri
from sereno.clock import Clock

if TYPE_CHECKING:
    from probes.media.live import LiveMeter

log = logging.getLogger("sereno.calls")

CALLS, ACCOUNTS = 4, 8  # of one pjsua2 process
LINGER_US = 32_000_000  # 64·T1: how long a call that nobody ends keeps its place after CANCEL or BYE (RFC 3261, 17.1)
RTP_BLOCK = 20
RTP_FIRST, RTP_LAST = 20_000, 32_000  # below the kernel's ephemeral ports
STOP_SECONDS = 2.0
MARGIN_SECONDS = 1.0  # a worker decides at the deadline; one that says nothing so long after it hangs
_WIDEBAND = {"G722"}
_PER_WORKER = {"register": ACCOUNTS, "terminating": 1, "pstn": 1}  # with both ends in it, a call takes two places


@dataclass(frozen=True)
class Plan:
    """A worker to be: which targets it serves, from which address."""

    name: str
    source: str
    keys: tuple[tuple[str | None, ...], ...]


class CallPool:
    """Workers for these targets. `start()` it in the loop that uses it, `stop()` it in the end.

    `source` is the local address (else the one that the kernel would use toward each SBC), `rtp_base` the first RTP
    port, even (else a free block is found), `resolvers` whom to ask for names (else this machine's). Each worker has
    twenty ports from there on. One account of one path stays with one worker: at most eight of them in one that
    registers, four in one that calls, so no call waits for a slot.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        clock: Clock,
        *,
        source: str | None = None,
        rtp_base: int | None = None,
        capture: bool = True,
        resolvers: Sequence[str] = (),
    ) -> None:
        self._targets = [target for target in targets if target.check in BY_WORKERS]
        self.clock = clock
        self._source, self._rtp_base, self._capture = source, rtp_base, capture
        self._workers: dict[tuple[str | None, ...], WorkerProcess] = {}
        self._held: list[socket.socket] = []
        self._meters: dict[str, LiveMeter] = {}
        self._resolver = Resolver()
        self._resolver.use(resolvers)
        self.notes: list[str] = []
        self.closers: list[Callable[[], None]] = []  # of what was opened beside the meters; called at the stop
        self._scratch: Scratch | None = None
        self._recordings = itertools.count(1)

    @property
    def workers(self) -> list[WorkerProcess]:
        """Every worker once."""
        return list(dict.fromkeys(self._workers.values()))

    async def start(self) -> None:
        """Start meter and workers; what cannot be had is logged and shows in the results."""
        plans = plan([(target, await self._source_for(target)) for target in self._targets])
        if not plans:
            return
        self._scratch = Scratch()
        base = self._rtp_base or self._free_block([each.source for each in plans])
        wide = any(codec.upper() in _WIDEBAND for target in self._targets for codec in target.codecs)
        if self._capture and any(target.check != "register" for target in self._targets):
            await self._start_meters({each.source for each in plans}, (base, base + RTP_BLOCK * len(plans) - 1))
        gate = asyncio.Semaphore(len(os.sched_getaffinity(0)))
        for index, each in enumerate(plans):
            worker = WorkerProcess(
                each.name,
                source=each.source,
                rtp_port=base + RTP_BLOCK * index,
                clock_rate=16_000 if wide else 8_000,
                gate=gate,
            )
            worker.start()
            self._workers.update(dict.fromkeys(each.keys, worker))

    async def stop(self) -> None:
        """Un-register, hang up, end the workers and the meter."""
        await asyncio.gather(*(worker.stop(STOP_SECONDS) for worker in self.workers))
        self._workers.clear()
        await self._resolver.close()
        while self.closers:
            self.closers.pop()()
        for meter in self._meters.values():
            await asyncio.to_thread(meter.close)
        for held in self._held:
            held.close()
        self._held.clear()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    async def register(self, target: Target, command: Register) -> Registered:
        """What came of a REGISTER; WorkerFault when the worker failed, not the softswitch."""
        event = await self._worker(target).request(command, seconds=command.timeout_seconds + MARGIN_SECONDS)
        if not isinstance(event, Registered):
            raise WorkerFault(f"a register was answered with {type(event).__name__}")
        return event

    async def call(self, target: Target, command: Call, on_answered: Callable[[Answered], None]) -> Called:
        """What came of a call; WorkerFault as above. `on_answered` hears of its SDP as soon as there is media."""
        seconds = command.timeout_seconds + command.hold_seconds + command.bye_seconds + MARGIN_SECONDS
        event = await self._worker(target).request(command, seconds=seconds, on_answered=on_answered)
        if not isinstance(event, Called):
            raise WorkerFault(f"a call was answered with {type(event).__name__}")
        return event

    async def unregister(self, target: Target, key: str, seconds: float) -> None:
        """Take a binding back; WorkerFault as above. What the registrar says of it changes nothing here."""
        await self._worker(target).request(Unregister(id=0, key=key, timeout_seconds=seconds), seconds=seconds + 1.0)

    async def address(self, target: Target, seconds: float) -> str:
        """`host:port` of the target's SBC as literals (pjsip's own resolver blocks its loop); NetworkError `dns`."""
        found = await self._resolver.resolve(parse_uri(target.address or ""), timeout_seconds=seconds)
        return f"{found.sockaddr[0]}:{found.sockaddr[1]}"

    def recording(self) -> str | None:
        """Where a call's sound may go: short files, ours alone, removed when read; None before `start`."""
        if self._scratch is None:
            return None
        return f"{self._scratch.path}/{next(self._recordings)}"

    def meter(self, target: Target) -> "LiveMeter | None":
        """The meter that sees this target's calls; None: pjsua2's own statistics have to do."""
        worker = self._workers.get(target.key)
        return self._meters.get(interface_of(worker.source) or "") if worker is not None else None

    @property
    def meter_dropped(self) -> int | None:
        """Packets that a meter did not count because it was too slow; None: there is no meter."""
        return sum(meter.dropped for meter in self._meters.values()) if self._meters else None

    def _worker(self, target: Target) -> WorkerProcess:
        worker = self._workers.get(target.key)
        if worker is None:
            raise WorkerFault("the pool was not started with this target")
        return worker

    async def _source_for(self, target: Target) -> str:
        if self._source is not None:
            return self._source
        try:
            host = (await self.address(target, 2.0)).rpartition(":")[0]
        except NetworkError as error:
            log.warning("%s: %s; its calls go out from any address", target.sbc, error)
            return "0.0.0.0"  # noqa: S104 - the kernel chooses per packet
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((host, 9))
            except OSError as error:
                log.warning("%s: no route to %s: %s", target.sbc, host, error.strerror or error)
                return "0.0.0.0"  # noqa: S104 - as above
            return str(probe.getsockname()[0])

    def _free_block(self, sources: Sequence[str]) -> int:
        """The first port of a block that nobody has; its last port is kept bound to say that it is ours."""
        for base in range(RTP_FIRST, RTP_LAST - RTP_BLOCK * len(sources), RTP_BLOCK):
            held: list[socket.socket] = []
            try:
                for index, source in enumerate(sources):
                    first = base + RTP_BLOCK * index
                    held.append(_bound(source, first + RTP_BLOCK - 1))
                    for port in range(first, first + 2 * CALLS):
                        _bound(source, port).close()
            except OSError as error:
                for each in held:
                    each.close()
                if error.errno != errno.EADDRINUSE:
                    log.warning("RTP ports on %s: %s", ", ".join(sources), error.strerror or error)
                    return base
                continue
            self._held = held
            return base
        log.warning("no free block of RTP ports between %d and %d", RTP_FIRST, RTP_LAST)
        return RTP_FIRST

    async def _start_meters(self, sources: set[str], ports: tuple[int, int]) -> None:
        from probes.media.live import LiveMeter

        for interface in sorted({interface_of(source) or "" for source in sources}):
            if not interface:
                self._without_meter("no one interface has the local address")
                continue
            try:
                meter = LiveMeter(ports=ports, interface=interface)
                await asyncio.to_thread(meter.start)
            except CaptureUnavailable as error:
                self._without_meter(str(error))
            else:
                self._meters[interface] = meter

    def _without_meter(self, why: str) -> None:
        note = f"media is measured by pjsua2 itself, not by the meter: {why}"
        self.notes.append(note)
        log.warning("%s", note)


def plan(targets: Sequence[tuple[Target, str]]) -> list[Plan]:
    """Targets to workers: registrations and calls apart (their transaction timers differ), one source address each.

    And one list of codecs: what pjsip may agree to in a re-INVITE is of the whole process.
    """
    groups: dict[tuple[str, str, tuple[str, ...]], dict[tuple[str | None, ...], None]] = {}
    for target, source in targets:
        groups.setdefault((target.check, source, target.codecs), {})[target.key] = None
    plans: list[Plan] = []
    for (check, source, _), keys in groups.items():
        size = _PER_WORKER.get(check) or _calls_per_worker(target for target, _ in targets)
        for start in range(0, len(keys), size):
            plans.append(Plan(f"{check}-{len(plans) + 1}", source, tuple(keys)[start : start + size]))
    return plans


def _calls_per_worker(targets: Iterable[Target]) -> int:
    """How many call targets share a process so that the calls of a dead path leave room for those of a live one."""
    overlaps = [
        -(-(max(target.timeout_us, target.hold_us or 0) + LINGER_US) // target.every_us)
        for target in targets
        if target.check == "call" and target.every_us
    ]
    return max(1, CALLS // max(overlaps, default=1))


def interface_of(address: str) -> str | None:
    """The interface that has this IPv4 address: every 127 is `lo`'s."""
    if address.startswith("127."):
        return "lo"
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # an interface without an IPv4 address
                answer = fcntl.ioctl(asked.fileno(), 0x8915, request)  # SIOCGIFADDR
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return None


def _bound(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound
