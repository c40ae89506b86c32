"""Forensics for pages and the API (sereno/answers/cases.py): the same case, in pieces, in somebody's words."""

from sqlalchemy import Connection

from collector.forensics import lanes, pieces
from collector.forensics.case import Case
from collector.forensics.correlate import Correlation
from collector.forensics.correlate import Onset as Found
from collector.forensics.entry import as_json
from collector.forensics.linewise import Linewise
from collector.forensics.words import Words, sentences, why
from sereno import evidence
from sereno.answers.cases import Asked, Entries, Head, Lines, Look, Onset, Sift, Source
from sereno.store import Store
from sereno.store.queries import forensics_slices as slices

_COMPARED = 4_000  # results that were not well, for what changed first
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
                lines=pieces.lines(case, asked, sift, words, after),
            )

    def lines(self, asked: Asked, sift: Sift, language: str, now_us: int, after: str | None = None) -> Lines:
        """One piece of the timeline."""
        with self._store.read() as connection:
            case = Case(connection, asked, now_us, bare=True)
            words = Words(language, case.world.newest.timezone)
            return pieces.lines(case, asked, sift, words, after)

    def entries(self, asked: Asked, after: str | None, limit: int, now_us: int) -> Entries:
        """Entries as JSON, unfolded."""
        with self._store.read() as connection:
            case = Case(connection, asked, now_us)
            reading = pieces.Reading(pieces.from_place(case, asked, after), limit)
            found = tuple(as_json(entry) for entry in reading)
            return Entries(lines=found, next=reading.next, read_us=reading.read_us(case))


# -- the head ---------------------------------------------------------------------------------------------------------


def _head(connection: Connection, case: Case, words: Words) -> Head:
    cut_us = slices.cut(connection, case.from_us, case.to_us, _COMPARED)
    found = case.correlation(to_us=cut_us)
    teller = Linewise(words)
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
        beside=tuple(teller.entry(one) for one in case.beside(found)),
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
