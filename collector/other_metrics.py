"""Gauges of portals, databases and real traffic: what the newest committed result of each says.

A gauge goes away when the newest result does not measure it, and when no result comes any more: unknown is no number.
Late results change nothing.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Family, Values
from collector.exposition.names import GAUGES, OTHER, Names
from sereno.wire import Result

_FAMILIES = {
    "well": "sereno_element_ok",
    "answering": "sereno_portal_answering_servers",
    "servers": "sereno_portal_servers",
    "expiry": "sereno_tls_certificate_expiry_seconds",
    "grade": "sereno_tls_grade",
    "lag": "sereno_database_replication_lag_seconds",
    "age": "sereno_database_backup_age_seconds",
    "size": "sereno_database_backup_size_bytes",
    "registered": "sereno_traffic_registered",
    "calls": "sereno_traffic_calls",
}
_GRADES = {"A+": 5.0, "A": 4.0, "B": 3.0, "C": 2.0, "D": 1.0, "F": 0.0}
_DAY_SECONDS = 86_400.0
_SERVERS = 32  # of one portal, replicas of one database: what a name leads to is not ours to trust
_Labels = tuple[str, ...]


class OtherMetrics:
    """The gauges, fed with every committed result; those of voice checks are passed over."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._gauges = {key: Values(CATALOGUE[name]) for key, name in _FAMILIES.items()}
        self._newest: dict[_Labels, int] = {}
        self._until: dict[_Labels, int] = {}
        self._shown: dict[_Labels, set[tuple[str, _Labels]]] = {}
        self._listeners = False  # whether any SBC's listener ever told of its TLS

    def families(self, now_us: int) -> Iterator[Family]:
        """What was measured lately: who measures no more, says nothing."""
        for series in [one for one, until_us in self._until.items() if until_us < now_us]:
            del self._until[series]
            for key, labels in self._shown.pop(series, set()):
                self._gauges[key].remove(*labels)
        yield from self._gauges.values()

    def observe(self, result: Result, at_us: int) -> None:
        """Takes one committed result."""
        make = _FIGURES.get(result.check)
        if make is None:
            return
        facts = result.facts or {}
        if result.check == "edge" and not self._listeners and "tls" not in facts:
            return  # most of all results
        series = self._series(result)
        if series is None or (result.check == "edge" and "tls" not in facts and series not in self._shown):
            return
        self._listeners = self._listeners or result.check == "edge"
        if at_us < self._newest.get(series, 0):
            return
        self._newest[series] = at_us
        self._until[series] = at_us + self._names.hold_us(result.check, result.target)
        values = self._values(series[0], (*make(result, facts), *_well(result)))
        for key, labels in self._shown.get(series, set()) - values.keys():
            self._gauges[key].remove(*labels)
        for (key, labels), value in values.items():
            if len(self._gauges[key]) < GAUGES or self._gauges[key].find(*labels) is not None:
                self._gauges[key].child(*labels).value = value
        self._shown[series] = set(values)

    def _values(self, probe: str, found: Iterable[tuple[str, _Labels, Any]]) -> dict[tuple[str, _Labels], float]:
        """What was measured; servers and replicas beyond all measure are left out."""
        values = {}
        for key, labels, raw in found:
            value = _number(raw)
            known = {"expiry": self._names.address, "grade": self._names.address, "lag": self._names.replica}.get(key)
            if value is not None and (known is None or known(labels[-1]) != OTHER):
                values[key, (probe, *labels)] = value
        return values

    def _series(self, result: Result) -> _Labels | None:
        """What replaces what; None when the probe speaks of something that is not watched."""
        names = self._names
        place = (names.sbc(result.sbc), names.core(result.core), names.target(result.target or ""))
        address = result.address or "" if result.check in ("edge", "tcp") else ""
        series = (names.probe(result.probe), result.check, *place, address)
        if OTHER in place or (series not in self._newest and len(self._newest) >= GAUGES):
            return None
        return series


def _well(result: Result) -> list[tuple[str, _Labels, Any]]:
    """Of what has no verdict; the SBCs' listeners have one."""
    if result.check == "edge":
        return []
    element = "/".join(part for part in (result.core, result.sbc, result.target) if part)
    value = {"ok": 1.0, "failed": 0.0}.get(result.outcome)
    return [("well", (result.check, element), value)]


def _nothing(_result: Result, _facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    return []


def _portal(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    element = (result.target or "",)
    found: list[tuple[str, _Labels, Any]] = [
        ("answering", element, facts.get("answering") if result.outcome != "invalid" else None),
        ("servers", element, facts.get("total")),
    ]
    for address, one in list(_dict(facts.get("addresses")).items())[:_SERVERS]:
        labels = (result.target or "", str(address))
        found += _certificate(labels, _dict(_dict(one).get("tls")))
    return found


def _listener(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    return _certificate((result.sbc or "", result.address or ""), _dict(facts.get("tls")))


def _certificate(labels: _Labels, tls: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    days = _number(tls.get("days_to_expiry"))
    return [
        ("expiry", labels, None if days is None else days * _DAY_SECONDS),
        ("grade", labels, _GRADES.get(str(tls.get("grade")))),
    ]


def _database(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    element, backup = (result.target or "",), _dict(facts.get("backup"))
    found: list[tuple[str, _Labels, Any]] = [
        ("lag", (*element, ""), facts.get("lag_seconds")),
        ("age", element, backup.get("age_seconds")),
        ("size", element, backup.get("size_bytes")),
    ]
    for name, one in list(_dict(facts.get("replicas")).items())[:_SERVERS]:
        found.append(("lag", (*element, str(name)), _dict(one).get("lag_seconds")))
    return found


def _traffic(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    labels = (result.sbc or "",)
    return [("registered", labels, facts.get("registered")), ("calls", labels, facts.get("calls"))]


_FIGURES = {
    "edge": _listener,
    "https": _portal,
    "database": _database,
    "traffic": _traffic,
    "dns": _nothing,
    "tcp": _nothing,
}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """A figure; below zero too (a certificate that has ended), but finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
