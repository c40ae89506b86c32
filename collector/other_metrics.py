"""Gauges of portals, databases and real traffic: what the newest committed result of each says.

A gauge goes away when the newest result does not measure it: unknown is no number. Late results change nothing.
"""

from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from sereno.wire import Result

_GAUGES = {
    "well": (
        "sereno_element_ok",
        "Newest check of a portal, name, database, server or traffic: 1 ok, 0 failed; absent: unknown.",
        "probe check element",
    ),
    "answering": ("sereno_portal_answering_servers", "Servers behind a portal's name that answer.", "probe element"),
    "servers": ("sereno_portal_servers", "Servers behind a portal's name, missing ones included.", "probe element"),
    "expiry": ("sereno_tls_certificate_expiry_seconds", "Until the certificate ends.", "probe element address"),
    "grade": (
        "sereno_tls_grade",
        "Held TLS standing of a server: 5 A+, 4 A, 3 B, 2 C, 1 D, 0 F; absent until all of it was measured.",
        "probe element address",
    ),
    "lag": ("sereno_database_replication_lag_seconds", "How far a replica is behind.", "probe element replica"),
    "age": ("sereno_database_backup_age_seconds", "Since the last backup was finished.", "probe element"),
    "size": ("sereno_database_backup_size_bytes", "Size of the last backup.", "probe element"),
    "registered": ("sereno_traffic_registered", "Registered users, from the platform's Prometheus.", "probe sbc"),
    "calls": ("sereno_traffic_calls", "Live calls, from the platform's Prometheus.", "probe sbc"),
}
_GRADES = {"A+": 5.0, "A": 4.0, "B": 3.0, "C": 2.0, "D": 1.0, "F": 0.0}
_DAY_SECONDS = 86_400.0
_Labels = tuple[str, ...]


class OtherMetrics:
    """The gauges, fed with every committed result; those of voice checks are passed over."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauges = {
            key: Gauge(name, meaning, labels.split(), registry=registry)
            for key, (name, meaning, labels) in _GAUGES.items()
        }
        self._newest: dict[_Labels, int] = {}
        self._shown: dict[_Labels, set[tuple[str, _Labels]]] = {}

    def observe(self, result: Result) -> None:
        """Takes one committed result."""
        make = _FIGURES.get(result.check)
        if make is None:
            return
        series = (result.probe, result.check, result.sbc or "", result.target or "", result.address or "")
        facts = result.facts or {}
        if result.check == "edge" and "tls" not in facts and series not in self._shown:
            return  # most of all results
        if result.at_us < self._newest.get(series, 0):
            return
        self._newest[series] = result.at_us
        values = {
            (key, labels): value
            for key, labels, raw in (*make(result, facts), *_well(result))
            if (value := _number(raw)) is not None
        }
        for key, labels in self._shown.get(series, set()) - values.keys():
            self._gauges[key].remove(*labels)
        for (key, labels), value in values.items():
            self._gauges[key].labels(*labels).set(value)
        self._shown[series] = set(values)


def _well(result: Result) -> list[tuple[str, _Labels, Any]]:
    """Of what has no verdict; the SBCs' listeners have one."""
    if result.check == "edge":
        return []
    element = "/".join(part for part in (result.core, result.sbc, result.target) if part)
    value = {"ok": 1.0, "failed": 0.0}.get(result.outcome)
    return [("well", (result.probe, result.check, element), value)]


def _nothing(_result: Result, _facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    return []


def _portal(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    element = (result.probe, result.target or "")
    found: list[tuple[str, _Labels, Any]] = [
        ("answering", element, facts.get("answering") if result.outcome != "invalid" else None),
        ("servers", element, facts.get("total")),
    ]
    for address, one in _dict(facts.get("addresses")).items():
        labels = (result.probe, result.target or "", str(address))
        found += _certificate(labels, _dict(_dict(one).get("tls")))
    return found


def _listener(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    return _certificate((result.probe, result.sbc or "", result.address or ""), _dict(facts.get("tls")))


def _certificate(labels: _Labels, tls: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    days = _number(tls.get("days_to_expiry"))
    return [
        ("expiry", labels, None if days is None else days * _DAY_SECONDS),
        ("grade", labels, _GRADES.get(str(tls.get("grade")))),
    ]


def _database(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    element, backup = (result.probe, result.target or ""), _dict(facts.get("backup"))
    found: list[tuple[str, _Labels, Any]] = [
        ("lag", (*element, ""), facts.get("lag_seconds")),
        ("age", element, backup.get("age_seconds")),
        ("size", element, backup.get("size_bytes")),
    ]
    for name, one in _dict(facts.get("replicas")).items():
        found.append(("lag", (*element, str(name)), _dict(one).get("lag_seconds")))
    return found


def _traffic(result: Result, facts: dict[str, Any]) -> list[tuple[str, _Labels, Any]]:
    labels = (result.probe, result.sbc or "")
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
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
