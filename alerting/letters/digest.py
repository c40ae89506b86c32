"""One message in place of many: a list, what is still wrong first, the gravest of it first."""

from collections.abc import Sequence

from alerting.effects import Item, Row
from alerting.letters.facts import Reader
from alerting.letters.incident import Letter
from alerting.words import say
from sereno.incident import PRIORITIES

_LISTED = 60  # incidents that one message spells out
_OVER = frozenset({"resolved", "found_late"})
_NAMES = {
    "opened": "opened", "promoted": "worse", "reopened": "again", "resolved": "over", "found_late": "found late, over",
    "repaged": "still waiting", "escalated": "still waiting", "breach_warning": "due soon", "breached": "overdue",
    "assigned": "assigned", "answered": "answered", "audit": "audit",
}  # fmt: skip


def digest(items: Sequence[Item], reader: Reader, *, service: str, url: str | None) -> Letter:
    """Several incidents in one message."""
    ordered = sorted(items, key=lambda one: (one.what in _OVER, PRIORITIES.index(one.priority), one.number))
    over = all(one.what in _OVER for one in items)
    head = _subject(ordered, reader, over=over)
    rows = [_row(one, reader) for one in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        rows.append(Row("…", reader.say("and {count} more", count=len(ordered) - _LISTED)))
    lines = [head, "", f"{reader.say('Service')}: {service}", "", *(f"{row.label}: {row.text}" for row in rows)]
    if url:
        lines += ["", reader.say("All incidents: {url}", url=url)]
    return Letter(
        subject=head, title=head, rows=tuple(rows), body="\n".join(lines), short=f"{head} {url}" if url else head
    )


def _row(item: Item, reader: Reader) -> Row:
    word = reader.say(_NAMES.get(item.what, item.what))
    at_us = item.since_us if item.resolved_us is None else item.resolved_us
    return Row(f"#{item.number} {word}", f"[{_grade(item)}] {item.title} ({reader.moment(at_us)})")


def _subject(items: Sequence[Item], reader: Reader, *, over: bool) -> str:
    count = len({one.number for one in items})
    if over:
        return _counted(reader, count, "[over] one incident", "[over] {count} incidents")
    worst = _grade(items[0])
    text = _counted(reader, count, "[{grade}] one incident more", "[{grade}] {count} incidents more", grade=worst)
    return f"{text}: {items[0].title}" + ("…" if count > 1 else "")


def _counted(reader: Reader, count: int, one: str, many: str, **values: object) -> str:
    """One or many: Spanish and English make the same difference."""
    return say(reader.locale, one if count == 1 else many, count=count, **values)


def _grade(item: Item) -> str:
    return f"{item.priority} {item.severity}" if item.severity else item.priority
