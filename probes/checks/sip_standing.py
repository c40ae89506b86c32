"""The TLS standing of an SBC's listeners, held as a portal's is, and told in `facts.tls` of `edge`.

A scan takes longer than an edge check may, so it goes beside the checks: at once for a new listener, then now and
then. What a session shows (chain, dates, name, suite) comes with every check. A low standing is never a failure here:
who speaks TLS to a weak listener is served.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from probes.checks.base import Runtime, Target
from probes.checks.signalling import sbc_uri, tls_settings
from probes.checks.tls_scan import forward_secrecy, scan
from probes.checks.tls_standing import EXPIRING_DAYS, Standing, measurable, rescan_seconds, weaknesses
from sereno.wire import Result

RETRY_SECONDS = 60.0  # until a listener that said nothing is scanned again
_DEADLINE_SECONDS = 10.0
_POLL_SECONDS = 5.0
_AT_ONCE = 8  # listeners that are scanned at the same time
_HSTS = frozenset({"no_hsts"})  # of HTTP alone
_OURS = frozenset({"weaknesses", "grade", "grade_at_most"})
_WHO = ("subject", "issuer", "not_after")


class Held(msgspec.Struct):
    """What this process knows of one listener."""

    standing: Standing = Standing()
    scanned: dict[str, Any] | None = None
    certificate: tuple[object, ...] | None = None
    due: float = 0.0


class SipStandings:
    """By SBC and address; lives as long as the process, so that a reload forgets nothing."""

    def __init__(self) -> None:
        self._held: dict[tuple[str | None, str | None], Held] = {}

    async def watch(self, targets: Callable[[], Sequence[Target]], runtime: Runtime) -> None:
        """For ever: scan what is due."""
        while True:
            await self.scan_due(targets(), runtime)
            await asyncio.sleep(_POLL_SECONDS)

    async def scan_due(self, targets: Sequence[Target], runtime: Runtime) -> None:
        """One scan of each listener of these targets whose time has come; a dead one does not hold up the others."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(held: Held, target: Target) -> None:
            async with gate:
                await _scan(held, target, runtime)

        listeners = [t for t in targets if t.check == "edge" and t.transport == "tls" and not sbc_uri(t).is_name]
        due = [(held, t) for t in listeners if time.monotonic() >= (held := self._of(t)).due]
        await asyncio.gather(*(one(held, target) for held, target in due))

    def told(self, target: Target, runtime: Runtime, found: Result) -> Result:
        """The result with the standing in its `facts.tls`; unchanged where it tells of no certificate."""
        facts = dict(found.facts or {})
        tls = facts.get("tls")
        if not isinstance(tls, dict) or "not_after" not in tls:
            return found  # a handshake that broke off says nothing of whom to trust
        tls = {key: value for key, value in tls.items() if key not in _OURS}  # told before a scan, and again after it
        held = self._of(target)
        secret = forward_secrecy(tls.get("cipher"))
        tls = (held.scanned or {}) | tls | ({"forward_secrecy": secret} if secret is not None else {})
        certificate = tuple(tls.get(key) for key in _WHO)
        if held.certificate not in {None, certificate}:
            held.due = 0.0  # another certificate: perhaps another configuration
        held.certificate = certificate
        given = runtime.topology.sbcs[target.sbc or ""].tls
        days = given.certificate_days if given is not None else EXPIRING_DAYS
        held.standing = held.standing.after(weaknesses(tls, days))
        facts["tls"] = tls | held.standing.facts()
        return msgspec.structs.replace(found, facts=facts)

    def _of(self, target: Target) -> Held:
        wanted = Standing().wanted - _HSTS
        return self._held.setdefault((target.sbc, target.address), Held(standing=Standing(wanted=wanted)))


async def _scan(held: Held, target: Target, runtime: Runtime) -> None:
    settings, uri = tls_settings(target, runtime), sbc_uri(target)
    client = (settings.certificate, settings.key) if settings.certificate and settings.key else None
    found = None
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            found = await scan(uri.host, uri.effective_port, settings.server_name, _DEADLINE_SECONDS / 2, client)
    except TimeoutError:
        pass  # cut short: nothing of it counts
    if found is None or not found["protocols"]:
        held.due = time.monotonic() + RETRY_SECONDS
        return
    held.scanned = found
    held.standing = msgspec.structs.replace(held.standing, wanted=measurable(found) - _HSTS).after(weaknesses(found))
    held.due = time.monotonic() + rescan_seconds(held.standing)
