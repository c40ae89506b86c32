"""Families of series, cheap to count in and cheap to write: a label text is made once, when its series begins.

The official client library makes every label string again at each scrape, under the GIL (ADR 20). Here a scrape only
puts numbers behind ready texts, a thousand series at a time, so that whoever serves it can let others run in between.
Counting may happen in another thread than writing: children are taken over as a list, and a histogram's count is the
sum of the very buckets written beside it.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from collector.exposition.catalogue import Declared

SLICE = 1_000  # series written in one go: under a millisecond
Labels = tuple[str, ...]
_EXEMPLAR_LIMIT = 128  # characters of names and values of an exemplar's labels (OpenMetrics 1.0, exemplars)


class Exemplar(NamedTuple):
    """The call behind a bucket's newest value."""

    call_id: str
    value: float
    at_seconds: float


class Sample(NamedTuple):
    """One line of the exposition, before it is text."""

    name: str
    labels: dict[str, str]
    value: float
    exemplar: Exemplar | None = None


def escaped(value: str) -> str:
    """A label value as both text formats want it; lone surrogates cannot be written at all."""
    text = value.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """A value as both text formats want it."""
    if type(value) is int:
        return str(value)
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _prefix(name: str, labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{key}="{escaped(value)}"' for key, value in sorted(labels))
    return f"{name}{{{inside}}} " if inside else f"{name} "


class Family:
    """What all families share."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def head(self, *, openmetrics: bool) -> str:
        """HELP, TYPE, and UNIT where the format has it."""
        declared = self.declared
        name = declared.family if openmetrics else declared.name
        lines = f"# HELP {name} {declared.meaning}\n# TYPE {name} {declared.kind}\n"
        return lines + f"# UNIT {name} {declared.unit}\n" if openmetrics and declared.unit else lines

    def chunks(self, *, openmetrics: bool) -> Iterator[str]:
        """The lines, some at a time."""
        raise NotImplementedError

    def samples(self) -> Iterator[Sample]:
        """The same as records."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class Value:
    """One series; whoever counts changes `value` itself."""

    __slots__ = ("prefix", "value")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.value: float = 0


class Values(Family):
    """Counters or gauges."""

    def __init__(self, declared: Declared) -> None:
        super().__init__(declared)
        self._children: dict[Labels, Value] = {}
        if not declared.labels:
            self.child()

    def child(self, *labels: str) -> Value:
        """The series of these label values, begun at zero."""
        found = self._children.get(labels)
        if found is None:
            prefix = _prefix(self.declared.name, zip(self.declared.labels, labels, strict=True))
            found = self._children[labels] = Value(prefix)
        return found

    def find(self, *labels: str) -> Value | None:
        """The series, if there is one."""
        return self._children.get(labels)

    def remove(self, *labels: str) -> None:
        """The series ends: what nobody measures has no value."""
        self._children.pop(labels, None)

    def replace(self, rows: Mapping[Any, float]) -> None:
        """These series, by label values, and no others."""
        for labels in self._children.keys() - rows.keys():
            del self._children[labels]
        for labels, value in rows.items():
            self.child(*labels).value = value

    def chunks(self, *, openmetrics: bool) -> Iterator[str]:
        del openmetrics
        children = list(self._children.values())
        for begin in range(0, len(children), SLICE):
            yield "".join([f"{one.prefix}{number(one.value)}\n" for one in children[begin : begin + SLICE]])

    def samples(self) -> Iterator[Sample]:
        names = self.declared.labels
        for labels, child in list(self._children.items()):
            yield Sample(self.declared.name, dict(zip(names, labels, strict=True)), child.value)

    def __len__(self) -> int:
        return len(self._children)


class Buckets:
    """One histogram of a family."""

    __slots__ = ("_prefixes", "_sum_prefix", "_total_prefix", "bounds", "counts", "exemplars", "total")

    def __init__(self, name: str, labels: Sequence[tuple[str, str]], bounds: Sequence[float]) -> None:
        ends = [*map(repr, bounds), "+Inf"]
        self.bounds = bounds
        self._prefixes = [_prefix(f"{name}_bucket", [*labels, ("le", end)]) for end in ends]
        self._total_prefix = _prefix(f"{name}_count", labels)
        self._sum_prefix = _prefix(f"{name}_sum", labels)
        self.counts = [0] * len(ends)
        self.total: float = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, exemplar: Exemplar | None = None) -> None:
        """Counts one value."""
        index = bisect_left(self.bounds, value)
        self.counts[index] += 1
        self.total += value
        if exemplar is not None:
            self.exemplars[index] = exemplar

    def text(self, *, openmetrics: bool) -> str:
        """Its lines."""
        lines, running = [], 0
        exemplars = self.exemplars if openmetrics else {}
        for index, count in enumerate(self.counts):
            running += count
            lines.append(f"{self._prefixes[index]}{running}{_exemplar(exemplars.get(index))}\n")
        lines.append(f"{self._total_prefix}{running}\n{self._sum_prefix}{number(self.total)}\n")
        return "".join(lines)


def _exemplar(found: Exemplar | None) -> str:
    if found is None:
        return ""
    return f' # {{call_id="{escaped(found.call_id)}"}} {number(found.value)} {found.at_seconds:.3f}'


def exemplar(call_id: object, value: float, at_us: int) -> Exemplar | None:
    """An exemplar, if the Call-ID is one that the format takes."""
    if not isinstance(call_id, str) or not call_id or len(call_id) > _EXEMPLAR_LIMIT - len("call_id"):
        return None
    return Exemplar(call_id, value, at_us / 1e6) if call_id.isascii() and call_id.isprintable() else None


class Histograms(Family):
    """Histograms of one name."""

    def __init__(self, declared: Declared) -> None:
        super().__init__(declared)
        self.bounds = declared.bounds
        self._children: dict[Labels, Buckets] = {}

    def child(self, *labels: str) -> Buckets:
        """The histogram of these label values, begun empty."""
        found = self._children.get(labels)
        if found is None:
            pairs = list(zip(self.declared.labels, labels, strict=True))
            found = self._children[labels] = Buckets(self.declared.name, pairs, self.bounds)
        return found

    def find(self, *labels: str) -> Buckets | None:
        """The histogram, if there is one."""
        return self._children.get(labels)

    def only(self, labels: Labels, bounds: Sequence[float], counts: Sequence[int], total: float) -> None:
        """One histogram counted elsewhere, in place of what was there."""
        pairs = list(zip(self.declared.labels, labels, strict=True))
        made = Buckets(self.declared.name, pairs, bounds)
        made.counts, made.total = list(counts), total
        self._children = {labels: made}

    def chunks(self, *, openmetrics: bool) -> Iterator[str]:
        children = list(self._children.values())
        step = max(1, SLICE // (len(self.bounds) + 3))
        for begin in range(0, len(children), step):
            yield "".join([one.text(openmetrics=openmetrics) for one in children[begin : begin + step]])

    def samples(self) -> Iterator[Sample]:
        name = self.declared.name
        for labels, child in list(self._children.items()):
            pairs, running = dict(zip(self.declared.labels, labels, strict=True)), 0
            ends = [*map(repr, child.bounds), "+Inf"]
            for index, (end, count) in enumerate(zip(ends, child.counts, strict=True)):
                running += count
                yield Sample(f"{name}_bucket", pairs | {"le": end}, running, child.exemplars.get(index))
            yield Sample(f"{name}_count", pairs, running)
            yield Sample(f"{name}_sum", pairs, child.total)

    def __len__(self) -> int:
        return len(self._children) * (len(self.bounds) + 3)


def family(declared: Declared) -> "Values | Histograms":
    """An empty family of what was declared."""
    return Histograms(declared) if declared.kind == "histogram" else Values(declared)
