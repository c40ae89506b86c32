"""The checks a probe makes: one function each, `async (Target, Runtime) -> Result`, in an explicit registry.

A failed check is a result. A check returns within its deadline (plus a little scheduling), never raises for what the
network does, and fills nothing that it did not measure. Probe, boot and seq are placeholders that the agent stamps.

**Late replies.** At its deadline a check returns `failed`/`timeout`. If a reply to that transaction still arrives
(within 32 s, RFC 3261 timer F), a *second* result is given to `runtime.emit`, with its own seq and
the same (check, sbc, core, address, at): it supersedes the first.

- A good answer: `outcome` ok, `reason` late, `answered_after_seconds`. Degraded, never down.
- A bad answer (a dead core's 408 that the SBC sends after 5-30 s, a core's 503): `outcome` failed with the reason that
  the answer has in time, `answered_by`, `answered_after_seconds`: still one failure, now with who said so. Were it
  "late: ok", a dead core whose SBC answers 408 after 5 s would never be down.

The reply arrived at `at + answered_after_seconds`. A late reply that arrived before an outage was confirmed prevents
it; one that arrived after (a thawed core answers everything queued while it was frozen) must not rewrite it.
"""

from probes.checks.base import CheckFunction, Runtime, Target, result
from probes.checks.expand import notes, targets
from sereno.wire import Result

__all__ = ["REGISTRY", "CheckFunction", "Runtime", "Target", "notes", "result", "targets"]


async def _edge(target: Target, runtime: Runtime) -> Result:
    from probes.checks.edge import edge

    return await edge(target, runtime)


async def _options(target: Target, runtime: Runtime) -> Result:
    from probes.checks.options import options

    return await options(target, runtime)


async def _natural(target: Target, runtime: Runtime) -> Result:
    from probes.checks.natural import natural

    return await natural(target, runtime)


async def _register(target: Target, runtime: Runtime) -> Result:
    from probes.checks.register import register  # late: a probe without pjsua2 still runs the rest

    return await register(target, runtime)


async def _call(target: Target, runtime: Runtime) -> Result:
    from probes.checks.call import call  # late: as above

    return await call(target, runtime)


async def _terminating(target: Target, runtime: Runtime) -> Result:
    from probes.checks.returning import terminating  # late: as above

    return await terminating(target, runtime)


async def _pstn(target: Target, runtime: Runtime) -> Result:
    from probes.checks.returning import pstn  # late: as above

    return await pstn(target, runtime)


async def _https(target: Target, runtime: Runtime) -> Result:
    from probes.checks.https import https  # late: as above

    return await https(target, runtime)


async def _dns(target: Target, runtime: Runtime) -> Result:
    from probes.checks.dns import dns_check  # late: as above

    return await dns_check(target, runtime)


async def _tcp(target: Target, runtime: Runtime) -> Result:
    from probes.checks.tcp import tcp  # late: as above

    return await tcp(target, runtime)


async def _database(target: Target, runtime: Runtime) -> Result:
    from probes.checks.database import database  # late: as above

    return await database(target, runtime)


async def _traffic(target: Target, runtime: Runtime) -> Result:
    from probes.checks.traffic import traffic  # late: as above

    return await traffic(target, runtime)


REGISTRY: dict[str, CheckFunction] = {
    "edge": _edge,
    "options": _options,
    "natural": _natural,
    "register": _register,
    "call": _call,
    "terminating": _terminating,
    "pstn": _pstn,
    "https": _https,
    "dns": _dns,
    "tcp": _tcp,
    "database": _database,
    "traffic": _traffic,
}
