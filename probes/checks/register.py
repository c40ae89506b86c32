"""`register`: a binding made, or made again, through an SBC at a core (RFC 3261 section 10), digest and all.

Before it is renewed the registrar is asked which bindings there are: one that is gone before its time is what a phone
would never notice, and calls to it are lost meanwhile.
"""

from typing import Any

import msgspec

from probes.checks.base import Runtime, Target, result
from probes.checks.bindings import Attempt, Bindings
from probes.checks.calling import Unable, account_spec, evidence_of, instant_us, pool_of, unable
from probes.checks.judge_register import Judged, holds, judge_register, listed
from probes.sip.errors import NetworkError
from probes.sip.fetch import Fetched, Query, fetch
from probes.sip.ipc import AccountSpec, Register, Registered
from probes.sip.supervise import WorkerFault
from sereno.wire import Result

_FETCH_SECONDS = 2.0
_SUCCESS = range(200, 300)


class _Look(msgspec.Struct, frozen=True):
    """What the fetch before the registration said; `kept` None: it says nothing of our binding."""

    facts: dict[str, Any]
    kept: bool | None
    fetched: Fetched


async def register(target: Target, runtime: Runtime) -> Result:
    """One REGISTER; the schedule's interval is what renews the binding, the pool's stop is what removes it."""
    bindings: Bindings = runtime.extras.setdefault("bindings", Bindings(_sites(runtime)))
    try:
        pool = pool_of(runtime)
        spec = await account_spec(target, runtime, pool)
        look = await _look(target, runtime, bindings, spec)
        seen = await pool.register(target, Register(id=0, account=spec, timeout_seconds=target.timeout_seconds))
    except (Unable, WorkerFault) as fault:
        return unable(target, runtime, fault)
    except NetworkError as error:
        return result(target, runtime.clock.now_us(), "failed", error.reason, evidence={"detail": str(error)})
    said = judge_register(seen, runtime.topology, sbc=target.sbc or "", core=target.core)
    facts = _facts(target, said, seen, spec, bindings) | (look.facts if look is not None else {})
    evidence = None if said.outcome == "ok" else evidence_of(runtime, seen.messages, detail=said.detail)
    if said.outcome == "ok" and look is not None and look.kept is False:
        said = msgspec.structs.replace(said, outcome="failed", reason="binding_missing")
        detail = "our binding was gone before its time; it was made anew"
        evidence = evidence_of(runtime, (*look.fetched.messages, *seen.messages), detail=detail)
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
        evidence=evidence,
    )


async def _look(target: Target, runtime: Runtime, bindings: Bindings, spec: AccountSpec) -> _Look | None:
    """Ask for the bindings, where ours should be among them; None: there was nothing to ask."""
    given = runtime.topology.checks.register_
    contact = bindings.live(target.key, runtime.clock.monotonic())
    if contact is None or spec.route is None or (given is not None and not given.fetch):
        return None
    host, _, port = spec.route.removeprefix("sip:").partition(";")[0].rpartition(":")
    query = Query(
        aor=spec.aor,
        registrar=spec.registrar,
        route=spec.route,
        headers=spec.headers,
        user=spec.user,
        password=spec.password,
    )
    fetched = await fetch(query, host.strip("[]"), int(port), seconds=min(_FETCH_SECONDS, target.timeout_seconds))
    reply = fetched.reply
    if reply is None:
        return _Look({"fetch": {"ending": fetched.ending}}, None, fetched)
    facts: dict[str, Any] = {"code": reply.code, "seconds": fetched.seconds}
    if reply.code not in _SUCCESS:
        return _Look({"fetch": facts}, None, fetched)
    kept = holds(reply, contact)
    return _Look({"fetch": {**facts, "bindings": listed(reply), "kept": kept}}, kept, fetched)


def _facts(target: Target, said: Judged, seen: Registered, spec: AccountSpec, bindings: Bindings) -> dict[str, Any]:
    """What the answer says besides, and what only those before it make of it."""
    asked = spec.expires_seconds
    told = {
        "bindings": said.bindings,
        "min_expires_seconds": said.min_expires_seconds,
        "asked_expires_seconds": asked if said.expires_seconds is not None and said.expires_seconds < asked else None,
        "renewals": len(seen.renewals) or None,
    }
    facts = {key: value for key, value in told.items() if value is not None}
    for renewal in seen.renewals:
        bindings.renewed(target.key, renewal.at_ns / 1e9, renewal.granted_seconds)
    if said.outcome == "invalid":
        return facts
    if said.expires_seconds is not None and said.contact is not None:
        bindings.made(target.key, said.contact)
    return facts | bindings.heard(
        Attempt(
            key=target.key,
            account=target.account or "",
            sbc=target.sbc or "",
            sent_seconds=said.started_ns / 1e9,
            ended_seconds=said.started_ns / 1e9 + said.duration_seconds,
            granted_seconds=said.expires_seconds,
        )
    )


def _sites(runtime: Runtime) -> dict[str, tuple[str, ...]]:
    return {name: site.sbcs for name, site in runtime.topology.sites.items()}
