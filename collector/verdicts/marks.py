"""Quality alarms that make their SBC or path degraded (docs/verdicts.md §8): from crossing plus the alarm's `for` on.

An overlay over what is shown of that element alone: votes, cores, sites and the ledger's downtime know nothing of it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sereno.verdict import Change

Element = tuple[str, str]


class Span(NamedTuple):
    """For how long an element was marked, and by which alarm."""

    element: Element
    reason: str
    from_us: int
    to_us: int


class Marks:
    """`take` what the thresholds say; `of` an element at an instant."""

    def __init__(self, waits_us: dict[tuple[str, str], int]) -> None:
        self._waits_us = waits_us  # (kind, what) of the alarms that degrade -> their `for`
        self._due: dict[Element, dict[str, int]] = {}
        self.spans: list[Span] | None = None  # whoever wants to know how it was gives a list

    def take(self, changes: Iterable[Change]) -> set[Element]:
        """The elements of which something else may have to be said now."""
        touched: set[Element] = set()
        for change in changes:
            wait_us = self._waits_us.get((change.kind, change.what))
            if wait_us is None:
                continue
            element = (change.kind, change.name)
            marked = self._due.setdefault(element, {})
            if change.state == "true":
                marked.setdefault(change.what, change.at_us + wait_us)
            else:
                since_us = marked.pop(change.what, None)
                if self.spans is not None and since_us is not None and since_us < change.at_us:
                    self.spans.append(Span(element, change.what, since_us, change.at_us))
                if not marked:
                    del self._due[element]
            touched.add(element)
        return touched

    @property
    def any(self) -> bool:
        """Whether anything is marked, or is about to be."""
        return bool(self._due)

    def of(self, element: Element, now_us: int) -> tuple[str, int] | None:
        """(alarm, since) of the first that marks the element by now."""
        marked = self._due.get(element)
        if not marked:
            return None
        since_us, name = min((due, name) for name, due in marked.items())
        return (name, since_us) if since_us <= now_us else None

    def next_after(self, now_us: int) -> int | None:
        """When the next one begins to count."""
        if not self._due:
            return None
        return min((due for marked in self._due.values() for due in marked.values() if due > now_us), default=None)

    def due(self, before_us: int, now_us: int) -> set[Element]:
        """Those that began to count in `(before, now]`."""
        return {
            element
            for element, marked in self._due.items()
            if any(before_us < due <= now_us for due in marked.values())
        }

    def over(self, now_us: int) -> list[Span]:
        """Every span so far, those that last still up to now."""
        lasting = [
            Span(element, name, due, now_us)
            for element, marked in self._due.items()
            for name, due in marked.items()
            if due < now_us
        ]
        return [*(self.spans or []), *lasting]
