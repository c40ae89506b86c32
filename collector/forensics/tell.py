"""What is no result, in words: one function for each kind of entry. Pure."""

from collections.abc import Callable

import msgspec

from collector.forensics.entry import Entry
from collector.forensics.words import Words, one_line


class Teller(msgspec.Struct, frozen=True):
    """Whose words, and how an instant is shown now."""

    words: Words
    instant: Callable[[object], str]


def tell(teller: Teller, one: Entry) -> str:
    """The entry on one line."""
    words, reason = teller.words, one.facts.get("reason")
    name = f"{words.term('kind', one.element_kind)} {one.element}"
    shown = f" ({words.term('reason', str(reason))})" if reason else ""
    found = _TELLERS.get(one.kind)
    return one_line(found(teller, one, name, shown) if found is not None else f"{name}: {one.what}")


def _verdict(teller: Teller, one: Entry, name: str, reason: str) -> str:
    words = teller.words
    since = teller.instant(one.facts.get("since"))
    head = words("VERDICT {name}: {state}", name=name, state=words.term("state", one.what))
    return head + reason + ", " + words("since {at}", at=since)


def _finding(teller: Teller, one: Entry, name: str, reason: str) -> str:
    state = one.facts.get("state")
    over = {"true": "", "false": " " + teller.words("(over)")}.get(str(state), f" [{state}]")
    return f"{name}: {teller.words.term('finding', one.what)}{over}{reason}"


def _ledger(teller: Teller, one: Entry, name: str, reason: str) -> str:
    words = teller.words
    lasted = words.seconds((one.to_us or one.at_us) - one.at_us)
    aside = " " + words("(put aside by later results)") if one.facts.get("superseded_by") else ""
    return words("LEDGER {name}: {state} for {lasted}", name=name, state=words.term("state", one.what),
                 lasted=lasted) + reason + aside  # fmt: skip


def _revision(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    was, became = words.term("state", facts.get("was")), words.term("state", facts.get("became"))
    head = words("REVISED {name}: {was} → {became}", name=name, was=was, became=became)
    return f"{head}, {teller.instant(facts.get('from'))} – {teller.instant(facts.get('to'))}. {facts.get('note', '')}"


def _incident(teller: Teller, one: Entry, _name: str, _reason: str) -> str:
    facts = one.facts
    return teller.words("INCIDENT {number}", number=facts["number"]) + f" · {facts.get('who')}: {one.what}"


def _notification(teller: Teller, one: Entry, _name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    state = words.term("message", one.what)
    text = words("MESSAGE of incident {number} to {to} by {channel}: {state}", number=facts["number"],
                 to=facts.get("to"), channel=facts.get("channel"), state=state)  # fmt: skip
    if facts.get("handed"):
        text += " " + teller.instant(facts["handed"])
    return text + (f" · {facts['subject']}" if facts.get("subject") else "") + _after(facts.get("error"))


def _maintenance(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    text = words("MAINTENANCE of {name}: {what}", name=name, what=words.term("work", one.what))
    return f"{text} ({teller.instant(facts['from'])} – {teller.instant(facts['to'])}, {facts.get('who')})"


def _isolation(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    return f"{name}: {teller.words.term('work', one.what)} ({one.facts.get('who')})"


def _probe(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    text = f"{name}: {words.term('probe', one.what)}"
    if facts.get("boot"):
        text += f" [{str(facts['boot'])[:6]}]"
    offset = facts.get("clock_offset_seconds")
    if isinstance(offset, int | float):
        text += ", " + words("clock off by {ms} ms", ms=words.number(1_000 * offset, 1))
    return text + "".join(_after(note) for note in facts.get("notes", ()))


def _hole(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    final = "results that never came" if facts.get("final") else "results that are not here yet"
    what = words(final)
    until = f", {words('until {at}', at=words.time(one.to_us))}" if one.to_us is not None else ""
    return (
        f"{name}: {facts['count']} {what} [{str(facts['boot'])[:6]} #{facts['first_seq']}–{facts['last_seq']}]{until}"
    )


def _leader(teller: Teller, one: Entry, _name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    text = words("COLLECTOR {holder} leads (epoch {epoch})", holder=facts.get("holder"), epoch=facts.get("epoch"))
    return text + (", " + words("after {holder}", holder=facts["after"]) if facts.get("after") else "")


def _topology(teller: Teller, one: Entry, _name: str, _reason: str) -> str:
    words, facts = teller.words, one.facts
    parts = [
        f"{words(word)}: {words.several(facts[word], 6)}" for word in ("added", "removed", "changed") if word in facts
    ]
    return words("TOPOLOGY in force [{hash}]", hash=str(facts.get("hash"))[:8]) + _after("; ".join(parts))


def _quarantine(teller: Teller, one: Entry, name: str, _reason: str) -> str:
    return teller.words("{name}: kept aside: {why}", name=name, why=one.what)


def _after(text: object) -> str:
    return f" · {text}" if text else ""


_TELLERS: dict[str, Callable[[Teller, Entry, str, str], str]] = {
    "verdict": _verdict, "finding": _finding, "ledger": _ledger, "revision": _revision, "incident": _incident,
    "notification": _notification, "maintenance": _maintenance, "isolation": _isolation, "probe": _probe,
    "hole": _hole, "topology": _topology, "leader": _leader, "quarantine": _quarantine,
}  # fmt: skip
