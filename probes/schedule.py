"""Runs a probe's targets: fixed cadence, an extra check and the canaries at once after a first failure.

Registrations and calls come so rarely that their turn would be awaited for long. A server's own failure (RFC 3261,
21.5 and 21.6) is therefore put to every other way to the same core at once: is it the core, or the way? And the first
success after a failure is asked again at once too: is it over?

A failed result waits for the canaries' round (half a second at most) and carries what they said in
`evidence.canaries`; the extra check does not wait for it. When all are silent, or this process itself did not run, the
result is `invalid` (`probes.doubt`). A check that raises is the probe's own fault and becomes an
`invalid`/`probe_fault` result; nothing that a check or a listener does ends the scheduler.

The targets may change while it runs (`update`): what stays keeps its beat, what is new is looked at within seconds.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from probes import doubt, wayout
from probes.cadence import Cadence, Counts
from probes.canary import Canaries
from probes.checks import REGISTRY, CheckFunction, Runtime, Target
from probes.checks.run import HUNG_AFTER_SECONDS, guarded
from probes.pulse import Pulse
from sereno.wire import Result

log = logging.getLogger(__name__)

RARE = frozenset({"register", "call", "terminating"})
COSTLY = frozenset({"pstn"})  # in its turns alone: every extra one is paid for
_SERVER_FAILURE = 500
FIRST_LOOK_SECONDS = 5.0  # a new target is checked by then, however rare its turns are

Key = tuple[str | None, ...]


class Scheduler:
    """`await run()` until cancelled. `pulse` says what was fired, skipped, missed and late.

    `anchor` (the loop's clock) is where the beat counts from and `known` the targets of the scheduler before this one:
    across a reload they go on as if nothing had happened.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        runtime: Runtime,
        on_result: Callable[[Result], None],
        *,
        registry: Mapping[str, CheckFunction] = REGISTRY,
        hung_after_seconds: float = HUNG_AFTER_SECONDS,
        pulse: Pulse | None = None,
        anchor: float | None = None,
        known: Collection[Key] = (),
        canaries: Canaries | None = None,
        lost: Callable[[str], str | None] = wayout.lost,
    ) -> None:
        self._lost = lost
        self._targets = _by_key(targets)
        self._pulse = pulse if pulse is not None else Pulse()
        self._anchor, self._known = anchor, known
        self._runtime = runtime
        self._on_result = on_result
        self._registry = registry
        self._hung_after = hung_after_seconds
        self._failing: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks: set[asyncio.TimerHandle] = set()
        self._cadence: Cadence[Key] | None = None
        self._canaries = canaries if canaries is not None else canaries_of(runtime)
        runtime.emit = self._give

    @property
    def counts(self) -> Counts:
        return self._pulse.counts

    @property
    def keys(self) -> frozenset[Key]:
        """What is measured now."""
        return frozenset(self._targets)

    def update(self, targets: Sequence[Target]) -> None:
        """Measure these from now on: equal keys keep their beat, what is gone ends with the check that runs."""
        wanted = _by_key(targets)
        before, self._targets = self._targets, wanted
        self._failing &= wanted.keys()
        if self._cadence is None:
            return
        for key, target in before.items():
            if key not in wanted or _beat(wanted[key]) != _beat(target):
                self._cadence.remove(key)
        fresh = [key for key in wanted if key not in before]
        changed = [key for key in wanted if key not in before or _beat(wanted[key]) != _beat(before[key])]
        self._schedule(changed, fresh, asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Measure for ever; on cancellation the checks that run are cancelled and give no result."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._cadence = Cadence(now if self._anchor is None else self._anchor, self._pulse.counts)
        try:
            self._schedule(list(self._targets), [key for key in self._targets if key not in self._known], now)
            await loop.create_future()  # nothing ever sets it: only cancellation ends this
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for look in self._looks:
                look.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._canaries is not None:
                await self._canaries.close()

    def _schedule(self, keys: Sequence[Key], fresh: Sequence[Key], now: float) -> None:
        """Gives targets their beat; the fresh ones among them whose turn is far away a look out of turn before it."""
        for key in keys:
            target = self._targets[key]
            self._beating.add(key, every=target.every_seconds, phase=target.phase, now=now)
        soon = now + FIRST_LOOK_SECONDS
        distant = [k for k in fresh if self._targets[k].check not in COSTLY and self._beating.first(k) > soon]
        for index, key in enumerate(distant):
            self._look(key, FIRST_LOOK_SECONDS * index / len(distant))
        self._turn()

    def _look(self, key: Key, after_seconds: float) -> None:
        def look() -> None:
            self._looks.discard(handle)
            if key in self._targets and self._beating.out_of_turn(key):
                self._start(key)

        handle = asyncio.get_running_loop().call_later(after_seconds, look)
        self._looks.add(handle)

    @property
    def _beating(self) -> Cadence[Key]:
        if self._cadence is None:
            raise RuntimeError("the scheduler does not run")
        return self._cadence

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        for key in self._beating.due(loop.time()):
            self._start(key)
        due = self._beating.next_due
        if due is not None:
            self._timer = loop.call_at(due, self._turn)

    def _start(self, key: Key) -> None:
        task = asyncio.get_running_loop().create_task(self._check(key, self._targets[key]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _check(self, key: Key, target: Target) -> None:
        loop = asyncio.get_running_loop()
        sent = loop.time()
        due = self._beating.was_due(key)
        if due is not None:
            self._pulse.fired(sent - due)
        try:
            found = await guarded(target, self._runtime, self._registry, self._hung_after)
        finally:
            self._beating.finished(key)
        found = doubt.cpu(found, self._pulse.lost(sent, loop.time()), target.timeout_seconds)
        found = doubt.way_out(found, self._lost)
        for doubtful in self._doubts(key, found):
            if self._beating.out_of_turn(doubtful):
                self._start(doubtful)
        if found.outcome == "failed":
            found = await self._testified(found, sent)
        self._give(found)

    def _doubts(self, key: Key, found: Result) -> list[Key]:
        """What to ask at once after this result; it is noted which targets are failing."""
        target = self._targets.get(key)
        if target is None or target.check in COSTLY:
            return []  # no longer measured: its last check was still on its way
        if found.outcome == "failed" and key not in self._failing:
            siblings = [] if target.check not in RARE or (found.code or 0) < _SERVER_FAILURE else self._siblings(target)
            news = not any(sibling in self._failing for sibling in siblings)
            self._failing.add(key)
            return [key, *siblings] if news else [key]
        if found.outcome == "ok" and key in self._failing:
            self._failing.discard(key)
            return [key] if target.check in RARE else []
        return []

    def _siblings(self, target: Target) -> list[Key]:
        """Every other registration and call through the same core."""
        return [
            key
            for key, other in self._targets.items()
            if other.check in RARE and other.core == target.core and key != target.key
        ]

    async def _testified(self, found: Result, sent: float) -> Result:
        if self._canaries is None:
            return found
        return doubt.network(found, await self._canaries.testify(sent))

    def _give(self, found: Result) -> None:
        try:
            self._on_result(found)
        except Exception:
            log.exception("a result was not taken: %s %s %s", found.check, found.sbc, found.core)


def _by_key(targets: Sequence[Target]) -> dict[Key, Target]:
    found = {target.key: target for target in targets}
    if len(found) != len(targets):
        raise ValueError("two targets measure the same thing")
    return found


def _beat(target: Target) -> tuple[int, float]:
    return target.every_us, target.phase


def canaries_of(runtime: Runtime) -> Canaries | None:
    """The canaries of this probe, or None where it has none (its failures are then shown as unwitnessed)."""
    who = runtime.topology.probes.get(runtime.probe)
    if who is None or not who.canaries:
        return None
    if runtime.sip is None:
        raise RuntimeError("canaries need the SIP client")
    return Canaries(who.canaries, runtime.sip)
