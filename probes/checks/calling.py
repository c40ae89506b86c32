"""What register and call share: who calls, through where; and how a worker's words become a result's."""

import re
from collections.abc import Sequence
from typing import Any

from probes.checks.base import Runtime, Target, result
from probes.checks.evidence import ladder
from probes.checks.options import forced
from probes.checks.signalling import sbc_uri
from probes.sip import client
from probes.sip.client import Ask
from probes.sip.ipc import AccountSpec, Message
from probes.sip.pool import CallPool
from probes.sip.supervise import WorkerFault
from sereno.topology import explain_secret
from sereno.wire import Result

_EVIDENCE_LIMIT = 16_384  # octets of JSON: a call has a dozen messages, some with SDP, and it is rare
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\"]")


class Unable(Exception):  # noqa: N818 - it says what this probe is not able to do, in words for evidence
    """A check that this probe cannot make; nothing is said of the softswitch."""


def unable(target: Target, runtime: Runtime, fault: Exception) -> Result:
    """Invalid, by this probe's own fault; what a dead worker wrote last comes along."""
    evidence: dict[str, Any] = {"detail": str(fault)[:300]}
    if isinstance(fault, WorkerFault) and fault.log:
        evidence["log"] = list(fault.log)
    return result(target, runtime.clock.now_us(), "invalid", "probe_fault", evidence=evidence)


def pool_of(runtime: Runtime) -> CallPool:
    """The runtime's pool; Unable without one."""
    if not isinstance(runtime.calls, CallPool):
        raise Unable("this probe has no pjsua2 workers")
    return runtime.calls


async def account_spec(target: Target, runtime: Runtime, pool: CallPool) -> AccountSpec:
    """The target's account, forced through its SBC to its core. Unable when something is missing here.

    Without a core (natural) it is the domain's, and the SBC chooses.
    """
    name = target.account or ""
    account = runtime.topology.accounts.get(name)
    if account is None or target.sbc is None:
        raise Unable(f"no account {name!r} in the topology")
    password = runtime.secret(name)
    if password is None:
        password, why = explain_secret(account.password, name)
        if password is None:
            raise Unable(why)
    if _UNSAFE.search(account.user + account.realm):
        raise Unable(f"account {name}: user and realm may not hold spaces, quotes or angle brackets")
    ask = steering(target, runtime)
    headers = [line.partition(":") for line in ask.headers]
    return AccountSpec(
        key="|".join(part or "" for part in target.key),
        aor=f"sip:{account.user}@{account.realm}",
        registrar=registrar_uri(target, runtime, ask),
        route=f"sip:{await pool.address(target, target.timeout_seconds)};lr",
        user=account.user,
        password=password,
        expires_seconds=round((target.expires_us or 120_000_000) / 1e6),
        headers=tuple((key.strip(), value.strip()) for key, _, value in headers),
    )


def steering(target: Target, runtime: Runtime) -> Ask:
    """How a request of this target gets to its core; to any core, for the domain, where it names none."""
    if target.core is not None:
        return forced(target, runtime.topology, sbc_uri(target))
    to = sbc_uri(target)
    uri = f"sip:{runtime.topology.domain}"
    return Ask(to=to, uri=uri, route=to.route, timeout_seconds=target.timeout_seconds)


def registrar_uri(target: Target, runtime: Runtime, ask: Ask) -> str:
    """Where to register (RFC 3261 section 10.2, no user part): the core; the realm where the SBC steers by itself."""
    if target.core is not None and runtime.topology.sbcs[target.sbc or ""].steer:
        return f"sip:{runtime.topology.accounts[target.account or ''].realm}"
    return ask.uri


def instant_us(runtime: Runtime, at_ns: int) -> int:
    """The wall clock's time of an instant of the monotonic clock, by the runtime's own clock."""
    return runtime.clock.now_us() - round((runtime.clock.monotonic() - at_ns / 1e9) * 1e6)


def evidence_of(runtime: Runtime, messages: Sequence[Message], **more: Any) -> dict[str, Any]:
    """The ladder of these messages, and what else is known."""
    rows = [client.Message(instant_us(runtime, m.at_ns), m.direction, m.text.encode()) for m in messages]
    return {**ladder(rows, limit=_EVIDENCE_LIMIT), **{key: value for key, value in more.items() if value is not None}}
