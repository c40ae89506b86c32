"""A dialog's messages read again: which request got which answer, when. Pure; what cannot be parsed is skipped."""

import re
from collections.abc import Iterable

import msgspec

from probes.sip.errors import SipSyntaxError
from probes.sip.ipc import Message
from probes.sip.message import Reply, parse_reply, split_values

_REQUEST = re.compile(r"([A-Z]+) \S+ SIP/2\.0\r?\n")
_CSEQ = re.compile(r"^cseq[ \t]*:[ \t]*([0-9]{1,10})", re.IGNORECASE | re.MULTILINE)
_INSIDE = re.compile(r"^(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=", re.IGNORECASE | re.MULTILINE)
_BRANCH = re.compile(r"^(?:via|v)[ \t]*:[^\r\n]*;[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE | re.MULTILINE)
_CREDENTIALS = re.compile(r"^(?:proxy-)?authorization[ \t]*:", re.IGNORECASE | re.MULTILINE)
_CONTACT = re.compile(r"^(?:contact|m)[ \t]*:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request of ours, or of theirs (`ours` false)."""

    at_ns: int
    ours: bool
    method: str
    cseq: int
    credentials: bool
    contact: str | None
    inside: bool = False  # of a dialog that is there (RFC 3261 section 12.2)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A response to us."""

    at_ns: int
    reply: Reply


class Ladder(msgspec.Struct, frozen=True):
    """Requests and answers, each in order."""

    requests: tuple[Request, ...]
    answers: tuple[Answer, ...]

    def sent(self, method: str) -> list[Request]:
        """Our requests of this method, copies included; of INVITE those that begin a call, no re-INVITE."""
        sent = (request for request in self.requests if request.ours and request.method == method)
        return [request for request in sent if method != "INVITE" or not request.inside]

    def heard(self, method: str) -> list[Answer]:
        """Answers to this method."""
        return [answer for answer in self.answers if answer.reply.method == method]

    def final(self, method: str) -> Answer | None:
        """The final answer to our last request of this method (a digest makes two of one)."""
        sent = self.sent(method)
        if not sent:
            return None
        found = [a for a in self.heard(method) if a.reply.final and a.reply.cseq == sent[-1].cseq]
        return found[0] if found else None


def allows(messages: Iterable[Message], method: str) -> bool:
    """Whether a good answer to our INVITE lists this method in its Allow (RFC 3261 section 20.5)."""
    return any(
        method in (word.strip().upper() for word in split_values(value))
        for answer in read(messages).heard("INVITE")
        if answer.reply.code < 300  # noqa: PLR2004  # not of a challenge on the way
        for value in answer.reply.values("allow")
    )


def read(messages: Iterable[Message]) -> Ladder:
    """The ladder of these messages; what looks like an answer and has no branch of ours is none (section 17.1.3)."""
    requests: list[Request] = []
    answers: list[Answer] = []
    ours: set[str] = set()
    for message in messages:
        text = message.text
        asked, cseq = _REQUEST.match(text), _CSEQ.search(text)
        if asked is not None and cseq is not None:
            contact, branch = _CONTACT.search(text), _BRANCH.search(text)
            if message.direction == "sent" and branch is not None:
                ours.add(branch[1])
            requests.append(
                Request(
                    at_ns=message.at_ns,
                    ours=message.direction == "sent",
                    method=asked[1],
                    cseq=int(cseq[1]),
                    credentials=_CREDENTIALS.search(text) is not None,
                    contact=contact[1] if contact else None,
                    inside=_INSIDE.search(text) is not None,
                )
            )
        elif message.direction == "received":
            try:
                reply = parse_reply(text.encode())
            except SipSyntaxError:
                continue  # it stays in the evidence, as it came
            if reply.branch in ours:
                answers.append(Answer(at_ns=message.at_ns, reply=reply))
    return Ladder(tuple(requests), tuple(answers))
