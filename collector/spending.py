"""Downtime of every site as the live verdicts tell it, for the budgets of a replay: the store's clerk is not there."""

from collections.abc import Iterable, Mapping

from collector.availability import allowance
from collector.exclusion import Exclusions, promised, target_ppm, zone_of
from collector.ledger import spans
from collector.ledger.spans import Spans
from collector.months import month_of
from collector.thresholds.budget import Burn, Spending
from sereno.availability import PPM, Scope
from sereno.clock import SECOND_US
from sereno.contract import Contract
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change, ElementKind, MaintenanceWindow

_MINUTES_US, _HOUR_US, _THREE_DAYS_US = 300 * SECOND_US, 3_600 * SECOND_US, 3 * 86_400 * SECOND_US
_KEPT_US = 32 * 86_400 * SECOND_US


class Tally:
    """`take` what is said; `look` when `due_us` has come."""

    def __init__(self, topology: Topology, contracts: Mapping[str, Contract]) -> None:
        self._topology, self._contracts = topology, contracts
        self._kind: ElementKind = "site" if topology.sites else "service"
        self._names = list(topology.sites) or [topology.service]
        self._down: dict[str, Spans] = {name: [] for name in self._names}
        self._since: dict[str, int] = {}
        self._burn = Burn()
        self.due_us: int | None = None

    def take(self, changes: Iterable[Change], now_us: int) -> None:
        """Verdicts of sites; what is down now may burn."""
        for change in changes:
            if change.kind != self._kind or change.what != VERDICT or change.name not in self._down:
                continue
            since_us = self._since.pop(change.name, None)
            if since_us is not None and since_us < change.since_us:
                self._down[change.name] = spans.union([*self._down[change.name], (since_us, change.since_us)])
            if change.state == "down":
                self._since[change.name] = change.since_us
            self.due_us = now_us

    def look(self, now_us: int, windows: list[MaintenanceWindow]) -> list[Change]:
        """What the budgets say now."""
        if self.due_us is None or now_us < self.due_us:
            return []
        excluded = Exclusions(self._topology, self._contracts, windows)
        found = [one for name in self._names if (one := self._spending(name, now_us, excluded)) is not None]
        changes = self._burn.feed(found, now_us)
        self.due_us = min((due for one in found for due in self._dues(one, now_us)), default=None)
        return changes

    def _spending(self, name: str, now_us: int, excluded: Exclusions) -> Spending | None:
        begun = self._since.get(name)
        down = self._down[name] = spans.clip(self._down[name], now_us - _KEPT_US, now_us)
        if not down and begun is None:
            return None
        scope = Scope(self._kind, name)
        target = target_ppm(self._topology, self._contracts, scope, now_us)
        month = month_of(zone_of(self._topology, self._contracts, scope, now_us), now_us)
        out = excluded(scope)
        allowed = allowance(promised(self._topology, self._contracts, scope, *month), out)
        if target is None or allowed is None:
            return None
        spent = spans.subtract(spans.union([*down, *([(begun, now_us)] if begun is not None else [])]), out)

        def since(from_us: int) -> int:
            return spans.total(spans.clip(spent, from_us, now_us))

        return Spending(
            self._kind, name, target, since(now_us - _MINUTES_US), since(now_us - _HOUR_US),
            since(now_us - _THREE_DAYS_US), allowed // PPM, allowed // PPM - since(month[0]),
        )  # fmt: skip

    def _dues(self, one: Spending, now_us: int) -> list[int]:
        """When it may say something else although nothing happens."""
        if one.name in self._since:  # it goes on: the next bound that it reaches
            bounds = (one.fast_us - one.hour_us, one.slow_us - one.three_days_us, one.remaining_us - one.allowed_us / 4)
            return [now_us + int(left) + 1 for left in bounds if left > 0]
        over_us = max(end for _, end in self._down[one.name])
        dues = [over_us + _MINUTES_US + 1] if one.minutes_us else []
        return [*dues, now_us + _HOUR_US] if one.low() else dues


__all__ = ["Tally"]
