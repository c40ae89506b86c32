"""Sets of time: sorted, disjoint, half-open spans of integer microseconds."""

from collections.abc import Iterable

Span = tuple[int, int]
Spans = list[Span]


def union(spans: Iterable[Span]) -> Spans:
    """The spans joined, in order."""
    found: Spans = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def intersect(one: Spans, other: Spans) -> Spans:
    """What lies in both."""
    found: Spans = []
    here = there = 0
    while here < len(one) and there < len(other):
        begin, end = max(one[here][0], other[there][0]), min(one[here][1], other[there][1])
        if begin < end:
            found.append((begin, end))
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return found


def subtract(one: Spans, other: Spans) -> Spans:
    """What lies in `one` and not in `other`."""
    found: Spans = []
    position = 0
    for begin, end in one:
        left = begin  # what of this span is not yet decided
        while position < len(other) and other[position][1] <= begin:
            position += 1
        index = position
        while index < len(other) and other[index][0] < end:
            if left < other[index][0]:
                found.append((left, other[index][0]))
            left = max(left, other[index][1])
            index += 1
        if left < end:
            found.append((left, end))
    return found


def clip(spans: Iterable[Span], from_us: int, to_us: int) -> Spans:
    """What of the spans lies in [from, to)."""
    return union((max(begin, from_us), min(end, to_us)) for begin, end in spans)


def total(spans: Iterable[Span]) -> int:
    """Their length."""
    return sum(end - begin for begin, end in spans)
