"""Registrations: failed, how long they take, what was granted, lost bindings, how long until one works again."""

from collections.abc import Iterator

from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, facts, number
from sereno.wire import Result

_VOID = frozenset({"probe_fault", "steering", "blocked"})


def _failed(result: Result, _at_us: int, _known: Known) -> float | None:
    return None if result.reason in _VOID else float(result.outcome == "failed")


def _seconds(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(result.duration_seconds) if result.outcome == "ok" else None


def _expires(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(result.expires_seconds) if result.outcome == "ok" else None


def _binding_missing(result: Result, _at_us: int, _known: Known) -> float | None:
    """What was asked of the binding is answered by a registration that came through, and by nothing else."""
    if result.reason == "binding_missing":
        return 1.0
    return 0.0 if result.outcome == "ok" else None


def _rebind(result: Result, _at_us: int, known: Known) -> Iterator[Reading]:
    told = (result.facts or {}).get("rebind_seconds")
    for site, value in facts(told).items():
        seconds = number(value)
        if seconds is not None and (site in known.topology.sites or site == "service"):
            yield Reading(seconds, element=known.topology.service if site == "service" else site)


SOURCES = {
    "register_failed": Source(("register",), _failed, reads="`outcome` failed"),
    "register_seconds": Source(("register",), _seconds, reads="`duration_seconds`"),
    "expires_seconds": Source(("register",), _expires, reads="`expires_seconds`"),
    "binding_missing": Source(("register",), _binding_missing, reads="`reason` binding_missing"),
    "rebind_seconds": Source(("register",), many=_rebind, reads="`facts.rebind_seconds`, by site"),
}
