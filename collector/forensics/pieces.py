"""A timeline piece by piece, from its beginning or from its end: each bounded in time and number."""

import base64
import binascii
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from collector.forensics.case import Case
from collector.forensics.entry import Entry, Key, key_of
from collector.forensics.fold import Shown, folded
from collector.forensics.linewise import Linewise
from collector.forensics.words import Words
from sereno.answers.cases import Asked, Line, Lines, Sift
from sereno.clock import SECOND_US
from sereno.errors import UsageError

LINES = 150
_ENTRIES = 40_000
_SLICE = 8_000  # entries of a slice, which is turned round in memory
_SLICES = 16  # of a window, at first
_SECONDS = 0.6  # of reading for one piece
_BEHIND_US = 300 * SECOND_US  # how far a piece looks back for what a series said before
_BEFORE = "before-"


class Reading:
    """Entries up to a bound of time and number; after it, where it stopped."""

    def __init__(self, entries: Iterator[Entry], most: int | None = None) -> None:
        self._entries, self._most = entries, _ENTRIES if most is None else most
        self._due = time.monotonic() + _SECONDS
        self._last: Entry | None = None
        self._whole = False
        self.count = 0
        self.enough = False  # set by who reads

    def __iter__(self) -> Iterator[Entry]:
        while not self._over():
            entry = next(self._entries, None)
            if entry is None:
                self._whole = True
                return
            self.count += 1
            self._last = entry
            yield entry

    def _over(self) -> bool:
        if self.enough or self.count >= self._most:
            return True
        return self.count > 0 and self.count % 64 == 0 and time.monotonic() > self._due

    @property
    def next(self) -> str | None:
        return None if self._whole or self._last is None else _place(self._last.key)

    def read_us(self, case: Case) -> int:
        """Everything before this instant has been read."""
        return case.to_us if self._whole or self._last is None else self._last.at_us


def from_place(case: Case, asked: Asked, after: str | None) -> Iterator[Entry]:
    if after is None:
        return case.timeline()
    place = _key(after)
    behind_us = _BEHIND_US if asked.only is not None else 0
    begin_us = min(max(case.from_us, place[0] - behind_us), case.to_us)
    return (entry for entry in case.timeline(begin_us) if key_of(entry) > place)


def _place(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def _key(text: str) -> Key:
    try:
        found: Key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Key)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise UsageError(f"after {text[:40]!r}: no place in a timeline; begin without one") from None
    return found


def lines(case: Case, asked: Asked, sift: Sift, words: Words, after: str | None) -> Lines:
    """One piece in the order that is wanted."""
    return (newest if sift.newest else oldest)(case, asked, sift, words, after)


def oldest(case: Case, asked: Asked, sift: Sift, words: Words, after: str | None) -> Lines:
    """From the beginning, or from a place on."""
    reading = Reading(from_place(case, asked, after))
    found: list[Line] = []
    for line in _said((entry for entry in reading if _wanted(entry, sift)), sift, words):
        found.append(line)
        reading.enough = len(found) >= LINES
    return Lines(lines=tuple(found), next=reading.next, read_us=reading.read_us(case), entries=reading.count)


def _wanted(entry: Entry, sift: Sift) -> bool:
    if entry.kind in {"result", "run"}:
        if not sift.results or (sift.outcomes and entry.what not in sift.outcomes):
            return False
        return not sift.reasons or entry.facts.get("reason") in sift.reasons
    if entry.kind in {"sip", "rtp"}:
        return False
    return sift.events and (entry.kind != "ledger" or entry.what not in {"up", "maintenance"})


def _said(entries: Iterable[Entry], sift: Sift, words: Words) -> Iterator[Line]:
    for line in Linewise(words).of(folded(entries) if sift.folded else _unfolded(entries)):
        if not sift.text or sift.text.casefold() in line.text.casefold():
            yield line


def _unfolded(entries: Iterable[Entry]) -> Iterator[Shown]:
    yield from entries


# -- from the end -----------------------------------------------------------------------------------------------------


def newest(case: Case, asked: Asked, sift: Sift, words: Words, after: str | None) -> Lines:
    """The same from the end of the window backwards, slice by slice; a slice is as long as it is quickly read."""
    upper_us = _before(after)
    due = time.monotonic() + _SECONDS
    length = max(SECOND_US, (case.to_us - case.from_us) // _SLICES)
    found: list[Line] = []
    count = 0
    while True:
        top_us = case.to_us if upper_us is None else upper_us
        lower_us = max(case.from_us, top_us - length)
        entries = _between(case, asked, lower_us, upper_us)
        taken = list(entries if length <= SECOND_US else islice(entries, _SLICE + 1))
        if len(taken) > _SLICE and length > SECOND_US:
            length = max(SECOND_US, length // 4)
            continue
        found += reversed([*_said((entry for entry in taken if _wanted(entry, sift)), sift, words)])
        count += len(taken)
        upper_us = lower_us
        if lower_us == case.from_us:
            return Lines(lines=tuple(found), next=None, read_us=case.from_us, entries=count)
        if len(found) >= LINES or count >= _ENTRIES or time.monotonic() > due:
            return Lines(lines=tuple(found), next=f"{_BEFORE}{lower_us}", read_us=lower_us, entries=count)
        length *= 2 if len(taken) < _SLICE // 4 else 1


def _between(case: Case, asked: Asked, lower_us: int, upper_us: int | None) -> Iterator[Entry]:
    """What lies in [lower, upper); at the ends also what reaches into the window, and what came after it."""
    behind_us = _BEHIND_US if asked.only is not None else 0
    for entry in case.timeline(max(case.from_us, lower_us - behind_us), upper_us):
        if upper_us is not None and entry.at_us >= upper_us:
            return
        if entry.at_us >= lower_us or lower_us == case.from_us:
            yield entry


def _before(after: str | None) -> int | None:
    if after is None:
        return None
    text = after.removeprefix(_BEFORE)
    if text == after or not text.isdecimal() or len(text) > 17:  # noqa: PLR2004
        raise UsageError(f"after {after[:40]!r}: no place in a timeline; begin without one")
    return int(text)
