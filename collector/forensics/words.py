"""Forensics in words: English ids, Spanish by the catalogue; instants in the topology's zone, never a cause claimed."""

from collections.abc import Iterable
from datetime import datetime
from unicodedata import category
from zoneinfo import ZoneInfo

from collector.forensics.correlate import Correlation, Onset, Shared
from sereno.clock import SECOND_US, to_datetime
from sereno.i18n import catalogue

LANGUAGES = ("es", "en")
_NAMED = 4  # names in a sentence; the rest are counted


def one_line(text: object) -> str:
    """Text of others on one line, without anything that a terminal would obey."""
    shown = "".join(" " if c.isspace() else c if category(c)[0] != "C" else "\ufffd" for c in str(text))
    return " ".join(shown.split(" ")).strip()


class Words:
    """The words of one language and time zone."""

    def __init__(self, language: str, timezone: str) -> None:
        self.language, self.timezone = language, timezone
        self.zone = ZoneInfo(timezone)
        self._translations = catalogue("collector", language)

    def __call__(self, message: str, /, **values: object) -> str:
        """The message in the reader's language, its placeholders filled."""
        found = self._translations.gettext(message)
        return found.format(**values) if values else found

    def term(self, family: str, word: str | None) -> str:
        """A word of a closed list (`state:up`); one that the catalogue has not is shown as it is, never hidden."""
        if not word:
            return ""
        key = f"{family}:{word}"
        found = self._translations.gettext(key)
        return word.replace("_", " ") if found == key else found

    def local(self, at_us: int) -> datetime:
        return to_datetime(at_us).astimezone(self.zone)

    def time(self, at_us: int) -> str:
        """`09:03:12.120`."""
        return self.local(at_us).strftime("%H:%M:%S.") + f"{at_us % SECOND_US // 1_000:03d}"

    def moment(self, at_us: int) -> str:
        """`2026-11-21 09:03:12`."""
        return self.local(at_us).strftime("%Y-%m-%d %H:%M:%S")

    def offset(self, at_us: int) -> str:
        """`UTC−06:00`."""
        text = self.local(at_us).strftime("%z")
        return f"UTC{text[0].replace('-', '−')}{text[1:3]}:{text[3:5]}"

    def number(self, value: float, digits: int = 1) -> str:
        text = f"{value:,.{digits}f}"
        return text if self.language == "en" else text.translate({44: ".", 46: ","})

    def seconds(self, duration_us: int) -> str:
        """`0,120 s`, `2 min 05 s`, `3 h 20 min`."""
        if duration_us < 60 * SECOND_US:
            return self.number(duration_us / SECOND_US, 3 if duration_us < 10 * SECOND_US else 1) + " s"
        whole = round(duration_us / SECOND_US)
        if whole < 3_600:  # noqa: PLR2004
            return f"{whole // 60} min {whole % 60:02d} s"
        return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"

    def several(self, names: Iterable[str], most: int = _NAMED) -> str:
        """`a, b and c`; a long list ends in how many more."""
        listed = list(names)
        if len(listed) > most + 1:
            shown = ", ".join(listed[:most])
            return self("{names} and {count} more", names=shown, count=len(listed) - most)
        if len(listed) <= 1:
            return "".join(listed)
        return ", ".join(listed[:-1]) + " " + self("and") + " " + listed[-1]


def sentences(words: Words, found: Correlation) -> list[str]:
    """What changed first, what shares it, what stayed well: order and coincidence, nothing else."""
    if not found.first:
        return _nothing_new(words, found)
    said = [_first(words, found)]
    if found.later:
        said.append(_later(words, found))
    if found.unordered:
        said.append(words("Sampled too rarely to be put in order with them: {count} more.", count=len(found.unordered)))
    said.append(_shared(words, found))
    if found.unaffected:
        said.append(words("Not affected: {names}.", names=words.several(found.unaffected, 8)))
    if found.already:
        names = sorted({series[0] for series in found.already})
        said.append(words("Failing already when the window begins: {names}.", names=words.several(names, 8)))
    said.append(words("This is order and coincidence in what was sampled, not proof of a cause."))
    return [one for one in said if one]


def _nothing_new(words: Words, found: Correlation) -> list[str]:
    said = []
    if found.already:
        names = sorted({series[0] for series in found.already})
        said.append(
            words("Nothing began to fail in this window; failing already when it begins: {names}.",
                  names=words.several(names, 8))
        )  # fmt: skip
        said.append(_shared(words, found))
    else:
        said.append(words("No check began to fail in this window."))
    if found.lone:
        said.append(words("Single failures among good results: {count}.", count=found.lone))
    return [one for one in said if one]


def _first(words: Words, found: Correlation) -> str:
    one = found.first[0]
    values: dict[str, object] = {
        "what": place(words, one), "at": words.time(one.high_us),
        "bound": words.seconds(one.high_us - one.low_us), "why": why(words, one),
    }  # fmt: skip
    if len(found.first) == 1:
        head = words("First to fail: {what}, {why}, at {at} (up to {bound} earlier).", **values)
    else:
        values |= {"count": len(found.first), "bound": words.seconds(found.within_us)}
        head = words(
            "First to fail, at the same time within {bound}: {count} series, among them {what}, {why}, at {at}.",
            **values,
        )
    if not one.sure:
        head += " " + words("A single failure each: nothing failed twice in a row.")
    return head


def _later(words: Words, found: Correlation) -> str:
    begin = found.first[0].high_us
    one = found.later[0]
    return words(
        "Certainly after: {count} more; the next one {what}, {lead} later.",
        count=len(found.later), what=place(words, one), lead=words.seconds(one.high_us - begin),
    )  # fmt: skip


def _shared(words: Words, found: Correlation) -> str:
    telling = [one for one in found.shared if one.separates] or [one for one in found.shared if one.holds][:2]
    if not telling:
        return words("No core, SBC, network or probe tells what failed from what did not.")
    parts = [_division(words, one) for one in telling[:3]]
    return words("What failed shares {parts}.", parts="; ".join(parts))


def _division(words: Words, one: Shared) -> str:
    return words(
        "{what} {name} ({inside} of {of} of its series failed, {outside} of {others} of the others)",
        what=words.term("kind", one.what), name=one.name, inside=one.inside, of=one.of_inside, outside=one.outside,
        others=one.of_outside,
    )  # fmt: skip


def place(words: Words, one: Onset) -> str:
    """`sbc-1/core-a seen by bog-1 (options)`."""
    return words("{element} seen by {probe} ({check})", element=one.element, probe=one.probe, check=one.check)


def why(words: Words, one: Onset) -> str:
    """The reason in words, else the standing."""
    return words.term("reason", one.reason) if one.reason else words.term("said", one.said)
