"""Lines of a timeline as records, in one person's words. Pure."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from collector.forensics.entry import Entry
from collector.forensics.fold import Fold, Shown
from collector.forensics.said import GLYPHS, KIND_GLYPHS, fold_text, result_text, verdicts_text
from collector.forensics.samples import Body
from collector.forensics.tell import Teller, tell
from collector.forensics.words import Words, one_line
from sereno import evidence
from sereno.answers.cases import Line, Source


class Linewise:
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
