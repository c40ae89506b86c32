"""`register`: a binding made, or made again, through an SBC at a core (RFC 3261 section 10), digest and all."""

from probes.checks.base import Runtime, Target, result
from probes.checks.bindings import Attempt, Bindings
from probes.checks.calling import Unable, account_spec, evidence_of, instant_us, pool_of, unable
from probes.checks.judge_register import judge_register
from probes.sip.errors import NetworkError
from probes.sip.ipc import Register
from probes.sip.supervise import WorkerFault
from sereno.wire import Result


async def register(target: Target, runtime: Runtime) -> Result:
    """One REGISTER; the schedule's interval is what renews the binding, the pool's stop is what removes it."""
    try:
        pool = pool_of(runtime)
        spec = await account_spec(target, runtime, pool)
        seen = await pool.register(target, Register(id=0, account=spec, timeout_seconds=target.timeout_seconds))
    except (Unable, WorkerFault) as fault:
        return unable(target, runtime, fault)
    except NetworkError as error:
        return result(target, runtime.clock.now_us(), "failed", error.reason, evidence={"detail": str(error)})
    said = judge_register(seen, runtime.topology, sbc=target.sbc or "", core=target.core)
    bindings: Bindings = runtime.extras.setdefault("bindings", Bindings(_sites(runtime)))
    told = {"bindings": said.bindings, "min_expires_seconds": said.min_expires_seconds}
    facts = {key: value for key, value in told.items() if value is not None}
    if said.outcome != "invalid":
        facts |= bindings.heard(
            Attempt(
                key=target.key,
                account=target.account or "",
                sbc=target.sbc or "",
                sent_seconds=said.started_ns / 1e9,
                ended_seconds=said.started_ns / 1e9 + said.duration_seconds,
                granted_seconds=said.expires_seconds,
            )
        )
    return result(
        target,
        instant_us(runtime, said.started_ns),
        said.outcome,
        said.reason,
        code=said.code,
        phrase=said.phrase,
        answered_by=said.answered_by,
        answered_core=said.answered_core,
        retry_after_seconds=said.retry_after_seconds,
        expires_seconds=said.expires_seconds,
        facts=facts or None,
        duration_seconds=said.duration_seconds,
        evidence=None if said.outcome == "ok" else evidence_of(runtime, seen.messages, detail=said.detail),
    )


def _sites(runtime: Runtime) -> dict[str, tuple[str, ...]]:
    return {name: site.sbcs for name, site in runtime.topology.sites.items()}
