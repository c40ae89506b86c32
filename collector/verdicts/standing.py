"""What is slowly getting worse beside the voice: certificates, TLS, DNS, replication, backups (inputs of alarms 35–40).

Findings of portals, databases and SBCs, from the facts of their results (docs/checks.md). A value that was not
measured changes nothing: what is said holds until somebody measures it better. None of it is downtime.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from collector.verdicts.samples import TARGETED
from collector.verdicts.watch import Word
from sereno.clock import SECOND_US
from sereno.topology.address import parse_sip
from sereno.topology.model import Topology
from sereno.wire import Result

_DAYS = {"cert_expiry": 30, "cert_expiry_7_days": 7, "cert_expiry_2_days": 2}
_GOOD_GRADES = frozenset({"A+", "A"})
_LAG_SECONDS, _LAG_CLEAR_SECONDS, _STOPPED_SECONDS = 30.0, 5.0, 300.0
_LAG_FOR_US = 300 * SECOND_US
_Element = tuple[str, str]
_Key = tuple[_Element, str]


class _Look(NamedTuple):
    """What one result says of one finding: true, false, or neither (then what was said holds)."""

    element: _Element
    what: str
    source: str  # an address, a replica: the finding is true while any of them is
    bad: bool | None
    reason: str | None = None
    worse_for_us: int = 0  # bad for so long before it is said
    better_for_us: int = 0  # and well for so long before it is taken back
    between: bool = False  # measured, and neither: whatever was on its way to change begins again


class _Held:
    """One source's state: what is said, and since when the opposite has been seen."""

    __slots__ = ("against_us", "at_us", "reason", "said", "since_us")

    def __init__(self) -> None:
        self.said = False
        self.at_us = self.since_us = 0
        self.against_us: int | None = None
        self.reason: str | None = None

    def look(self, one: _Look, at_us: int) -> None:
        if at_us < self.at_us or (one.bad is None and not one.between):
            return
        self.at_us = at_us
        if one.bad is None:
            self.against_us = None
            return
        if one.bad == self.said:
            self.against_us = None
            return
        self.against_us = at_us if self.against_us is None else self.against_us
        if at_us - self.against_us >= (one.worse_for_us if one.bad else one.better_for_us):
            self.said, self.since_us, self.reason = one.bad, self.against_us, one.reason
            self.against_us = None


class Standings:
    """Feed it every result that has facts; it says what changed."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._held: dict[_Key, dict[tuple[str, str], _Held]] = {}
        self._said: set[_Key] = set()
        self._kept: dict[_Key, int] = {}  # said before a restart and not measured since; first measured well when
        self._named = _named(topology)
        self._patience_us: dict[_Element, int] = {}  # of each name's owner, by the TTL of its records
        self._elements = {("service", topology.service), *(("sbc", name) for name in topology.sbcs)}
        self._elements |= {("portal", name) for name in topology.portals}
        self._elements |= {("database", name) for name in topology.databases}

    def keep(self, kind: str, name: str, what: str) -> bool:
        """What was true before a restart holds until somebody measures it; False where it is none of ours."""
        if what not in WHATS or (kind, name) not in self._elements:
            return False
        self._kept[(kind, name), what] = 0
        self._said.add(((kind, name), what))
        return True

    def feed(self, result: Result, at_us: int) -> list[Word]:
        """The findings that this result changes."""
        looked: dict[_Key, list[tuple[_Held, _Look]]] = {}
        for one in self._looks(result):
            key = (one.element, one.what)
            held = self._held.setdefault(key, {}).setdefault((result.probe, one.source), _Held())
            held.look(one, at_us)
            looked.setdefault(key, []).append((held, one))
        return [word for key, seen in looked.items() if (word := self._word(key, seen, at_us)) is not None]

    def _word(self, key: _Key, seen: list[tuple[_Held, _Look]], at_us: int) -> Word | None:
        if key in self._kept:
            self._measured(key, seen, at_us)
        bad = [source for source in self._held[key].values() if source.said]
        if (bool(bad) or key in self._kept) == (key in self._said):
            return None
        (kind, name), what = key
        if not bad:
            self._said.discard(key)
            return Word(kind, name, what, "false", seen[0][0].since_us or at_us, None)
        self._said.add(key)
        worst = min(bad, key=lambda source: source.since_us)
        return Word(kind, name, what, "true", worst.since_us, worst.reason)

    def _measured(self, key: _Key, seen: list[tuple[_Held, _Look]], at_us: int) -> None:
        """What was kept is known now: bad still, or well for as long as that takes."""
        told = [(held, one) for held, one in seen if one.bad is not None]
        for held, one in told:
            if one.bad:
                held.said, held.since_us, held.against_us, held.reason = True, at_us, None, one.reason
                self._kept.pop(key, None)
        if told and key in self._kept:
            well_us = self._kept[key] = self._kept[key] or at_us
            if at_us - well_us >= told[0][1].better_for_us:
                del self._kept[key]

    def _looks(self, result: Result) -> Iterator[_Look]:
        facts = result.facts
        if not facts or result.outcome == "invalid":
            return
        if result.check == "https" and result.target in self._topology.portals:
            element = ("portal", result.target)
            for address, one in _dict(facts.get("addresses")).items():
                yield from _tls(element, str(address), _dict(_dict(one).get("tls")))
            missing = bool(facts.get("missing")) if "total" in facts else None
            yield _Look(element, "dns_incomplete", "", missing, "dns_incomplete", self._patience_us.get(element, 0))
        elif result.check == "edge" and result.sbc in self._topology.sbcs and "tls" in facts:
            yield from _tls(("sbc", result.sbc), result.address or "", _dict(facts["tls"]))
        elif result.check == "dns":
            incomplete = bool(facts.get("missing")) or facts.get("agree") is False
            for element in self._named.get(result.target or "", ()):
                patience_us = self._patience_us[element] = _patience_us(facts)
                yield _Look(element, "dns_incomplete", "dns", incomplete, "dns_incomplete", patience_us)
        elif result.check == "database" and result.target in self._topology.databases:
            yield from self._database(result.target, facts)

    def _database(self, name: str, facts: dict[str, Any]) -> Iterator[_Look]:
        element, given = ("database", name), self._topology.databases[name]
        lags = [_number(_dict(one).get("lag_seconds")) for one in _dict(facts.get("replicas")).values()]
        found = [lag for lag in (_number(facts.get("lag_seconds")), *lags) if lag is not None]
        lag = max(found, default=None)
        well = lag is not None and lag < _LAG_CLEAR_SECONDS
        behind = None if lag is None else True if lag > _LAG_SECONDS else False if well else None
        yield _Look(element, "replication_lag", "", behind, "lag", _LAG_FOR_US, _LAG_FOR_US, lag is not None)
        short = "replicas" in facts and len(_dict(facts["replicas"])) < len(given.replicas)
        stopped = facts.get("receiving") is False or short or (lag is not None and lag > _STOPPED_SECONDS)
        measured = stopped or well or "replicas" in facts
        yield _Look(element, "replication_stopped", "", stopped if measured else None, "lag")
        backup = _dict(facts.get("backup"))
        if not backup or given.backup is None:
            return
        age, limit = _number(backup.get("age_seconds")), given.backup.max_age_us / SECOND_US
        trouble = bool(backup.get("trouble"))
        old = trouble or (age is not None and age > limit)
        failed = backup.get("verified") is False or (age is not None and age > 2 * limit)
        known = trouble or age is not None
        yield _Look(element, "backup_stale", "", old or failed if known else None, "backup_stale")
        yield _Look(element, "backup_failed", "", failed if known else None, "backup_stale")


def _tls(element: _Element, address: str, tls: dict[str, Any]) -> Iterator[_Look]:
    days = _number(tls.get("days_to_expiry"))
    for what, limit in _DAYS.items():
        yield _Look(element, what, address, None if days is None else days < limit, "tls")
    whole, most = _text(tls.get("grade")), _text(tls.get("grade_at_most"))
    grade = whole or most
    # A best possible grade can only condemn: well is who was measured whole.
    weak = None if grade is None or (whole is None and most in _GOOD_GRADES) else grade not in _GOOD_GRADES
    yield _Look(element, "tls_grade", address, weak, "tls_grade")


def _patience_us(facts: dict[str, Any]) -> int:
    """A change of records takes its TTL to be seen everywhere: twice that is no change any more. 0: no TTL is told."""
    told = (_number(_dict(one).get("ttl_seconds")) for one in _dict(facts.get("resolvers")).values())
    return round(2 * max((ttl for ttl in told if ttl is not None), default=0.0) * SECOND_US)


def _named(topology: Topology) -> dict[str, list[_Element]]:
    """Who is reached by each DNS name."""
    found: dict[str, list[_Element]] = {}
    for name, portal in topology.portals.items():
        found.setdefault(urlsplit(portal.url).hostname or "", []).append(("portal", name))
    for name, sbc in topology.sbcs.items():
        for address in sbc.addresses:
            found.setdefault(parse_sip(address).host, []).append(("sbc", name))
    if topology.domain is not None:
        found.setdefault(topology.domain, []).append(("service", topology.service))
    return found


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


CHECKS = frozenset({*TARGETED, "dns", "edge"})
WHATS = frozenset(
    {*_DAYS, "tls_grade", "dns_incomplete", "replication_lag", "replication_stopped", "backup_stale", "backup_failed"}
)
