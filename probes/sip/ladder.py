"""A dialog's messages read again: which request got which answer, when. Pure; what cannot be parsed is skipped."""

import re
from collections.abc import Iterable

import msgspec

from probes.sip.errors import SipSyntaxError
from probes.sip.ipc import Message
from probes.sip.message import Reply, parse_reply

_REQUEST = re.compile(r"([A-Z]+) \S+ SIP/2\.0\r?\n")
_CSEQ = re.compile(r"^cseq[ \t]*:[ \t]*([0-9]{1,10})", re.IGNORECASE | re.MULTILINE)
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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A response to us."""

    at_ns: int
    reply: Reply


class Ladder(msgspec.Struct, frozen=True):
    """Requests and answers, each in order."""

    requests: tuple[Request, ...]
    answers: tuple[Answer, ...]

    def sent(self, method: str) -> list[Request]:
        """Our requests of this method, copies included."""
        return [request for request in self.requests if request.ours and request.method == method]

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


def read(messages: Iterable[Message]) -> Ladder:
    """The ladder of these messages."""
    requests: list[Request] = []
    answers: list[Answer] = []
    for message in messages:
        text = message.text
        asked, cseq = _REQUEST.match(text), _CSEQ.search(text)
        if asked is not None and cseq is not None:
            contact = _CONTACT.search(text)
            requests.append(
                Request(
                    at_ns=message.at_ns,
                    ours=message.direction == "sent",
                    method=asked[1],
                    cseq=int(cseq[1]),
                    credentials=_CREDENTIALS.search(text) is not None,
                    contact=contact[1] if contact else None,
                )
            )
        elif message.direction == "received":
            try:
                answers.append(Answer(at_ns=message.at_ns, reply=parse_reply(text.encode())))
            except SipSyntaxError:
                continue  # it stays in the evidence, as it came
    return Ladder(tuple(requests), tuple(answers))
