"""`https`: every server behind a portal's name: HTTP status, certificate, and the standing of its TLS.

One result for a portal. It is ok when every address answers well; else it has the gravest reason, and
`facts.addresses` tells which server has what. The standing is held per probe process (`probes.checks.tls_standing`).
"""

import asyncio
import ipaddress
import ssl
import time
from typing import Any

import msgspec

from probes.checks.base import Runtime, Target, result
from probes.checks.portal import Look, Portal, look, refused_certificate
from probes.checks.tls_scan import scan
from probes.checks.tls_standing import Standing, below, measurable, rescan_seconds, weaknesses
from probes.sip.errors import NetworkError
from probes.sip.locate import Dns
from sereno.topology.model import Portal as Settings
from sereno.wire import Reason, Result

_KEPT = "https standings"
# Gravest first: which reason speaks for a portal whose servers have several.
_GRAVITY: tuple[Reason, ...] = (
    "dns", "refused", "timeout", "transport", "malformed", "tls", "http_status", "tls_grade", "dns_incomplete",
)  # fmt: skip


class _Held(msgspec.Struct):
    """What this process knows of one server's TLS."""

    standing: Standing = Standing()
    scanned: dict[str, Any] | None = None
    certificate: str | None = None
    due: float = 0.0


async def https(target: Target, runtime: Runtime) -> Result:
    """One look at every server of one portal."""
    settings = runtime.topology.portals[target.name or ""]
    portal = Portal(settings.url, settings.ca, settings.status)
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    try:
        context = _context(portal)
        found = await _addresses(portal, runtime, target.timeout_seconds / 2)
    except _UnusableError as error:
        return result(target, at_us, "invalid", "probe_fault", evidence={"detail": str(error)})
    except NetworkError as error:
        evidence = {"detail": str(error)}
        return result(
            target, at_us, "failed", "dns", answered_by="none", duration_seconds=_since(began), evidence=evidence
        )
    left = max(0.1, target.timeout_seconds - _since(began))
    missing = [one for one in settings.addresses if _plain(one) not in found]
    looks = await asyncio.gather(
        *(_one(portal, settings, address, context, left, runtime, target) for address in [*found, *missing])
    )
    return _said(target, at_us, _since(began), looks, missing)


async def _one(
    portal: Portal, settings: Settings, address: str, context: ssl.SSLContext | None, left: float,
    runtime: Runtime, target: Target,
) -> Look:  # fmt: skip
    """The look, guarded by its deadline; what is left of it goes to the scan when one is due."""
    now_us, began = runtime.clock.now_us(), time.perf_counter()
    try:
        async with asyncio.timeout(left):
            found = await look(portal, address, context, left, now_us)
    except TimeoutError:
        return Look(address=address, reason="timeout", detail=f"no answer in {left:.1f} s")
    if not portal.secure:
        return found
    if found.reason == "tls" and found.tls is None:
        blind = await refused_certificate(portal, address, max(0.1, left - _since(began)), now_us)
        found = msgspec.structs.replace(found, tls=(blind | {"why": found.detail}) or None)
    if found.tls is None:
        return found
    held = runtime.kept.setdefault(_KEPT, {}).setdefault((target.name, address), _Held())
    await _deepen(held, portal, address, found.tls, max(0.1, left - _since(began)))
    tls = (held.scanned or {}) | found.tls
    if held.scanned is not None:
        held.standing = msgspec.structs.replace(held.standing, wanted=measurable(held.scanned))
    held.standing = held.standing.after(weaknesses(tls, settings.certificate_days))
    found = msgspec.structs.replace(found, tls=tls | held.standing.facts())
    if found.reason is None and below(held.standing.at_most, settings.grade):
        weak = ", ".join(sorted(held.standing.weak))
        words = f"TLS standing {held.standing.at_most}, below {settings.grade}: {weak}"
        found = msgspec.structs.replace(found, reason="tls_grade", detail=words)
    return found


async def _deepen(held: _Held, portal: Portal, address: str, tls: dict[str, Any], seconds: float) -> None:
    """Scan when it is due or the certificate is another; a scan cut short by the deadline is made again next time."""
    certificate = f"{tls.get('subject')} {tls.get('not_after')}"
    if time.monotonic() < held.due and held.certificate == certificate:
        return
    try:
        async with asyncio.timeout(seconds):
            found = await scan(address, portal.port, portal.host, seconds)
    except TimeoutError:
        return
    held.scanned, held.certificate = found, certificate
    whole = len(found["protocols"]) > 0
    wanted = msgspec.structs.replace(held.standing, wanted=measurable(found)).after(weaknesses(found))
    held.due = time.monotonic() + rescan_seconds(wanted) if whole else 0.0


def _said(target: Target, at_us: int, seconds: float, looks: list[Look], missing: list[str]) -> Result:
    bad = [one for one in looks if one.reason is not None]
    reasons = {one.reason for one in bad} | ({"dns_incomplete"} if missing else set())
    reason = next((one for one in _GRAVITY if one in reasons), None)
    shown = next((one for one in bad if one.reason == reason), looks[0])
    # A standing below the demand or a record that is missing does not keep anybody out.
    answering = [one for one in looks if one.reason in {None, "tls_grade"}]
    facts: dict[str, Any] = {
        "addresses": {one.address: one.facts() for one in looks},
        "answering": len(answering),
        "total": len(looks),
    }
    if missing:
        facts["missing"] = missing
    lines = [f"{one.address}: {one.detail}" for one in bad]
    lines += [f"the name does not lead to {address}" for address in missing]
    return result(
        target,
        at_us,
        "ok" if reason is None else "failed",
        reason,
        code=shown.status,
        duration_seconds=seconds,
        facts=facts,
        answered_by=None if reason is None else "unknown" if any(one.answered for one in looks) else "none",
        evidence={"detail": "; ".join(lines)} if lines else None,
    )


async def _addresses(portal: Portal, runtime: Runtime, seconds: float) -> list[str]:
    """Where the name leads, A and AAAA; NetworkError `dns` when nowhere."""
    try:
        return [_plain(portal.host)]
    except ValueError:
        settings = runtime.topology.checks.dns
        ask = Dns(settings.resolvers if settings is not None else ())
    here = ask.known_here(portal.host)
    if here:
        return sorted({_plain(one) for one in here})
    answers = await asyncio.gather(*(ask.ask(portal.host, kind, seconds) for kind in ("A", "AAAA")))
    found = sorted({_plain(record.address) for records, _ in answers for record in records})
    if not found:
        raise NetworkError("dns", f"{portal.host}: no such name, or no address")
    return found


class _UnusableError(Exception):
    """A file of this probe that cannot be used: its own fault, never the portal's."""


def _context(portal: Portal) -> ssl.SSLContext | None:
    if not portal.secure:
        return None
    try:
        context = ssl.create_default_context(cafile=portal.ca)
    except OSError as error:
        words = error.strerror or "not PEM"
        raise _UnusableError(f"{portal.ca}: {words}; put the PEM file on this probe, or mend its path") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # as browsers (RFC 8996)
    return context


def _plain(address: str) -> str:
    return str(ipaddress.ip_address(address))


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
