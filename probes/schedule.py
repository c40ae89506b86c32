"""Runs a probe's targets: fixed cadence, an extra check and the canaries at once after a first failure.

Registrations and calls come so rarely that their turn would be awaited for long. A server's own failure (RFC 3261,
21.5 and 21.6) is therefore put to every other way to the same core at once: is it the core, or the way? And the first
success after a failure is asked again at once too: is it over?

A failed result waits for the canaries' round (half a second at most) and carries what they said in
`evidence.canaries`; the extra check does not wait for it. A check that raises is the probe's own fault and becomes an
`invalid`/`probe_fault` result; nothing that a check or a listener does ends the scheduler.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from probes.cadence import Cadence, Counts
from probes.canary import Canaries
from probes.checks import REGISTRY, CheckFunction, Runtime, Target
from probes.checks.run import HUNG_AFTER_SECONDS, guarded
from sereno.wire import Result

log = logging.getLogger(__name__)

RARE = frozenset({"register", "call"})
_SERVER_FAILURE = 500

Key = tuple[str | None, ...]


class Scheduler:
    """`await run()` until cancelled. `counts` says what was fired, skipped and missed."""

    def __init__(
        self,
        targets: Sequence[Target],
        runtime: Runtime,
        on_result: Callable[[Result], None],
        *,
        registry: Mapping[str, CheckFunction] = REGISTRY,
        hung_after_seconds: float = HUNG_AFTER_SECONDS,
    ) -> None:
        self._targets = {target.key: target for target in targets}
        if len(self._targets) != len(targets):
            raise ValueError("two targets measure the same thing")
        self._runtime = runtime
        self._on_result = on_result
        self._registry = registry
        self._hung_after = hung_after_seconds
        self._failing: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._cadence: Cadence[Key] = Cadence(0.0)
        self._canaries = _canaries(runtime)
        runtime.emit = self._give

    @property
    def counts(self) -> Counts:
        return self._cadence.counts

    async def run(self) -> None:
        """Measure for ever; on cancellation the checks that run are cancelled and give no result."""
        loop = asyncio.get_running_loop()
        self._cadence = Cadence(loop.time())
        for key, target in self._targets.items():
            self._cadence.add(key, every=target.every_seconds, phase=target.phase)
        try:
            self._turn()
            await loop.create_future()  # nothing ever sets it: only cancellation ends this
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._canaries is not None:
                await self._canaries.close()

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        for key in self._cadence.due(loop.time()):
            self._start(key)
        due = self._cadence.next_due
        if due is not None:
            self._timer = loop.call_at(due, self._turn)

    def _start(self, key: Key) -> None:
        task = asyncio.get_running_loop().create_task(self._check(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _check(self, key: Key) -> None:
        target, sent = self._targets[key], asyncio.get_running_loop().time()
        try:
            found = await guarded(target, self._runtime, self._registry, self._hung_after)
        finally:
            self._cadence.finished(key)
        for doubtful in self._doubts(key, found):
            if self._cadence.out_of_turn(doubtful):
                self._start(doubtful)
        if found.outcome == "failed":
            found = await self._testified(found, sent)
        self._give(found)

    def _doubts(self, key: Key, found: Result) -> list[Key]:
        """What to ask at once after this result; it is noted which targets are failing."""
        target = self._targets[key]
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
        evidence = dict(found.evidence) if isinstance(found.evidence, dict) else {}
        evidence["canaries"] = dict(await self._canaries.testify(sent))
        return msgspec.structs.replace(found, evidence=evidence)

    def _give(self, found: Result) -> None:
        try:
            self._on_result(found)
        except Exception:
            log.exception("a result was not taken: %s %s %s", found.check, found.sbc, found.core)


def _canaries(runtime: Runtime) -> Canaries | None:
    """The canaries of this probe, or None where it has none (its failures are then shown as unwitnessed)."""
    who = runtime.topology.probes.get(runtime.probe)
    if who is None or not who.canaries:
        return None
    if runtime.sip is None:
        raise RuntimeError("canaries need the SIP client")
    return Canaries(who.canaries, runtime.sip)
