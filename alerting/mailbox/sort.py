"""What becomes of a letter, pure: refused, an acknowledgement, a message on its incident, or a new ticket."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from alerting.mailbox.message import Letter
from sereno.desk import Desk
from sereno.desk.inbound import Mailbox
from sereno.topology.model import Topology

OURS = re.compile(r"sereno\.(\d{1,18})[.@]")  # our Message-IDs name their incident
TOKEN = re.compile(r"\[(?:SER-|#)(\d{1,18})\]", re.IGNORECASE)
_REPLY = re.compile(r"^(?:\s*(?:re|rv|fw|fwd|aw|res)\s*(?:\[\d+\])?\s*:)+\s*", re.IGNORECASE)
_ACK = re.compile(
    r"(?:ack|acknowledged?|recibido|enterad[oa]|tomo|l[oa] tomo|l[oa] tengo|atiendo|l[oa] atiendo|yo l[oa] veo"
    r"|got it|i have it|on it|taking it|mine)(?:\b|$)"
)
_QUOTES = re.compile(
    r"^(?:>|-{2,}\s*(?:original message|mensaje original|forwarded message|mensaje reenviado)|_{10,}"
    r"|(?:on|el)\s.{5,200}(?:wrote|escribi[oó]):?\s*$|(?:from|de)\s*:\s.{1,200}@)",
    re.IGNORECASE,
)
_WROTE = re.compile(r"(?:wrote|escribi[oó])\s*:\s*$", re.IGNORECASE)
_SIGNATURE = "--"
LONGEST_ACK = 60  # characters of a line that is nothing but an acknowledgement


def folded(text: str) -> str:
    """Small letters without accents, one space between words."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def written(text: str) -> str:
    """What was written now: without what it quotes and without the signature."""
    kept: list[str] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        following = lines[place + 1].strip() if place + 1 < len(lines) else ""
        split_intro = re.match(r"^(?:on|el)\s", line, re.IGNORECASE) and _WROTE.search(following)
        if line.strip() == _SIGNATURE or _QUOTES.match(line.strip()) or split_intro:
            break
        kept.append(line)
    return "\n".join(kept).strip()


def is_ack(text: str) -> bool:
    """A first line that says "I have it", and little more."""
    first = next((line for line in written(text).split("\n") if line.strip()), "")
    return len(first) <= LONGEST_ACK and _ACK.match(folded(first).lstrip("¡!*.- ")) is not None


def subject_of(letter: Letter) -> str:
    """The ticket's title: the subject without `Re:`; without a subject the first words."""
    bare = _REPLY.sub("", TOKEN.sub("", letter.subject)).strip()
    return (bare or next((line for line in letter.text.split("\n") if line.strip()), "") or "(sin asunto)")[:200]


def referred(letter: Letter) -> list[int]:
    """Incidents that our own Message-IDs among its references name, the nearest first."""
    return list(dict.fromkeys(int(found[1]) for one in letter.references if (found := OURS.match(one))))


def tokened(letter: Letter) -> int | None:
    """The incident that the subject names."""
    found = TOKEN.search(letter.subject)
    return int(found[1]) if found else None


def kind_of(letter: Letter, box: Mailbox) -> tuple[str, str | None]:
    """(`incident` or `request`, the word that decided): something broke where one of the words is in it."""
    if box.kind != "auto":
        return box.kind, None
    words = folded(f"{letter.subject}\n{written(letter.text)[:2_000]}")
    for word in box.words:
        if re.search(rf"\b{re.escape(folded(word))}\b", words):
            return "incident", word
    return "request", None


def person_of(letter: Letter, desk: Desk) -> str | None:
    """The desk's own person by that address."""
    for name, person in desk.people.items():
        if person.email is not None and person.email.lower() == letter.sender:
            return name
    return None


def customer_of(sender: str, topology: Topology, senders: Mapping[str, Sequence[str]]) -> str | None:
    """The customer that this address writes for: by address before by domain; of two, none."""
    addresses = {name: set(map(str.lower, customer.contacts)) for name, customer in topology.customers.items()}
    domains: dict[str, set[str]] = {name: set() for name in topology.customers}
    for name, known in senders.items():
        if name in topology.customers:
            addresses[name] |= {one.lower() for one in known if not one.startswith("@")}
            domains[name] |= {one[1:].lower() for one in known if one.startswith("@")}
    domain = sender.rpartition("@")[2]
    return _only({name for name, known in addresses.items() if sender in known}) or _only(
        {name for name, known in domains.items() if domain in known}
    )


def _only(found: Collection[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None


def believed(letter: Letter, authserv: str | None) -> bool:
    """Whether the sender is who he says, by our own server's word (RFC 8601); without one named, he is."""
    if authserv is None:
        return True
    for line in letter.authentication:  # the topmost of ours: what is below came with the message
        server, _, said = line.partition(";")
        if server.split()[:1] == [authserv]:
            results = dict(re.findall(r"\b(dmarc|dkim|spf)\s*=\s*(\w+)", said.lower()))
            return results.get("dmarc") == "pass" or (
                "dmarc" not in results and "pass" in (results.get("dkim"), results.get("spf"))
            )
    return False
