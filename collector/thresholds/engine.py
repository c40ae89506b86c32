"""The threshold engine: every result once, every window at its boundaries, what changed as `Change`s. Pure.

It decides when something arrives (or the clock is told), at the newest boundary that has passed. Nothing measured is
unknown: what was said holds. A result that comes later than `LATE_US` is history and counts for nothing here.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from typing import Any

from collector.thresholds.families.health import of_status
from collector.thresholds.families.options import plain_rtt
from collector.thresholds.hours import HOUR_US
from collector.thresholds.known import Alive, Known
from collector.thresholds.plan import Plan
from collector.thresholds.rules import Cell, Group, Rule, longest_us, rules_of
from collector.thresholds.source import NO_PARTS, Many, Reading
from sereno.alarms import Alarms
from sereno.alarms.model import Samples
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.verdict import Change
from sereno.wire import Result, Status

LATE_US = 15 * 60 * SECOND_US
_PART = 80  # letters of its name
_PARTS = 64  # of one element: codecs and addresses may be made up by somebody
_CELLS = 300_000
_ROUTES = 100_000
_LOOK_US = 10 * 60 * SECOND_US
_GONE_US = 3_600 * SECOND_US  # a bad part that is measured no more, while others of its element are
_Touched = list[tuple[Group, Cell]]


class Thresholds:
    """Feed it every committed result; not thread-safe."""

    def __init__(
        self, topology: Topology, alarms: Alarms, reachable: Alive | None = None, serving: Alive | None = None
    ) -> None:
        self.known = Known(topology, reachable or _always, serving or _always)
        self.rules = rules_of(alarms, topology)
        self._plans: dict[str, dict[tuple[str | None, ...], Plan]] = {}
        self._by_check: dict[str, list[tuple[str, list[Group]]]] = {}
        self._by_measure: dict[str, list[Group]] = {}
        self._timed: list[Group] = []
        self._next_us = 0
        self._look_us = 0
        self._cells = 0
        self._statuses: dict[str, Status] = {}
        self._begun: list[Plan] = []  # those with results put down for later
        for rule in self.rules:
            for group in rule.groups:
                self._add(group)

    def _add(self, group: Group) -> None:
        name = group.condition.measure
        self._by_measure.setdefault(name, []).append(group)
        if group.width_us:
            self._timed.append(group)
        for check in group.source.checks:
            self._plans.setdefault(check, {})
            sources = self._by_check.setdefault(check, [])
            groups = next((groups for known, groups in sources if known == name), None)
            if groups is None:
                sources.append((name, [group]))
            else:
                groups.append(group)

    @property
    def checks(self) -> frozenset[str]:
        """Whose results it wants."""
        return frozenset(self._by_check)

    @property
    def longest_us(self) -> int:
        """How far back a start must read for what is declared."""
        return longest_us(self.rules)

    @property
    def said(self) -> list[tuple[str, str, str]]:
        """What is true now, as (kind, name, what)."""
        return [(rule.scope, element, rule.what) for rule in self.rules for element in sorted(rule.said)]

    # -- inputs --------------------------------------------------------------------------------------------------------

    def feed(self, results: Sequence[tuple[Result, int]], now_us: int) -> list[Change]:
        """Results that arrived together, with their `at`."""
        touched: _Touched = []
        plans, known, oldest_us = self._plans, self.known, now_us - LATE_US
        for result, at_us in results:
            check = result.check
            if check not in plans or at_us < oldest_us:
                continue
            if (result.outcome != "ok" or result.probe in known.inside) and not known.counts(result, at_us):
                continue
            key = (result.sbc, result.core, result.probe, result.target, result.account)
            plan = plans[check].get(key) or self._plan(check, key, result)
            if plan.width_us and self._plainly(plan, result, at_us):
                continue
            for one, adds, instant in plan.singles:
                value = one(result, at_us, known)
                if value is not None:
                    for add in adds:
                        add(at_us, value, 1.0)
                    if instant:
                        touched += instant
            if plan.several:
                self._several(plan.several, result, at_us, touched)
        return self._decide(touched, now_us)

    def status(self, status: Status, now_us: int) -> list[Change]:
        """What a probe says of itself, as it came."""
        before = self._statuses.get(status.probe)
        if status.state == "offline" or not self.known.has("probe", status.probe):
            return []
        self._statuses[status.probe] = status
        touched: _Touched = []
        for measure, readings in of_status(status, before).items():
            self._own(measure, "probe", readings, now_us, touched)
        return self._decide(touched, now_us)

    def own(self, measure: str, value: float, now_us: int) -> list[Change]:
        """What the collector measures of itself."""
        touched: _Touched = []
        self._own(measure, "monitor", [Reading(value, element=self.known.topology.service)], now_us, touched)
        return self._decide(touched, now_us)

    def tick(self, now_us: int) -> list[Change]:
        """Time passed."""
        return self._decide([], now_us)

    def keep(self, said: Change) -> bool:
        """What was true before a restart holds until it is measured good; False where it is none of ours."""
        rule = next((rule for rule in self.rules if (rule.scope, rule.what) == (said.kind, said.what)), None)
        if rule is None or said.state != "true" or not self.known.has(said.kind, said.name):
            return False
        measure, parts = said.facts.get("measure"), said.facts.get("parts")
        group = next((one for one in rule.groups if one.condition.measure == measure), rule.groups[0])
        for part in list(parts)[:_PARTS] if isinstance(parts, dict) and parts else [""]:
            cell = self._cell(group, said.name, str(part))
            if cell is not None:
                cell.bad, cell.since_us, cell.seen_us = True, said.since_us, said.at_us
                rule.bad.setdefault(said.name, []).append((group, cell))
        rule.said.add(said.name)
        return True

    # -- samples to windows --------------------------------------------------------------------------------------------

    def _plainly(self, plan: Plan, result: Result, at_us: int) -> bool:
        """Puts down a result that is as good as most; False for any other, and for one of an earlier bucket."""
        rtt = plain_rtt(result)
        if rtt is None:
            return False
        index = at_us // plan.width_us
        if index != plan.index:
            if index < plan.index:
                return False
            if plan.rtts:
                plan.put_down(self.known)
            plan.index = index
        if not plan.rtts:
            self._begun.append(plan)
        plan.rtts.append(rtt)
        return True

    def _several(self, several: list[tuple[Many, list[Group]]], result: Result, at_us: int, touched: _Touched) -> None:
        for many, groups in several:
            for reading in many(result, at_us, self.known):
                for group in groups:
                    self._reading(group, result, at_us, reading, touched)

    def _plan(self, check: str, key: tuple[str | None, ...], result: Result) -> "Plan":
        """What is done with results like this one; learnt once."""
        plan = Plan(key, self._plain_width_us(check))
        for _, groups in self._by_check[check]:
            source = groups[0].source
            if source.many is not None:
                plan.several.append((source.many, groups))
            elif source.one is not None:
                found = [(group, cell) for group in groups for cell in self._route(group, result, NO_PARTS)]
                adds = tuple(add for _, cell in found for add in cell.adds)
                plan.singles.append((source.one, adds, [(group, cell) for group, cell in found if group.instant]))
                if source.plain is not None:
                    plan.plain.append((source.plain, adds, groups[0].events))
        plans = self._plans[check]
        if len(plans) >= _ROUTES:
            self._put_down()
            plans.clear()
        plans[key] = plan
        return plan

    def _plain_width_us(self, check: str) -> int:
        """The widest bucket that is whole in all windows of a check; 0 where some want every result by itself."""
        groups = [group for _, found in self._by_check[check] for group in found]
        if any(group.source.plain is None or group.instant for group in groups):
            return 0
        width_us = gcd(HOUR_US, *(width for group in groups for width in group.widths_us))
        return width_us if width_us >= SECOND_US else 0

    def _put_down(self) -> None:
        """What was put down for later, into the windows."""
        begun, self._begun = self._begun, []
        for plan in begun:
            if plan.rtts:
                plan.put_down(self.known)

    def _reading(self, group: Group, result: Result, at_us: int, reading: Reading, touched: _Touched) -> None:
        if reading.element is not None:
            found = self._cell(group, reading.element, _part(group, result, reading.parts, self.known))
            cells: Iterable[Cell] = () if found is None else (found,)
        else:
            own = tuple(reading.parts.values())
            key = (result.sbc, result.core, result.probe, result.target, result.account, own)
            known = group.routes.get(key)
            if known is None:
                if len(group.routes) >= _ROUTES:
                    group.routes.clear()
                known = group.routes[key] = self._route(group, result, reading.parts)
            cells = known
        for cell in cells:
            cell.add(reading.at_us or at_us, reading.value, reading.weight)
            if group.instant:
                touched.append((group, cell))

    def _own(self, measure: str, scope: str, readings: Iterable[Reading], now_us: int, touched: _Touched) -> None:
        for group in self._by_measure.get(measure, ()):
            for reading in readings if group.rule.scope == scope else ():
                cell = self._cell(group, reading.element or "", "")
                if cell is not None:
                    cell.add(now_us, reading.value, reading.weight)
                    touched.append((group, cell))

    def _route(self, group: Group, result: Result, parts: Mapping[str, str]) -> tuple[Cell, ...]:
        """The cells that samples like this one go to."""
        part = _part(group, result, parts, self.known)
        found = (self._cell(group, element, part) for element in self.known.elements(group.rule.scope, result))
        return tuple(cell for cell in found if cell is not None)

    def _cell(self, group: Group, element: str, part: str) -> Cell | None:
        found = group.cells.get((element, part))
        if found is None:
            others = sum(1 for known in group.cells if known[0] == element) if group.by else 0
            if others >= _PARTS or self._cells >= _CELLS or not self.known.has(group.rule.scope, element):
                return None
            self._cells += 1
            found = group.cells[element, part] = group.cell(element, part)
        return found

    # -- windows to changes --------------------------------------------------------------------------------------------

    def _decide(self, touched: _Touched, now_us: int) -> list[Change]:
        if not touched and now_us < self._next_us:
            return []
        moved: dict[tuple[int, str], tuple[Rule, str]] = {}
        for group, cell in touched:
            if group.instant and group.judge(cell, now_us):
                moved[id(group.rule), cell.element] = (group.rule, cell.element)
                _note(group, cell)
        if now_us >= self._next_us:
            self._boundaries(now_us, moved)
        return [change for rule, element in moved.values() if (change := _said(rule, element, now_us)) is not None]

    def _boundaries(self, now_us: int, moved: dict[tuple[int, str], tuple[Rule, str]]) -> None:
        self._put_down()
        for group in self._timed:
            if now_us < group.next_us:
                continue
            group.next_us = (now_us // group.width_us + 1) * group.width_us
            for cell in group.cells.values():
                if (cell.bad or not cell.on.empty) and group.judge(cell, now_us):
                    moved[id(group.rule), cell.element] = (group.rule, cell.element)
                    _note(group, cell)
        if now_us >= self._look_us:
            self._look_us = now_us + _LOOK_US
            self._retire(now_us, moved)
        self._next_us = min((group.next_us for group in self._timed), default=self._look_us)

    def _retire(self, now_us: int, moved: dict[tuple[int, str], tuple[Rule, str]]) -> None:
        """What is measured no more, while its neighbours are, was replaced by them: another codec, another address."""
        for rule in self.rules:
            for element, found in list(rule.bad.items()):
                for group, cell in list(found):
                    gone_us = now_us - max(_GONE_US, 2 * rule.over_us)
                    if not group.by or cell.seen_us >= gone_us:
                        continue
                    others = (one for (name, _), one in group.cells.items() if name == element and one is not cell)
                    if any(one.seen_us > gone_us for one in others):
                        cell.bad, cell.since_us = False, now_us
                        moved[id(rule), element] = (rule, element)
                        _note(group, cell)


def _always(_sbc: str, _core: str | None, _since_us: int) -> bool:
    return True


def _part(group: Group, result: Result, parts: Mapping[str, str], known: Known) -> str:
    if not group.by:
        return ""
    return "/".join(parts[name] if name in parts else _own_part(name, result, known) for name in group.by)[:_PART]


def _own_part(name: str, result: Result, known: Known) -> str:
    """What any result says of itself."""
    if name == "probe":
        return result.probe
    if name == "network":
        return known.network(result.probe)
    return (result.account if name == "account" else result.address if name == "address" else None) or "?"


def _note(group: Group, cell: Cell) -> None:
    """Keep the list of an element's bad parts."""
    bad = group.rule.bad.setdefault(cell.element, [])
    if cell.bad:
        bad.append((group, cell))
        return
    bad[:] = [one for one in bad if one[1] is not cell]
    if not bad:
        del group.rule.bad[cell.element]


def _said(rule: Rule, element: str, now_us: int) -> Change | None:
    """What is to be said of an element; None when that was said already."""
    bad = rule.bad.get(element, [])
    if bool(bad) == (element in rule.said):
        return None
    kind: Any = rule.scope
    if not bad:
        since_us = max((cell.since_us for group in rule.groups for cell in _cells_of(group, element)), default=now_us)
        rule.said.discard(element)
        return Change(kind=kind, name=element, what=rule.what, state="false", since_us=since_us, at_us=now_us)
    rule.said.add(element)
    group, worst = max(bad, key=lambda one: _gravity(*one))
    return Change(
        kind=kind, name=element, what=rule.what, state="true", at_us=now_us,
        since_us=min(cell.since_us for _, cell in bad), reason=_reason(worst),
        facts=_facts(group, worst, {cell.part: cell.value for one, cell in bad if one is group}),
    )  # fmt: skip


def _cells_of(group: Group, element: str) -> list[Cell]:
    return [cell for (name, _), cell in group.cells.items() if name == element]


def _gravity(group: Group, cell: Cell) -> float:
    """How far beyond its threshold."""
    value = cell.value if cell.value is not None else group.condition.threshold
    return value - group.condition.threshold if group.condition.above is not None else group.condition.threshold - value


def _reason(cell: Cell) -> str | None:
    value = "" if cell.value is None else f"{cell.value:.3g}"
    return f"{cell.part} {value}".strip() or None


def _facts(group: Group, worst: Cell, parts: dict[str, float | None]) -> dict[str, Any]:
    condition = group.condition
    over = condition.over
    found: dict[str, Any] = {
        "measure": condition.measure,
        "aggregate": condition.aggregate,
        "unit": "count" if condition.aggregate == "count" else group.unit,
        "above" if condition.above is not None else "below": condition.threshold,
        "samples": round(worst.samples),
        "parts": {part: None if value is None else round(value, 6) for part, value in parts.items()},
    }
    found |= {"over_samples": over.samples} if isinstance(over, Samples) else {"over_seconds": over / SECOND_US}
    if worst.value is not None:
        found["value"] = round(worst.value, 6)
    return found


__all__ = ["LATE_US", "Thresholds"]
