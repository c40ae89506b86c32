"""What becomes of the messages that wait, pure: which go now, which end unsent, and when to look again.

Messages of one incident to one person by one channel are a *thread*: they go in order. A page does not stand behind
one that waits for another try; it overtakes it. An attempt whose end nobody saw (a crash, a silent far end) may have
got through, so it is repeated a minute after it began, not before.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from sereno.clock import SECOND_US

DOUBT_US = 60 * SECOND_US  # no page comes twice within a minute
LATE_US = 60 * SECOND_US  # a page without a receipt for this long wants another way
AT_ONCE = 4  # attempts under way on one channel: a slow one holds up only itself
TRIES = 3  # failures in a row after which a channel is tried by one message at a time
LOOK_US = 5 * SECOND_US
SHORTEST_US = SECOND_US
LONGEST_US = 60 * SECOND_US

Thread = tuple[int | str, str, str]
Ending = Literal["expired", "obsolete"]
_OVER = frozenset({"resolved", "closed", "merged"})
_ASKING = frozenset({"repaged", "escalated"})  # pages that only want an answer


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A pending row of the outbox, without its text."""

    id: int
    incident: int | None
    recipient: str
    channel: str
    what: str
    page: bool
    created_us: int
    due_us: int
    deadline_us: int
    attempts: int = 0
    begun_us: int | None = None
    error: str | None = None
    told_us: int | None = None
    list_key: str | None = None  # a list, and the end of it where the far end keeps it open, are a thread too

    @property
    def thread(self) -> Thread | None:
        about = self.incident if self.incident is not None else self.list_key
        return None if about is None else (about, self.recipient, self.channel)

    @property
    def go_us(self) -> int:
        """When it may be tried."""
        return self.due_us if self.begun_us is None else max(self.due_us, self.begun_us + DOUBT_US)


class Line(msgspec.Struct, frozen=True):
    """How a channel fares: failures in a row, and until when it is left alone."""

    failures: int = 0
    rest_until_us: int = 0

    @property
    def broken(self) -> bool:
        """Tried by one message at a time only."""
        return self.failures >= TRIES


class Plan(msgspec.Struct, frozen=True):
    """What to do now, and when to look again."""

    go: tuple[int, ...]
    end: tuple[tuple[int, Ending, str], ...]
    late: tuple[int, ...]  # pages of which the desk must hear that they have no receipt
    look_us: int


class Known(msgspec.Struct, frozen=True):
    """What else the store says, of the incidents that wait."""

    states: Mapping[int, str] = {}  # of incidents
    reached: Collection[Thread] = ()  # something of the thread was handed over, or may have been
    missed: Collection[Thread] = ()  # something of it ended without being handed over


def plan(
    rows: Sequence[Waiting], now_us: int, *, flying: Collection[int], lines: Mapping[str, Line], known: Known
) -> Plan:
    """What becomes of the pending rows, given in the order of their ids."""
    end: dict[int, tuple[Ending, str]] = {}
    threads: dict[Thread, list[Waiting]] = {}
    for row in rows:
        if row.thread is not None:
            threads.setdefault(row.thread, []).append(row)
        if row.id not in flying and (found := _ending(row, now_us, lines, known)) is not None:
            end[row.id] = found
    for thread, members in threads.items():
        end |= _closing(thread, members, flying, end, lines, known)
    living = [row for row in rows if row.id not in end]
    ready = [
        row for row in living
        if row.id not in flying and row.go_us <= now_us and not _behind(row, threads, flying, end, now_us)
    ]  # fmt: skip
    go = _chosen(ready, living, now_us, flying, lines)
    late = [
        row.id for row in rows
        if row.page and row.told_us is None and (row.id in end or row.created_us + LATE_US <= now_us)
        and not (row.id in end and end[row.id][0] == "obsolete")
    ]  # fmt: skip
    return Plan(
        tuple(go), tuple((number, *found) for number, found in sorted(end.items())), tuple(late),
        _look(living, now_us, lines),
    )  # fmt: skip


def _held_up(row: Waiting, lines: Mapping[str, Line]) -> bool:
    """Its far end said no, or its channel is in trouble: it does not wait for us."""
    return row.error is not None or lines.get(row.channel, Line()).failures > 0


def _ending(row: Waiting, now_us: int, lines: Mapping[str, Line], known: Known) -> tuple[Ending, str] | None:
    """It has outlived what it says. Only what could not be handed over for a minute is looked at so."""
    if now_us >= row.deadline_us:
        return "expired", "nobody knows whether it got through" if row.begun_us else "it did not get through in time"
    if not row.page or row.incident is None or row.created_us + LATE_US > now_us or not _held_up(row, lines):
        return None
    state = known.states.get(row.incident, "open")
    if state in _OVER:
        return "obsolete", "the incident is over"
    if row.what in _ASKING and state not in {"open", "reopened"}:
        return "obsolete", "somebody has it"
    return None


def _closing(
    thread: Thread, members: list[Waiting], flying: Collection[int], end: Mapping[int, tuple[Ending, str]],
    lines: Mapping[str, Line], known: Known,
) -> dict[int, tuple[Ending, str]]:  # fmt: skip
    """A resolution takes the place of what still waits; who was never told of the fault is not told of its end."""
    last = next((row for row in reversed(members) if row.what == "resolved" and row.id not in flying), None)
    if last is None or last.id in end or any(row.id in flying and row.id < last.id for row in members):
        return {}
    earlier = [row for row in members if row.id < last.id]
    found: dict[int, tuple[Ending, str]] = {
        row.id: ("obsolete", "the resolution came first")
        for row in earlier
        if row.id not in end and _held_up(row, lines)
    }
    if any(row.id not in found and row.id not in end for row in earlier):
        return found  # never tried yet: they go out first, in order
    doubtful = any(row.begun_us is not None for row in earlier)
    if (earlier or thread in known.missed) and not doubtful and thread not in known.reached:
        found[last.id] = ("obsolete", "never told of the fault")
    return found


def _behind(
    row: Waiting, threads: Mapping[Thread, list[Waiting]], flying: Collection[int],
    end: Mapping[int, tuple[Ending, str]], now_us: int,
) -> bool:  # fmt: skip
    """Something of its thread goes first."""
    earlier = (one for one in threads.get(row.thread, []) if one.id < row.id) if row.thread is not None else iter(())
    for one in earlier:
        if one.id in flying:
            return True
        if one.id not in end and (not row.page or one.go_us <= now_us):
            return True
    return False


def _chosen(
    ready: list[Waiting], living: list[Waiting], now_us: int, flying: Collection[int], lines: Mapping[str, Line]
) -> list[int]:
    """At most so many on each channel, pages first."""
    busy: dict[str, int] = {}
    for row in living:
        if row.id in flying:
            busy[row.channel] = busy.get(row.channel, 0) + 1
    found = []
    for row in sorted(ready, key=lambda one: (not one.page, one.id)):
        line = lines.get(row.channel, Line())
        if now_us < line.rest_until_us or busy.get(row.channel, 0) >= (1 if line.broken else AT_ONCE):
            continue
        busy[row.channel] = busy.get(row.channel, 0) + 1
        found.append(row.id)
    return found


def _look(living: Sequence[Waiting], now_us: int, lines: Mapping[str, Line]) -> int:
    """The next instant at which time alone changes something."""
    dues = [now_us + LOOK_US]
    for row in living:
        rest = lines.get(row.channel, Line()).rest_until_us
        dues += [max(row.go_us, rest), row.deadline_us]
        if row.page and row.told_us is None:
            dues.append(row.created_us + LATE_US)
    return min(due for due in dues if due > now_us)


def backoff_us(attempts: int) -> int:
    """Doubling from one second to a minute, after so many attempts that failed."""
    return min(SHORTEST_US << min(max(attempts - 1, 0), 20), LONGEST_US)


def failed(line: Line, now_us: int, *, after_us: int | None) -> Line:
    """The channel after a failure that was its own; `after_us`: for how long it asked to be left alone."""
    failures = line.failures + 1
    rest_us = after_us or 0
    if failures >= TRIES:
        rest_us = max(rest_us, backoff_us(failures - TRIES + 1))
    return Line(failures, max(line.rest_until_us, now_us + rest_us) if rest_us else line.rest_until_us)


__all__ = ["AT_ONCE", "DOUBT_US", "LATE_US", "Known", "Line", "Plan", "Waiting", "backoff_us", "failed", "plan"]
