"""What a probe does not believe of its own results, pure: its network, its CPU, its clock. Then `invalid`, in words.

The reason stays what was seen (`timeout`, `transport`) where the network is in doubt, so that people can read it; a
process that did not run, or a clock that is off, is the probe's own fault and says so.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal

from msgspec.structs import replace

from probes.sip.uri import parse_uri
from sereno.clock import iso
from sereno.doubt import own_network
from sereno.errors import UsageError
from sereno.wire import Result

CLOCK_LIMIT_SECONDS = 0.5
STALL_PART = 0.5  # of a check's deadline: retransmissions were not sent, or a handshake waited for us

Cause = Literal["network", "cpu", "clock"]


def cpu(found: Result, lost_seconds: float, timeout_seconds: float) -> Result:
    """A silence while this process itself did not run for half of the deadline proves nothing. An answer does."""
    if found.outcome != "failed" or found.code is not None or found.answered_by not in {None, "none"}:
        return found
    if lost_seconds < STALL_PART * timeout_seconds:
        return found
    words = f"this probe itself did not run for {lost_seconds:.1f} s of the check (no CPU, stopped or suspended)"
    return _invalid(found, "probe_fault", "cpu", error=words, seen=found.reason)


def network(found: Result, canaries: Mapping[str, bool]) -> Result:
    """The result with what the canaries said; invalid when none of them answered and nobody else did."""
    if found.outcome == "failed" and own_network(found.answered_by, found.reason, canaries):
        words = "no canary answered either: this probe's own network"
        return _invalid(found, found.reason, "network", error=words, canaries=dict(canaries))
    return replace(found, evidence={**_evidence(found), "canaries": dict(canaries)})


def way_out(found: Result, lost: Callable[[str], str | None]) -> Result:
    """A silence, or an error of the kernel's, while this machine has no way to that address: `lost` says why."""
    if found.outcome != "failed" or found.code is not None or found.answered_by not in {None, "none"}:
        return found
    host = _host(found.address)
    why = lost(host) if host is not None else None
    if why is None:
        return found
    return _invalid(found, found.reason, "network", error=f"this probe has no way to {host}: {why}")


def _host(address: str | None) -> str | None:
    with suppress(ValueError, UsageError):
        return parse_uri(address).host if address is not None else None
    return None


def clock(found: Result, offset_seconds: float) -> Result:
    """A result of a probe whose clock is off: invalid, good or bad, and put where it belongs in time.

    `offset_seconds` is what the collector's clock is ahead by. Left where our clock says it would lie among samples of
    another time, and spoil them.
    """
    word = "behind" if offset_seconds > 0 else "ahead of"
    words = f"the clock of this probe is {abs(offset_seconds):.3f} s {word} the collector's; `at` is corrected"
    true_us = found.at_us + round(offset_seconds * 1_000_000)
    more = {"seen": found.reason or found.outcome, "clock_offset_seconds": offset_seconds}
    return replace(_invalid(found, "probe_fault", "clock", error=words, **more), at=iso(true_us))


def _invalid(found: Result, reason: Any, doubt: Cause, **words: Any) -> Result:
    told = {key: value for key, value in words.items() if value is not None}
    return replace(found, outcome="invalid", reason=reason, evidence={**_evidence(found), "doubt": doubt, **told})


def _evidence(found: Result) -> dict[str, Any]:
    return dict(found.evidence) if isinstance(found.evidence, dict) else {}
