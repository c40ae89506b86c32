"""Certificates, portals, databases: what their checks tell beside good and bad."""

from collections.abc import Iterator

from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, facts, number
from sereno.wire import Result

_MOST_DAYS = 1e6


def _days(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    told = result.facts or {}
    listeners = facts(told.get("addresses")) if result.check == "https" else {result.address or "": told}
    for address, one in listeners.items():
        days = facts(facts(one).get("tls")).get("days_to_expiry")
        if not isinstance(days, int | float) or isinstance(days, bool):
            continue
        if abs(days) < _MOST_DAYS:  # below zero: it has ended
            yield Reading(float(days), parts={"address": str(address)})


def _portal_seconds(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    for address, one in facts((result.facts or {}).get("addresses")).items():
        seconds = number(facts(one).get("first_byte_seconds"))
        if seconds is not None:
            yield Reading(seconds, parts={"address": str(address)})


def _lag(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    told = result.facts or {}
    own = number(told.get("lag_seconds"))
    if own is not None:
        yield Reading(own, parts={"replica": result.target or ""})
    for replica, one in facts(told.get("replicas")).items():
        behind = number(facts(one).get("lag_seconds"))
        if behind is not None:
            yield Reading(behind, parts={"replica": str(replica)})


def _backup_age(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(facts((result.facts or {}).get("backup")).get("age_seconds"))


SOURCES = {
    "certificate_days": Source(
        ("https", "edge"),
        many=_days,
        reads="`facts.addresses.IP.tls.days_to_expiry` (portal), `facts.tls` of edge (SBC)",
    ),
    "portal_seconds": Source(("https",), many=_portal_seconds, reads="`facts.addresses.IP.first_byte_seconds`"),
    "replication_lag_seconds": Source(
        ("database",), many=_lag, reads="`facts.lag_seconds`, `facts.replicas.NAME.lag_seconds`"
    ),
    "backup_age_seconds": Source(("database",), _backup_age, reads="`facts.backup.age_seconds`"),
}
