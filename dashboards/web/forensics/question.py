"""The question in a URL of `/forensics`: read forgivingly, written in one way: a link in a ticket lasts."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from dashboards.web.forensics.times import instant
from dashboards.web.words import Words
from sereno.answers.cases import Asked, Sift, Source
from sereno.clock import SECOND_US, iso
from sereno.wire import CHECKS, REASONS

ABOUT = ("path", "sbc", "core", "site", "probe", "target")
SHOWS = ("changes", "all", "failures")
OUTCOMES = ("failed", "late", "invalid", "ok")
KINDS = ("both", "results", "events")
_QUICK_US = 900 * SECOND_US
_WHOLE_US = 600 * SECOND_US  # up to this window every result is told, in longer ones where something changed
_LONGEST_US = 400 * 86_400 * SECOND_US
_LAST = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400}
_TEXT = 100


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """All of the state of the page."""

    from_us: int | None = None
    to_us: int | None = None
    about: str | None = None
    name: str = ""
    incident: int | None = None
    checks: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    reason: str | None = None
    text: str = ""
    show: str | None = None
    kind: str = "both"
    folded: bool = True
    newest: bool = False
    after: str | None = None
    result: Source | None = None

    @property
    def showing(self) -> str:
        """What is told of results: as asked, else by the length of the window."""
        if self.show is not None:
            return self.show
        short = self.from_us is not None and self.to_us is not None and self.to_us - self.from_us <= _WHOLE_US
        return "all" if short else "changes"

    def asked(self) -> Asked:
        """For the engine."""
        named: dict[str, Any] = {self.about: self.name} if self.about is not None else {}
        only = None if self.showing == "all" else self.showing
        return Asked(
            from_us=self.from_us, to_us=self.to_us, incident=self.incident, only=only,
            checks=frozenset(self.checks) or None, **named,
        )  # fmt: skip

    def sift(self) -> Sift:
        """Which lines are wanted."""
        return Sift(
            outcomes=frozenset(self.outcomes), reasons=frozenset({self.reason} if self.reason else ()), text=self.text,
            events=self.kind != "results", results=self.kind != "events", folded=self.folded,
            newest=self.newest,
        )  # fmt: skip

    def but(self, **changes: Any) -> "Question":
        """The same with changes; another question begins at its first line."""
        if "after" not in changes and changes.keys() - {"result"}:
            changes["after"] = None
        return msgspec.structs.replace(self, **changes)

    def pairs(self) -> list[tuple[str, str]]:
        """Names and values of the URL, in one order."""
        found = []
        if self.from_us is not None:
            found.append(("from", iso(self.from_us)))
        if self.to_us is not None:
            found.append(("to", iso(self.to_us)))
        if self.about is not None:
            found.append((self.about, self.name))
        if self.incident is not None:
            found.append(("incident", str(self.incident)))
        found += [
            (name, ",".join(values)) for name, values in (("check", self.checks), ("outcome", self.outcomes)) if values
        ]
        found += [
            (name, value) for name, value in (("reason", self.reason), ("q", self.text), ("show", self.show)) if value
        ]
        found += [("kind", self.kind)] if self.kind != "both" else []
        found += [("fold", "0")] if not self.folded else []
        found += [("sort", "newest")] if self.newest else []
        found += [("after", self.after)] if self.after else []
        if self.result is not None:
            found.append(("result", f"{self.result.probe}/{self.result.boot}/{self.result.seq}"))
        return found

    def query(self, **changes: Any) -> str:
        """`from=…&to=…`."""
        return urlencode(self.but(**changes).pairs(), safe=":/,")

    def address(self, **changes: Any) -> str:
        return "/forensics?" + self.query(**changes)


class Wrong(Exception):  # noqa: N818 - what a person wrote, and one line how to mend it
    """Something in the URL or the form cannot be understood; `str()` is for people, in their words."""


def read(given: Mapping[str, str], words: Words, now_us: int) -> Question:
    """The question of a URL or a form; Wrong says what to mend. Without a window and an incident: the last minutes."""
    about, name = _about(given)
    whole_us = now_us - now_us % SECOND_US + SECOND_US  # windows that nobody wrote begin and end with a second
    incident = _number(given.get("incident", ""), words)
    from_us, to_us = _moment(given, "from", words, now_us), _moment(given, "to", words, now_us)
    if (last := given.get("last", "")) in _LAST:
        from_us, to_us = whole_us - _LAST[last] * SECOND_US, whole_us
    if incident is None and to_us is None:
        to_us = whole_us if from_us is None or from_us >= whole_us else min(whole_us, from_us + _QUICK_US)
    if incident is None and from_us is None and to_us is not None:
        from_us = to_us - _QUICK_US
    if from_us is not None and to_us is not None:
        if from_us >= to_us:
            raise Wrong(words.text("The window ends before it begins: put the later hour into “To”."))
        if to_us - from_us > _LONGEST_US:
            raise Wrong(words.text("The window is longer than 400 days: give a shorter one."))
    return Question(
        from_us=from_us, to_us=to_us, about=None if incident is not None else about, name=name, incident=incident,
        checks=_several(given, "check", CHECKS), outcomes=_several(given, "outcome", OUTCOMES),
        reason=given["reason"] if given.get("reason") in REASONS else None, text=given.get("q", "").strip()[:_TEXT],
        show=given["show"] if given.get("show") in SHOWS else None,
        kind=given["kind"] if given.get("kind") in KINDS else "both", folded=given.get("fold") != "0",
        newest=given.get("sort") == "newest",
        after=given.get("after") or None, result=source(given.get("result", "")),
    )  # fmt: skip


def _about(given: Mapping[str, str]) -> tuple[str | None, str]:
    kind, _, name = given.get("about", "").partition(":")
    if kind in ABOUT and name:
        return kind, name
    return next(((each, given[each]) for each in ABOUT if given.get(each)), (None, ""))


def _number(text: str, words: Words) -> int | None:
    text = text.strip().lstrip("#")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 12:  # noqa: PLR2004
        raise Wrong(words.text("“{text}” is no incident's number: write it in digits.", text=text[:40]))
    return int(text)


def _moment(given: Mapping[str, str], name: str, words: Words, now_us: int) -> int | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        found = instant(text, words.zone, now_us)
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found < 1 << 52:
        raise Wrong(
            words.text(
                "“{text}” is no instant: write 2026-11-21 09:49, 09:49, yesterday 14:00 or 15 min ago.", text=text[:40]
            )
        )
    return found


def _several(given: Mapping[str, str], name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = {word.strip() for word in given.get(name, "").split(",")}
    return tuple(word for word in known if word in wanted)


def source(text: str) -> Source | None:
    """`probe/boot/seq`."""
    probe, _, rest = text.partition("/")
    boot, _, seq = rest.partition("/")
    if not probe or not boot or not seq.isdecimal() or len(seq) > 18:  # noqa: PLR2004
        return None
    return Source(probe, boot, int(seq))
