"""Declared threshold alarms made ready: windows, thresholds, and the state of each part of each element."""

from collections.abc import Callable, Iterable

from collector.thresholds.families import SOURCES
from collector.thresholds.source import Source
from collector.thresholds.windows import Limits, SampleWindow, SumWindow, ValueWindow, Window, bucket_us
from collector.verdicts.samples import Timing
from sereno.alarms import Alarms
from sereno.alarms.measures import MEASURES
from sereno.alarms.model import Condition, Samples, ThresholdAlarm
from sereno.topology.model import Topology

Add = Callable[[int, float, float], None]  # when, how much, of how much
_FEWEST = 4


class Cell:
    """One part of one element under one condition: what it measured lately, and whether that is bad."""

    __slots__ = ("adds", "bad", "element", "off", "on", "part", "samples", "seen_us", "since_us", "value")

    def __init__(self, element: str, part: str, on: Window, off: Window) -> None:
        self.element, self.part, self.on, self.off = element, part, on, off
        self.bad = False
        self.since_us = self.seen_us = 0
        self.value: float | None = None
        self.samples = 0.0
        self.adds: tuple[Add, ...] = (on.add,) if off is on else (on.add, off.add)

    def add(self, at_us: int, value: float, weight: float) -> None:
        for add in self.adds:
            add(at_us, value, weight)


class Group:
    """One condition of an alarm for one kind of element."""

    def __init__(self, rule: "Rule", condition: Condition, timing: Timing) -> None:
        measure = MEASURES[condition.measure]
        self.rule, self.condition = rule, condition
        self.source: Source = SOURCES[condition.measure]
        self.by = condition.by
        self.unit = measure.unit
        self.cells: dict[tuple[str, str], Cell] = {}
        self.routes: dict[tuple[object, ...], tuple[Cell, ...]] = {}
        self._values = measure.shape == "value"
        self.events = measure.shape == "event"
        self._test = Limits(condition.aggregate, condition.above is not None, condition.threshold, condition.good_at)
        self.instant = isinstance(condition.over, Samples)
        clear = condition.clear_over if condition.clear_over is not None else condition.over
        self.widths_us = [bucket_us(over) for over in (condition.over, clear) if isinstance(over, int)]
        self.width_us = min(self.widths_us, default=0)
        self.next_us = 0
        self.least = _least(condition, self.source, timing)

    def cell(self, element: str, part: str) -> Cell:
        """A new one."""
        on = self._window(self.condition.over)
        off = on if self.condition.clear_over is None else self._window(self.condition.clear_over)
        return Cell(element, part, on, off)

    def judge(self, cell: Cell, now_us: int) -> bool:
        """Decide at an instant; true when it became bad, or good."""
        answer = cell.on.answer(now_us)
        enough = answer.samples >= self.least
        if enough:
            cell.value, cell.samples, cell.seen_us = answer.value, answer.samples, now_us
        if not cell.bad:
            if enough and answer.holds:
                if cell.value is None and isinstance(cell.on, ValueWindow):
                    cell.value = cell.on.estimate()
                cell.bad, cell.since_us = True, self._since(cell, now_us, bad=True)
                return True
            return False
        off = answer if cell.off is cell.on else cell.off.answer(now_us)
        whole = not isinstance(cell.off, SampleWindow) or cell.off.full
        if off.samples >= self.least and off.holds is False and whole:
            cell.bad, cell.since_us = False, self._since(cell, now_us, bad=False)
            return True
        return False

    def _since(self, cell: Cell, now_us: int, *, bad: bool) -> int:
        if bad and isinstance(cell.on, SampleWindow):
            return cell.on.first_bad_us() or now_us
        return now_us if self.instant or not self.width_us else now_us // self.width_us * self.width_us

    def _window(self, over: Samples | int) -> Window:
        if isinstance(over, Samples):
            return SampleWindow(over.samples, self._test, values=self._values)
        return ValueWindow(over, self._test) if self._values else SumWindow(over, self._test)


class Rule:
    """One alarm for one kind of element."""

    def __init__(self, name: str, alarm: ThresholdAlarm, scope: str, timing: Timing) -> None:
        self.name, self.alarm, self.scope, self.what = name, alarm, scope, alarm.what or name
        self.groups = [Group(self, condition, timing) for condition in alarm.conditions]
        self.bad: dict[str, list[tuple[Group, Cell]]] = {}
        self.said: set[str] = set()  # the elements that it is true of
        # Bad enough, it makes its SBC or its path degraded (docs/verdicts.md §8).
        quality = any(group.source.quality for group in self.groups)
        self.degrades = quality and scope in {"sbc", "path"} and alarm.urgency != "bajo" and alarm.class_ == "service"

    @property
    def over_us(self) -> int:
        """The longest time that it looks back."""
        found = [0]
        for condition in self.alarm.conditions:
            found += [over for over in (condition.over, condition.clear_over) if isinstance(over, int)]
        return max(found)


def rules_of(alarms: Alarms, topology: Topology) -> list[Rule]:
    """Every threshold alarm of the file, once for each kind of element."""
    timing = Timing(topology)
    return [
        Rule(name, alarm, scope, timing)
        for name, alarm in alarms.alarms.items()
        if isinstance(alarm, ThresholdAlarm)
        for scope in alarm.scope
    ]


def _least(condition: Condition, source: Source, timing: Timing) -> float:
    """How many samples are enough: of OPTIONS, never more than half of what one probe makes in the window."""
    over = condition.over
    if source.checks != ("options",) or not isinstance(over, int):
        return condition.min_samples
    expected = over // timing.every_us["options"]
    return min(condition.min_samples, max(_FEWEST, expected // 2))


def longest_us(rules: Iterable[Rule]) -> int:
    """How far back a start must read."""
    return max((rule.over_us for rule in rules), default=0)


__all__ = ["Cell", "Group", "Rule", "longest_us", "rules_of"]
