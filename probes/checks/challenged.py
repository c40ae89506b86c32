"""An OPTIONS that may be challenged: answered when the topology has an account for the realm (RFC 3261 section 22).

Without one a 401 or 407 stays what it is, an answer. So it does when the account is refused: somebody spoke, and a
wrong password of ours is nobody's downtime; `facts.digest` tells of it.
"""

import asyncio
from typing import Any

import msgspec

from probes.checks.base import Runtime, Target
from probes.sip.client import Ask, Exchange, Late, SipClient
from probes.sip.digest import Challenge, Credentials, authorization, challenges
from probes.sip.message import Reply

_CHALLENGED = frozenset({401, 407})
_ROUNDS = 3  # a proxy and a core may both ask, and one nonce may be stale


class Digest:
    """One check's conversation; `facts` says what became of the credentials, if any were given."""

    def __init__(self, target: Target, runtime: Runtime) -> None:
        self._target, self._runtime = target, runtime
        self._place = (target.address or "", target.core or "", target.check)
        self.facts: dict[str, Any] | None = None

    async def options(self, sip: SipClient, ask: Ask, on_late: Late) -> Exchange:
        """The exchange that counts: the last one, with the instant of the first and the messages of all."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ask.timeout_seconds
        lines: dict[str, str] = {}
        used, first, fresh = self._remembered(sip, ask, lines), None, False
        while True:
            asked = self._signed(ask, lines, until - loop.time()) if lines or first is not None else ask
            found = await sip.options(asked, on_late=_after(first, on_late))
            joined = found if first is None else _joined(first, found)
            if found.reply is None or found.reply.code not in _CHALLENGED:
                if used is not None and found.reply is not None:
                    self._told(used, accepted=True)
                    if fresh:
                        sip.nonces.keep(self._place, used)
                return joined
            challenge, who = self._answerable(found.reply)
            if challenge is None or who is None:
                return joined
            refused = fresh and challenge.header in lines and not challenge.stale
            if refused or ask.cseq >= _ROUNDS or loop.time() >= until:
                self._told(challenge, accepted=False)
                sip.nonces.forget(self._place)
                return joined
            lines[challenge.header] = authorization(challenge, who, method="OPTIONS", uri=ask.uri)
            used, first, fresh = challenge, joined, True
            ask = msgspec.structs.replace(ask, cseq=ask.cseq + 1, call_id=found.call_id, sender=found.sender)

    def _remembered(self, sip: SipClient, ask: Ask, lines: dict[str, str]) -> Challenge | None:
        """Credentials given unasked, for the nonce of last time (section 22.2)."""
        known = sip.nonces.next(self._place)
        if known is None:
            return None
        challenge, count = known
        who = self._credentials(challenge.realm)
        if who is None:
            return None
        lines[challenge.header] = authorization(challenge, who, method="OPTIONS", uri=ask.uri, count=count)
        return challenge

    def _signed(self, ask: Ask, lines: dict[str, str], seconds: float) -> Ask:
        headers = (*ask.headers, *lines.values())
        return msgspec.structs.replace(ask, headers=headers, timeout_seconds=max(0.001, seconds))

    def _answerable(self, reply: Reply) -> tuple[Challenge | None, Credentials | None]:
        for challenge in challenges(reply):
            who = self._credentials(challenge.realm)
            if who is not None:
                return challenge, who
        return None, None

    def _credentials(self, realm: str) -> Credentials | None:
        for name, account in self._runtime.topology.accounts.items():
            if account.realm == realm:
                password = self._runtime.secret(name)
                if password is not None:
                    return Credentials(account.user, password)
        return None

    def _told(self, challenge: Challenge, *, accepted: bool) -> None:
        self.facts = {"realm": challenge.realm, "algorithm": challenge.algorithm, "accepted": accepted}


def _after(first: Exchange | None, on_late: Late) -> Late:
    return on_late if first is None else lambda exchange: on_late(_joined(first, exchange))


def _joined(first: Exchange, last: Exchange) -> Exchange:
    """The last exchange as the end of one that began with the first; the round trip is the last one's own."""
    before = (last.at_us - first.at_us) / 1e6
    after = last.answered_after_seconds
    return msgspec.structs.replace(
        last,
        at_us=first.at_us,
        duration_seconds=last.duration_seconds + before,
        answered_after_seconds=None if after is None else after + before,
        retransmissions=first.retransmissions + last.retransmissions,
        messages=(*first.messages, *last.messages),
        link=last.link if last.link is not None and not last.link.reused else first.link,
    )
