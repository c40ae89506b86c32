"""One message about one incident."""

import msgspec

from alerting.clocks import overdue, running_out
from alerting.effects import Row, What
from alerting.letters.facts import Reader, facts
from alerting.letters.times import hour
from alerting.words import grade, subject
from sereno.incident import IncidentRecord
from sereno.incident.reading import titled

_SHORT = 150  # characters, so that it fits one SMS with a few accents


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, in every length in which a channel may want it."""

    subject: str
    title: str
    rows: tuple[Row, ...]
    body: str
    short: str


def letter(
    record: IncidentRecord, what: What, reader: Reader, *, service: str, step: str = "",
    runbook: tuple[str, ...] = (), url: str | None = None,
) -> Letter:  # fmt: skip
    """The message: a subject that is enough on a lock screen, then the facts, then what to do."""
    rows = facts(record, what, reader, service)
    head = subject(record, what, reader.locale)
    lines = [head, "", *(f"{row.label}: {row.text}" for row in rows)]
    if step:
        lines += ["", reader.say("First step: {step}", step=step)]
    if runbook:
        lines += [reader.say("Then:"), *(f"{place}. {line}" for place, line in enumerate(runbook, 1))]
    if url:
        lines += ["", reader.say("Incident and evidence: {url}", url=url)]
    return Letter(
        subject=head, title=titled(record, reader.locale), rows=rows, body="\n".join(lines),
        short=_short(record, what, reader, url),
    )  # fmt: skip


def _short(record: IncidentRecord, what: What, reader: Reader, url: str | None) -> str:
    """What fits a chat's title or one SMS: the news first, then what it is about."""
    mark = {"resolved": "✓ ", "promoted": "▲ "}.get(what, "")
    news = reader.say("since {since}", since=hour(record.since_us, reader.locale, reader.zone))
    if what == "breach_warning" and (running := running_out(record)):
        mark, news = "⏱ ", reader.say("due {at}", at=hour(running[0].due_us, reader.locale, reader.zone))
    if what == "breached" and (late := overdue(record)):
        mark, news = "✕ ", reader.say("overdue since {at}", at=hour(late[0].due_us, reader.locale, reader.zone))
    text = f"{mark}[{grade(record)}] #{record.number} {news}: {titled(record, reader.locale)}"
    text = text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
    return f"{text} {url}" if url else text
