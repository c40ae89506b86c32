"""Forensics for pages and the API (sereno/answers/cases.py): the same case, in pieces, in somebody's words."""

import base64
import binascii
import time
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from collector.forensics import lanes
from collector.forensics.case import Case
from collector.forensics.correlate import Correlation
from collector.forensics.correlate import Onset as Found
from collector.forensics.entry import Entry, Key, as_json, key_of
from collector.forensics.fold import Fold, Shown, folded
from collector.forensics.said import GLYPHS, KIND_GLYPHS, fold_text, result_text, verdicts_text
from collector.forensics.samples import Body
from collector.forensics.tell import Teller, tell
from collector.forensics.words import Words, one_line, sentences, why
from sereno import evidence
from sereno.answers.cases import Asked, Entries, Head, Line, Lines, Look, Onset, Sift, Source, Standing
from sereno.clock import SECOND_US
from sereno.errors import UsageError
from sereno.store import Store
from sereno.store.queries import forensics_slices as slices

LINES = 150
_ENTRIES = 40_000
_SECONDS = 0.6  # of reading for one piece
_COMPARED = 4_000  # results that were not well, for what changed first
_BEHIND_US = 300 * SECOND_US  # how far a piece looks back for what a series said before
_ONSETS = 60


class StoreCases:
    """Cases of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def look(self, asked: Asked, sift: Sift, language: str, now_us: int, after: str | None = None) -> Look:
        """Head, picture and one piece of the timeline, from one snapshot."""
        with self._store.read() as connection:
            case = Case(connection, asked, now_us, bare=True)
            words = Words(language, case.world.newest.timezone)
            return Look(
                head=_head(connection, case, words),
                picture=lanes.picture(connection, case, now_us),
                lines=_lines(case, asked, sift, words, after),
            )

    def lines(self, asked: Asked, sift: Sift, language: str, now_us: int, after: str | None = None) -> Lines:
        """One piece of the timeline."""
        with self._store.read() as connection:
            case = Case(connection, asked, now_us, bare=True)
            words = Words(language, case.world.newest.timezone)
            return _lines(case, asked, sift, words, after)

    def entries(self, asked: Asked, after: str | None, limit: int, now_us: int) -> Entries:
        """Entries as JSON, unfolded."""
        with self._store.read() as connection:
            case = Case(connection, asked, now_us)
            reading = _Reading(_from_place(case, asked, after), limit)
            found = tuple(as_json(entry) for entry in reading)
            return Entries(lines=found, next=reading.next, read_us=reading.read_us(case))


# -- a piece ----------------------------------------------------------------------------------------------------------


class _Reading:
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


def _from_place(case: Case, asked: Asked, after: str | None) -> Iterator[Entry]:
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


def _lines(case: Case, asked: Asked, sift: Sift, words: Words, after: str | None) -> Lines:
    reading = _Reading(_from_place(case, asked, after))
    teller = _Lines(words)
    wanted = (entry for entry in reading if _wanted(entry, sift))
    found: list[Line] = []
    for line in teller.of(folded(wanted) if sift.folded else _unfolded(wanted)):
        if not sift.text or sift.text.casefold() in line.text.casefold():
            found.append(line)
        if len(found) >= LINES:
            reading.enough = True
    return Lines(lines=tuple(found), next=reading.next, read_us=reading.read_us(case), entries=reading.count)


def _wanted(entry: Entry, sift: Sift) -> bool:
    if entry.kind in {"result", "run"}:
        if not sift.results or (sift.outcomes and entry.what not in sift.outcomes):
            return False
        return not sift.reasons or entry.facts.get("reason") in sift.reasons
    if entry.kind in {"sip", "rtp"}:
        return False
    return sift.events and (entry.kind != "ledger" or entry.what not in {"up", "maintenance"})


def _unfolded(entries: Iterable[Entry]) -> Iterator[Shown]:
    yield from entries


class _Lines:
    """Lines of what is shown, in one person's words."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._teller = Teller(words, self._instant)

    def of(self, shown: Iterable[Shown]) -> Iterator[Line]:
        """One line each; verdicts said at once for one reason are one."""
        alike: list[Entry] = []
        for one in shown:
            same = isinstance(one, Entry) and one.kind == "verdict"
            if alike and not (same and _like(alike[0], one)):
                yield self._verdicts(alike)
                alike = []
            if isinstance(one, Entry) and same:
                alike.append(one)
            else:
                yield self.fold(one) if isinstance(one, Fold) else self.entry(one)
        if alike:
            yield self._verdicts(alike)

    def _verdicts(self, alike: list[Entry]) -> Line:
        line = self.entry(alike[0])
        if len(alike) == 1:
            return line
        return replace(line, text=one_line(verdicts_text(self._words, alike, self._instant)), count=len(alike))

    def entry(self, one: Entry) -> Line:
        if one.kind == "result":
            return self._result(one)
        number = one.facts.get("number")
        return Line(
            at_us=one.at_us, to_us=one.to_us, kind=one.kind, said=one.what,
            glyph=GLYPHS.get(one.what, "?") if one.kind in {"verdict", "run"} else KIND_GLYPHS.get(one.kind, "·"),
            text=tell(self._teller, one), element_kind=one.element_kind, element=one.element,
            incident=number if isinstance(number, int) else None,
        )  # fmt: skip

    def _result(self, one: Entry) -> Line:
        body: Body = one.read or Body()
        kept = body.evidence if isinstance(body.evidence, dict) else {}
        messages = kept.get("messages")
        source = one.source
        return Line(
            at_us=one.at_us, kind="result", said=one.what, glyph=GLYPHS.get(one.what, "·"),
            text=one_line(result_text(self._words, one)), element_kind=one.element_kind, element=one.element,
            check=str(one.facts.get("check")), source=Source(source["probe"], source["boot"], source["seq"]),
            messages=len(messages) if isinstance(messages, list) else 0,
            seconds=1 if "rtp_seconds" in kept or "rtp" in kept else 0,
        )  # fmt: skip

    def fold(self, one: Fold) -> Line:
        names = sorted(one.elements)
        return Line(
            at_us=one.from_us, to_us=one.to_us, kind="fold", said=one.said, glyph=GLYPHS.get(one.said, "·"),
            text=one_line(fold_text(self._words, one)), element_kind="", element=names[0] if len(names) == 1 else "",
            check=one.check, count=one.count,
        )  # fmt: skip

    def _instant(self, given: object) -> str:
        at_us = evidence.instant(given)
        return "—" if at_us is None else self._words.moment(at_us)


def _like(first: Entry, one: Shown) -> bool:
    if not isinstance(one, Entry):
        return False
    return (one.at_us, one.what, one.facts.get("reason")) == (first.at_us, first.what, first.facts.get("reason"))


# -- the head ---------------------------------------------------------------------------------------------------------


def _head(connection: Connection, case: Case, words: Words) -> Head:
    cut_us = slices.cut(connection, case.from_us, case.to_us, _COMPARED)
    found = case.correlation(to_us=cut_us)
    teller = _Lines(words)
    notes = (words(message, **_shown(words, values)) for message, values in case.notes())
    ats = [at for at in (case.coverage.first_us, case.coverage.first_run_us) if at is not None]
    ends = [at for at in (case.coverage.last_us, case.coverage.last_run_us) if at is not None]
    return Head(
        from_us=case.from_us, to_us=case.to_us, kind=case.selection.kind, name=case.selection.name,
        incident=case.incident.number if case.incident is not None else None,
        title=case.incident.title if case.incident is not None else None,
        zone=case.world.newest.timezone, first_us=min(ats, default=None), last_us=max(ends, default=None),
        notes=tuple(notes), sentences=tuple(sentences(words, found)),
        compared_us=case.to_us if cut_us is None else cut_us, onsets=_onsets(words, found),
        beside=tuple(teller.entry(one) for one in case.beside(found)), standing=_standing(case),
    )  # fmt: skip


def _shown(words: Words, values: dict[str, str]) -> dict[str, str]:
    at_us = evidence.instant(values.get("at"))
    return values if at_us is None else values | {"at": words.moment(at_us)}


def _onsets(words: Words, found: Correlation) -> tuple[Onset, ...]:
    def onset(one: Found, wave: str) -> Onset:
        return Onset(
            wave=wave, at_us=one.high_us, low_us=one.low_us, recovered_us=one.recovered_us, element=one.element,  # type: ignore[arg-type]
            probe=one.probe, check=one.check, said=one.said, why=why(words, one), source=Source(*one.source),
        )  # fmt: skip

    waves = (("first", found.first), ("later", found.later), ("unordered", found.unordered))
    every = [onset(one, wave) for wave, ones in waves for one in ones]
    return tuple(sorted(every, key=lambda one: one.at_us)[:_ONSETS])


def _standing(case: Case) -> tuple[Standing, ...]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for one in case.before():
        groups.setdefault(one.what, []).append((one.element_kind, one.element))
    return tuple(Standing(state=state, elements=tuple(elements)) for state, elements in groups.items())
