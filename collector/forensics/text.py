"""The timeline for a terminal: one line an entry, words and glyphs before colour, at most as wide as it is told."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from collector.forensics.case import Case
from collector.forensics.correlate import Correlation, Onset
from collector.forensics.entry import Entry
from collector.forensics.fold import Fold, Shown, folded
from collector.forensics.said import GLYPHS, KIND_GLYPHS, fold_text, result_text, verdicts_text
from collector.forensics.tell import Teller, tell
from collector.forensics.words import Words, one_line, sentences, why
from sereno import evidence
from sereno.clock import SECOND_US, parse_instant

_COLOURS = {"✓": "32", "✕": "31", "▲": "33", "?": "35", "!": "33", "●": "1;31", "◆": "36", "◇": "36"}
_INDENT = 17  # "09:03:12.120  ✕  "
_ONSETS = 12
_LADDER = 14
_SECONDS = 12


class Terminal:
    """Lines of one case."""

    def __init__(self, words: Words, *, width: int = 100, colour: bool = False, full: bool = False) -> None:
        self._words, self._width, self._colour, self._full = words, max(60, width), colour, full
        self._day = ""

    # -- the head -----------------------------------------------------------------------------------------------------

    def head(self, case: Case, found: Correlation) -> Iterator[str]:
        """What is asked, what changed first, how all stood at the beginning."""
        words, chosen = self._words, case.selection
        kind = words.term("kind", chosen.kind)
        yield self._bold(words("Forensics: {kind} {name}", kind=kind, name=chosen.name))
        if case.incident is not None:
            yield from self._wrapped(case.incident.title, "", "")
        begin, end = words.moment(case.from_us), words.moment(case.to_us)
        zone = f"{words.timezone}, {words.offset(case.from_us)}"
        yield words("From {begin} to {end} ({zone})", begin=begin, end=end, zone=zone)
        for message, values in case.notes():
            shown = {name: self._instant(value) if name == "at" else value for name, value in values.items()}
            yield from self._wrapped(words(message, **shown) if shown else words(message), "! ", "  ")
        yield ""
        yield self._bold(words("WHAT CHANGED FIRST"))
        for sentence in sentences(words, found):
            yield from self._wrapped(sentence, "  ", "  ")
        onsets = sorted((*found.first, *found.later, *found.unordered), key=lambda one: one.high_us)
        for one in onsets[:_ONSETS]:
            yield self._onset(one, found.first[0].high_us)
        if len(onsets) > _ONSETS:
            yield "  " + words("… and {count} more (all of them with --json)", count=len(onsets) - _ONSETS)
        for done in case.beside(found):
            lead = words.seconds(max(0, found.first[0].high_us - done.at_us))
            text = words("{lead} before: {what}", lead=lead, what=tell(Teller(words, self._instant), done))
            yield from self._wrapped(text, f"  {KIND_GLYPHS.get(done.kind, '·')} ", "    ")
        standing = case.before()
        if standing:
            yield ""
            yield self._bold(words("AT THE BEGINNING"))
            yield from self._standing(standing)
        yield ""
        yield self._bold(words("TIMELINE"))

    def _onset(self, one: Onset, begin_us: int) -> str:
        words = self._words
        lead = f"+{words.number((one.high_us - begin_us) / SECOND_US, 3)} s"
        bound = f"(−{words.number((one.high_us - one.low_us) / SECOND_US, 3)} s)"
        over = f"–{words.time(one.recovered_us)}" if one.recovered_us is not None else "–"
        names = f"{one.element:<14} {one.check:<8} {one.probe}"
        text = (
            f"  {words.time(one.high_us)}{over:<13} {lead:>9} {bound:>11} {GLYPHS[one.said]} {names} {why(words, one)}"
        )
        text = text if len(text) <= self._width else text[: self._width - 1] + "…"
        return text.replace(GLYPHS[one.said], self._glyph(GLYPHS[one.said]), 1)

    def _standing(self, entries: Iterable[Entry]) -> Iterator[str]:
        """Elements that stood alike on one line."""
        words = self._words
        groups: dict[str, list[str]] = {}
        for one in entries:
            groups.setdefault(one.what, []).append(f"{words.term('kind', one.element_kind)} {one.element}")
        for state, names in groups.items():
            head = f"  {self._glyph(GLYPHS.get(state, '?'))} {words.term('state', state)}: "
            yield from self._wrapped(", ".join(names), head, "      ")

    # -- the timeline ------------------------------------------------------------------------------------------------

    def timeline(self, entries: Iterable[Entry]) -> Iterator[str]:
        """Every entry in its order, equal results folded."""
        alike: list[Entry] = []
        for one in folded(_telling(entries)):
            if alike and not _like(alike[0], one):
                yield from self._verdicts(alike)
                alike = []
            if isinstance(one, Entry) and one.kind == "verdict":
                alike.append(one)
            else:
                yield from self._shown(one)
        yield from self._verdicts(alike)

    def _verdicts(self, alike: list[Entry]) -> Iterator[str]:
        """What was said of several elements at once, for the same reason, on one line."""
        if len(alike) <= 1:
            for one in alike:
                yield from self._shown(one)
            return
        one = alike[0]
        yield from self._date(one.at_us)
        yield from self._line(one.at_us, GLYPHS.get(one.what, "?"), verdicts_text(self._words, alike, self._instant))

    def _date(self, at_us: int) -> Iterator[str]:
        day = self._words.local(at_us).strftime("%Y-%m-%d")
        if day != self._day:
            self._day = day
            yield f"── {day} " + "─" * 20

    def foot(self, case: Case, counts: Mapping[str, int]) -> Iterator[str]:
        """What there was, counted; or that there was nothing, and what the store covers."""
        words = self._words
        if not counts:
            yield words("Nothing in this window.")
            covered = case.coverage
            if covered.first_us is not None and covered.last_us is not None:
                begin, end = words.moment(covered.first_us), words.moment(covered.last_us)
                yield words("The store has results from {begin} to {end}.", begin=begin, end=end)
            return
        results = {word.partition(":")[2]: count for word, count in counts.items() if word.startswith("result:")}
        parts = [f"{count} {words.term('said', word)}" for word, count in sorted(results.items())]
        total = words("{count} results", count=sum(results.values())) + (f" ({', '.join(parts)})" if parts else "")
        rest = [f"{words.term('entries', kind)}: {count}" for kind, count in sorted(counts.items()) if ":" not in kind]
        yield ""
        yield from self._wrapped("; ".join([total, *rest]), "", "  ")
        if case.holes_left:
            yield words("{count} more holes are not shown.", count=case.holes_left)

    def _shown(self, one: Shown) -> Iterator[str]:
        if not (isinstance(one, Entry) and one.kind in {"sip", "rtp"}):
            yield from self._date(one.from_us if isinstance(one, Fold) else one.at_us)
        if isinstance(one, Fold):
            yield from self._line(one.from_us, GLYPHS.get(one.said, "·"), fold_text(self._words, one))
        elif one.kind == "sip":
            yield from self._below(self._sip(one))
        elif one.kind == "rtp":
            yield from self._below(self._rtp(one))
        elif one.kind == "result":
            yield from self._line(one.at_us, GLYPHS.get(one.what, "·"), result_text(self._words, one))
        else:
            glyph = GLYPHS.get(one.what, "?") if one.kind == "verdict" else KIND_GLYPHS.get(one.kind, "·")
            yield from self._line(one.at_us, glyph, tell(Teller(self._words, self._instant), one))

    def _line(self, at_us: int, glyph: str, text: str) -> Iterator[str]:
        lines = textwrap.wrap(one_line(text), self._width - _INDENT, break_long_words=True) or [""]
        yield f"{self._words.time(at_us)}  {self._glyph(glyph)}  {lines[0]}"
        for more in lines[1:]:
            yield " " * _INDENT + more

    def _below(self, lines: Iterable[str]) -> Iterator[str]:
        """What belongs to the line above; it is cut where it is too long."""
        for line in lines:
            yield (" " * _INDENT + line)[: self._width]

    # -- ladders and packets -----------------------------------------------------------------------------------------

    def _sip(self, one: Entry) -> Iterator[str]:
        words = self._words
        probe = str(one.source["probe"])
        peer = one.element.partition("/")[0]
        given: Sequence[Mapping[str, Any]] = one.facts.get("messages", ())
        if one.what != "messages":
            yield words("the far end, called:")
        shown = given if self._full or len(given) <= _LADDER else [*given[: _LADDER - 4], *given[-3:]]
        for index, message in enumerate(shown):
            if len(shown) < len(given) and index == _LADDER - 4:
                yield "  " + words("… {count} more", count=len(given) - len(shown))
            yield self._message(message, probe, peer, one.at_us)
        if one.facts.get("left_out"):
            yield "  " + words("{count} messages were not kept", count=one.facts["left_out"])

    def _message(self, message: Mapping[str, Any], probe: str, peer: str, begin_us: int) -> str:
        words = self._words
        at_us = evidence.instant(message.get("at"))
        lead = "" if at_us is None else f"+{words.number(max(0, at_us - begin_us) / 1_000, 1)} ms"
        arrow = "──▶" if message["direction"] == "sent" else "◀──"
        if message.get("method"):
            what = f"{message['method']} {message.get('uri', '')}"
        elif message.get("code"):
            what = f"{message['code']} {message.get('phrase', '')}"
        else:
            what = words("no SIP message")
        again = " " + words("(again)") if message.get("repeats") is not None else ""
        return f"{lead:>12}  {probe} {arrow} {peer}  {one_line(what).strip()}{again}"

    def _rtp(self, one: Entry) -> Iterator[str]:
        words = self._words
        given: Sequence[Mapping[str, Any]] = one.facts.get("seconds", ())
        for direction in ("rx", "tx"):
            rows = [row for row in given if row.get("direction") == direction]
            if not rows:
                continue
            packets, lost = (sum(int(row.get(name) or 0) for row in rows) for name in ("packets", "lost"))
            bad = [row for row in rows if row.get("lost") or row.get("discarded") or not row.get("packets")]
            label = words("RTP received") if direction == "rx" else words("RTP sent")
            yield words("{label}: {packets} packets in {seconds} rows, {lost} lost, {bad} of them bad",
                                 label=label, packets=packets, seconds=len(rows), lost=lost, bad=len(bad))  # fmt: skip
            for row in rows if self._full else bad[:_SECONDS]:
                yield "  " + self._second(row)
            if not self._full and len(bad) > _SECONDS:
                yield "  " + words("… {count} more", count=len(bad) - _SECONDS)
        if one.facts.get("pcap"):
            yield words("packets kept in {path} (on {probe})", path=one_line(one.facts["pcap"])[:60],
                                 probe=one.source["probe"])  # fmt: skip

    def _second(self, row: Mapping[str, Any]) -> str:
        words = self._words
        parts = [words.time(parse_instant(row["at"]))]
        for name, label in (("packets", "packets"), ("lost", "lost"), ("discarded", "discarded")):
            if row.get(name) is not None:
                parts.append(f"{row[name]:g} {words(label)}")
        if row.get("jitter_mean_seconds") is not None:
            parts.append(f"jitter {words.number(1_000 * row['jitter_mean_seconds'], 1)} ms")
        if row.get("mos_lq") is not None:
            parts.append(f"MOS {words.number(row['mos_lq'], 2)}")
        return "  ".join(parts)

    # -- small things ------------------------------------------------------------------------------------------------

    def _instant(self, given: object) -> str:
        at_us = evidence.instant(given)
        if at_us is None:
            return "—"
        day = self._words.local(at_us).strftime("%Y-%m-%d")
        return self._words.time(at_us) if day == self._day else self._words.moment(at_us)

    def _wrapped(self, text: str, first: str, rest: str) -> Iterator[str]:
        width = self._width
        yield from textwrap.wrap(one_line(text), width, initial_indent=first, subsequent_indent=rest) or [first]

    def _glyph(self, glyph: str) -> str:
        return f"\x1b[{_COLOURS[glyph]}m{glyph}\x1b[0m" if self._colour and glyph in _COLOURS else glyph

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._colour else text


def _telling(entries: Iterable[Entry]) -> Iterator[Entry]:
    """For eyes the ledger is what was not well; its hour blocks of the rest are in --json."""
    for one in entries:
        if one.kind != "ledger" or one.what not in {"up", "maintenance"}:
            yield one


def _like(first: Entry, one: Shown) -> bool:
    """Whether a verdict was said at the same time, with the same words."""
    if not isinstance(one, Entry) or one.kind != "verdict":
        return False
    return (one.at_us, one.what, one.facts.get("reason")) == (first.at_us, first.what, first.facts.get("reason"))
