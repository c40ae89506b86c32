"""Results in words: one of them, or many that said the same, on one line. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from collector.forensics.entry import Entry
from collector.forensics.fold import Fold
from collector.forensics.samples import Body
from collector.forensics.words import Words
from sereno import evidence
from sereno.clock import SECOND_US

GLYPHS = {
    "ok": "✓", "up": "✓", "late": "▲", "degraded": "▲", "failed": "✕", "down": "✕", "invalid": "?", "unknown": "?",
    "maintenance": "◆", "unreadable": "?",
}  # fmt: skip
KIND_GLYPHS = {
    "incident": "●", "notification": "»", "maintenance": "◆", "isolation": "◇", "probe": "○", "hole": "…",
    "topology": "¤", "leader": "¤", "finding": "!", "ledger": "▬", "revision": "~", "quarantine": "#",
}  # fmt: skip


def fold_text(words: Words, one: Fold) -> str:
    """`20 × ok · options · sbc-1/core-a · lab-1 · …`."""
    what = words.term("said", one.said) + (f", {words.term('reason', one.reason)}" if one.reason else "")
    if one.code is not None and one.said != "ok":
        what += f" ({one.code})"
    parts = [f"{one.count} × {what}", one.check, _names(words, one.elements, "elements"),
             _names(words, one.probes, "probes")]  # fmt: skip
    if one.least_seconds is not None and one.most_seconds is not None:
        least, mean, most = one.least_seconds, one.sum_seconds / one.measured, one.most_seconds
        spread = "/".join(words.number(1_000 * value, 1) for value in (least, mean, most))
        parts.append(words("{spread} ms min/mean/max", spread=spread))
    if one.to_us > one.from_us:
        parts.append(words("until {at}", at=words.time(one.to_us)))
    return " · ".join(parts)


def _names(words: Words, names: set[str], what: str) -> str:
    if len(names) <= 2:  # noqa: PLR2004
        return ", ".join(sorted(names))
    return words("{count} " + what, count=len(names))


def result_text(words: Words, one: Entry) -> str:
    """One result: which check of whom, what it said, how long it took, where it is stored."""
    body: Body = one.read or Body()
    parts = [f"{one.facts.get('check')} {one.element}", words("by {probe}", probe=one.source["probe"])]
    if one.what == "ok":
        parts.append(words("ok again"))
    elif one.what == "unreadable":
        parts.append(words("the stored result cannot be read"))
    else:
        reason = one.facts.get("reason")
        parts.append(words.term("reason", reason) if reason else words.term("said", one.what))
    code = f"{body.code} {body.phrase or ''}".strip() if isinstance(body.code, int) else None
    if code and one.what != "ok":
        parts.append(code if body.answered_by is None else f"{code} ({words.term('by', str(body.answered_by))})")
    if _is_number(body.rtt_seconds):
        parts.append(f"{words.number(1_000 * body.rtt_seconds, 1)} ms")
    if _is_number(body.answered_after_seconds):
        parts.append(words("after") + " " + words.seconds(round(body.answered_after_seconds * SECOND_US)))
    parts += _mos(words, body)
    told = evidence.detail(body.evidence)
    if told:
        parts.append(told)
    parts.append(f"[{str(one.source['boot'])[:6]} #{one.source['seq']}]")
    return " · ".join(parts)


def verdicts_text(words: Words, alike: Sequence[Entry], instant: Callable[[object], str]) -> str:
    """What was said of several elements at once, for the same reason."""
    one = alike[0]
    reason = f" ({words.term('reason', one.facts['reason'])})" if one.facts.get("reason") else ""
    names = ", ".join(f"{words.term('kind', each.element_kind)} {each.element}" for each in alike)
    since = min(str(each.facts.get("since")) for each in alike)
    text = words("VERDICT {name}: {state}", name=names, state=words.term("state", one.what)) + reason
    return text + ", " + words("since {at}", at=instant(since))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9  # noqa: PLR2004


def _mos(words: Words, body: Body) -> list[str]:
    found = []
    media = body.media if isinstance(body.media, dict) else {}
    for direction in ("rx", "tx"):
        stream = media.get(direction)
        value = stream.get("mos_lq") if isinstance(stream, dict) else None
        if _is_number(value):
            found.append(f"MOS {direction} {words.number(float(value), 2)}")
    return found
