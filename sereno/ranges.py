"""Sets of positive integers as sorted, closed, never adjacent ranges: what a probe holds, what a collector has."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Range = tuple[int, int]


class Ranges:
    """A mutable set of integers, small when they are contiguous.

    Invariant: for consecutive ranges (a, b), (c, d): a ≤ b, and b + 1 < c.
    """

    __slots__ = ("_from", "_to")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._from: list[int] = []
        self._to: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    @classmethod
    def kept(cls, ranges: Iterable[tuple[int, int]]) -> "Ranges":
        """What `list()` of one said, taken as it is where it is in order: a hundred thousand are read at a start."""
        found = cls()
        last = -1
        for first, to in ranges:
            if not last < first <= to:
                return cls(ranges)
            found._from.append(first)
            found._to.append(to)
            last = to + 1
        return found

    def add(self, first: int, last: int | None = None) -> None:
        """Puts in every integer from `first` to `last`, both included; ValueError when they are crossed."""
        last = first if last is None else last
        if last < first:
            raise ValueError(f"a range from {first} to {last} is empty")
        low = bisect_left(self._to, first - 1)  # the first range that touches or follows ours
        high = bisect_right(self._from, last + 1)  # past the last range that touches or precedes our end
        if low < high:
            first, last = min(first, self._from[low]), max(last, self._to[high - 1])
        self._from[low:high] = [first]
        self._to[low:high] = [last]

    def remove(self, first: int, last: int) -> None:
        """Takes out every integer from `first` to `last`, present or not."""
        low, high = bisect_left(self._to, first), bisect_right(self._from, last)
        if low >= high:
            return
        pieces = []
        if self._from[low] < first:
            pieces.append((self._from[low], first - 1))
        if self._to[high - 1] > last:
            pieces.append((last + 1, self._to[high - 1]))
        self._from[low:high] = [piece[0] for piece in pieces]
        self._to[low:high] = [piece[1] for piece in pieces]

    def missing(self, first: int, last: int) -> list[Range]:
        """The ranges between `first` and `last`, both included, that are not in the set."""
        found, start = [], first
        for index in range(bisect_left(self._to, first), len(self._from)):
            if self._from[index] > last:
                break
            if self._from[index] > start:
                found.append((start, self._from[index] - 1))
            start = self._to[index] + 1
        if start <= last:
            found.append((start, last))
        return found

    def last_run(self, limit: int) -> Range | None:
        """The newest contiguous integers, at most `limit` of them; None when empty."""
        if not self._to:
            return None
        return max(self._from[-1], self._to[-1] - limit + 1), self._to[-1]

    @property
    def first(self) -> int | None:
        return self._from[0] if self._from else None

    @property
    def last(self) -> int | None:
        return self._to[-1] if self._to else None

    def count(self) -> int:
        """How many integers."""
        return sum(self._to) - sum(self._from) + len(self._from)

    def __contains__(self, number: int) -> bool:
        index = bisect_left(self._to, number)
        return index < len(self._from) and self._from[index] <= number

    def __iter__(self) -> Iterator[Range]:
        return iter(list(zip(self._from, self._to, strict=True)))

    def __bool__(self) -> bool:
        return bool(self._from)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._from == other._from and self._to == other._to

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"
