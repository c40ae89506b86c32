"""What a registration tells only beside those before it: bindings that lapsed, and how long a site had none anew.

Pure: what was judged goes in, facts come out. Seconds of the probe's own monotonic clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WHOLE_SERVICE = "service"  # the name that stands for all SBCs where the topology has no site


@dataclass(frozen=True, slots=True)
class Attempt:
    """One registration: `key` of its target, when it was sent and answered, the expiry granted (None: none)."""

    key: tuple[str | None, ...]
    account: str
    sbc: str
    sent_seconds: float
    ended_seconds: float
    granted_seconds: float | None


@dataclass(slots=True)
class Bindings:
    """Of one probe. `sites` are the SBCs among which the phones of a site move."""

    sites: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _granted: dict[tuple[str | None, ...], tuple[float, float]] = field(default_factory=dict)
    _failing: set[tuple[str | None, ...]] = field(default_factory=set)
    _contacts: dict[tuple[str | None, ...], str] = field(default_factory=dict)
    _lost: dict[tuple[str, str], float] = field(default_factory=dict)  # (site, account): the first failure's sending

    def live(self, key: tuple[str | None, ...], now_seconds: float) -> str | None:
        """The Contact of a binding that should be there now; None: there is none, it has lapsed, or its path failed."""
        granted = self._granted.get(key) if key not in self._failing else None
        return self._contacts.get(key) if granted is not None and now_seconds < sum(granted) else None

    def made(self, key: tuple[str | None, ...], contact: str) -> None:
        """The Contact that was registered."""
        self._contacts[key] = contact

    def renewed(self, key: tuple[str | None, ...], at_seconds: float, granted_seconds: float) -> None:
        """It was renewed between two attempts, before it lapsed."""
        before = self._granted.get(key)
        if before is not None and granted_seconds and before[0] < at_seconds <= sum(before):
            self._granted[key] = (at_seconds, granted_seconds)

    def heard(self, attempt: Attempt) -> dict[str, Any]:
        """`lapsed_seconds` and `rebind_seconds` where there is something to tell."""
        if attempt.granted_seconds is None:
            self._failed(attempt)
            return {}
        facts: dict[str, Any] = {}
        before = self._granted.get(attempt.key)
        if before is not None and attempt.ended_seconds > sum(before):
            facts["lapsed_seconds"] = round(attempt.ended_seconds - sum(before), 3)
        self._granted[attempt.key] = (attempt.ended_seconds, attempt.granted_seconds)
        self._failing.discard(attempt.key)
        rebound = self._rebound(attempt)
        return {**facts, "rebind_seconds": rebound} if rebound else facts

    def _failed(self, attempt: Attempt) -> None:
        """Only a path that worked opens the clock: one that is down for a day must not open it at every failure."""
        if attempt.key in self._failing or attempt.key not in self._granted:
            return
        self._failing.add(attempt.key)
        for site in self._sites_of(attempt.sbc):
            self._lost.setdefault((site, attempt.account), attempt.sent_seconds)

    def _rebound(self, attempt: Attempt) -> dict[str, float]:
        """A registration begun after the failing one, through any SBC of the site: what a phone would have had."""
        found: dict[str, float] = {}
        for site in self._sites_of(attempt.sbc):
            since = self._lost.get((site, attempt.account))
            if since is not None and attempt.sent_seconds > since:
                found[site] = round(attempt.ended_seconds - since, 3)
                del self._lost[site, attempt.account]
        return found

    def _sites_of(self, sbc: str) -> list[str]:
        if not self.sites:
            return [WHOLE_SERVICE]
        return [name for name, sbcs in self.sites.items() if sbc in sbcs]
