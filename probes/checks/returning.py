"""`terminating` and `pstn`: calls that come back to an account of ours, both ends measured.

The account is registered for the call and un-registered after it: a phone of ours that nobody watches would be rung by
others. One call at a time to each account, so that no call is taken for another.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec

from probes.checks.base import Callee, Runtime, Target, result
from probes.checks.budget import spend
from probes.checks.call import Placed, placed
from probes.checks.calling import Unable, account_spec, evidence_of, instant_us, pool_of, unable
from probes.checks.judge_register import judge_register
from probes.checks.judge_return import judge_return, not_found
from probes.sip.errors import NetworkError
from probes.sip.ipc import AccountSpec, Register
from probes.sip.pool import CallPool
from probes.sip.supervise import WorkerFault
from sereno.wire import Result

log = logging.getLogger("sereno.calls")

_EXPIRES_US = 60_000_000  # of the callee's binding, renewed by pjsip in a longer call; one left behind is soon gone
_UNREGISTER_SECONDS = 2.0
_REPLICATION_SECONDS = 1.0  # what a core may take to hear of a binding made at the other
_LOCKS = "callees"


async def terminating(target: Target, runtime: Runtime) -> Result:
    """Registered through one SBC at one core, called through another SBC at the other core."""
    caller = runtime.topology.accounts.get(target.account or "")
    return await _returning(target, runtime, callers=(caller.user,) if caller is not None else ())


async def pstn(target: Target, runtime: Runtime) -> Result:
    """Out to the PSTN and in again by its number; never without the file's limits."""
    given = runtime.topology.checks.pstn
    if given is None or target.name not in given.numbers:
        return unable(target, runtime, Unable(f"{target.name} is none of checks.pstn.numbers"))
    if (target.hold_us or 0) > given.max_duration_us:
        return unable(target, runtime, Unable("the call would be longer than checks.pstn.max_duration"))
    try:
        _pay(runtime, given.max_per_hour)
    except Unable as fault:
        return unable(target, runtime, fault)
    return await _returning(target, runtime, callers=(), display=given.display)


def _pay(runtime: Runtime, most: int) -> None:
    """One call of this hour's; Unable when there is none left, or nowhere to count them."""
    path = runtime.extras.get("pstn calls")
    if not isinstance(path, Path):
        raise Unable("this probe has no place to count its calls to the PSTN")
    try:
        if not spend(path, runtime.clock.now_us(), most):
            raise Unable(f"{most} calls in the last hour already: checks.pstn.max_per_hour")
    except OSError as error:
        raise Unable(f"calls to the PSTN cannot be counted: {path}: {error.strerror or error}") from None


async def _returning(target: Target, runtime: Runtime, *, callers: tuple[str, ...], **more: Any) -> Result:
    callee = target.callee
    if callee is None:
        return unable(target, runtime, Unable("nobody is named who answers"))
    locks: dict[str, asyncio.Lock] = runtime.extras.setdefault(_LOCKS, {})
    async with locks.setdefault(callee.account, asyncio.Lock()):
        try:
            pool = pool_of(runtime)
            far = _far(target, callee)
            spec = await account_spec(far, runtime, pool)
            seen = await pool.register(target, Register(id=0, account=spec, timeout_seconds=target.timeout_seconds))
        except (Unable, WorkerFault) as fault:
            return unable(target, runtime, fault)
        except NetworkError as error:
            return result(target, runtime.clock.now_us(), "failed", error.reason, evidence={"detail": str(error)})
        said = judge_register(seen, runtime.topology, sbc=callee.sbc, core=callee.core)
        where = {"account": callee.account, "sbc": callee.sbc, "core": callee.core}
        if said.outcome != "ok":
            return result(
                target,
                instant_us(runtime, said.started_ns),
                said.outcome,
                said.reason,
                code=said.code,
                phrase=said.phrase,
                answered_by=said.answered_by,
                answered_core=said.answered_core,
                duration_seconds=said.duration_seconds,
                facts={"stage": "register", "callee": where},
                evidence=evidence_of(runtime, seen.messages, detail=said.detail or "the far end was not registered"),
            )
        try:
            return await _called(target, runtime, spec, callers, where, more)
        finally:
            await _leave(pool, target, spec)


def _far(target: Target, callee: Callee) -> Target:
    return msgspec.structs.replace(
        target,
        account=callee.account,
        sbc=callee.sbc,
        core=callee.core,
        address=callee.address,
        expires_us=_EXPIRES_US,
        name=None,
    )


async def _called(
    target: Target,
    runtime: Runtime,
    spec: AccountSpec,
    callers: tuple[str, ...],
    where: dict[str, Any],
    more: dict[str, Any],
) -> Result:
    """The call; once more after a moment where the core has not heard of the binding yet."""
    made = await placed(target, runtime, callee=spec, callers=callers, **more)
    again = _unknown(made)
    if again:
        await asyncio.sleep(_REPLICATION_SECONDS)
        made = await placed(target, runtime, callee=spec, callers=callers, **more)
    if made.seen is None:
        return made.result
    found, came = made.result, made.seen.inbound
    said = judge_return(
        found, came, made.there, registered_at=f"{where['core']} through {where['sbc']}", started_ns=made.started_ns
    )
    facts = {**where, **said.facts, "media": made.media_there, "second_try": again or None}
    evidence = found.evidence
    if said.outcome != "ok":
        evidence = dict(evidence or evidence_of(runtime, made.seen.messages))
        if came is not None:
            evidence["callee"] = evidence_of(runtime, came.messages)["messages"]
        if said.detail is not None:
            evidence["detail"] = said.detail
    return msgspec.structs.replace(
        found,
        outcome=said.outcome,
        reason=said.reason,
        facts={**(found.facts or {}), "callee": {key: value for key, value in facts.items() if value is not None}},
        evidence=evidence,
    )


def _unknown(made: Placed) -> bool:
    return made.seen is not None and not_found(made.result, made.seen.inbound)


async def _leave(pool: CallPool, target: Target, spec: AccountSpec) -> None:
    try:
        await pool.unregister(target, spec.key, _UNREGISTER_SECONDS)
    except WorkerFault as fault:
        log.warning("%s was not un-registered after its call: %s", spec.aor, fault)
