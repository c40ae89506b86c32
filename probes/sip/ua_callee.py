"""The other end of a test call that comes back to us: it answers, echoes, and keeps what it heard."""

import re
import time
from collections.abc import Sequence

import pjsua2

from probes.sip.ipc import Counters, Inbound
from probes.sip.legs import legs
from probes.sip.ua import Account, UserAgent, words
from probes.sip.ua_leg import Leg, counters

_FROM = re.compile(r"^(?:from|f)[ \t]*:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
_USER = re.compile(r"sips?:([^@>;]*)@", re.IGNORECASE)
_MARKED = re.compile(r"^x-test-call[ \t]*:", re.IGNORECASE | re.MULTILINE)


class Callee:
    """Answers the first INVITE to its account that may be ours; `callers` are the users it may come from, any if none.

    Over the PSTN nobody vouches for the number that calls, nor does our mark pass: there the sound must tell.
    """

    def __init__(self, ua: UserAgent, account: Account, callers: Sequence[str], record: str | None) -> None:
        self._ua, self._account = ua, account
        self._callers, self._record = frozenset(callers), record
        self._leg: Leg | None = None
        self._call_id: str | None = None
        self._invited_ns = time.monotonic_ns()
        self._caller: str | None = None
        self._marked = False
        self._others = 0
        self._answered_ns: int | None = None
        self._changes = 0
        self._endpoints: tuple[str, str, str] | None = None
        self._counters: Counters | None = None
        self._recorder: pjsua2.AudioMediaRecorder | None = None
        self._aligned = False
        self.detail: str | None = None
        account.on_invite = self._invited

    def _invited(self, number: int, message: str) -> bool:
        """Take this call? Strangers are refused by the account, as always."""
        found = _FROM.search(message)
        caller = found[1] if found else ""
        user = _USER.search(caller)
        marked = _MARKED.search(message) is not None
        if self._leg is not None or (self._callers and not marked and (user is None or user[1] not in self._callers)):
            self._others += 1
            return False
        leg = Leg(self._account, number)
        self._leg, self._caller, self._marked = leg, user[1] if user else caller, marked
        self._call_id, self._invited_ns = leg.getInfo().callIdString, time.monotonic_ns()
        answer = pjsua2.CallOpParam(True)
        answer.statusCode = 200
        try:
            leg.answer(answer)
            self._answered_ns = time.monotonic_ns()
        except pjsua2.Error as error:
            self.detail = f"answering: {words(error)}"
        return True

    def tick(self) -> None:
        """Echo as soon as there is media, and again after a re-INVITE has made it anew."""
        leg = self._leg
        if leg is None or leg.gone or leg.media is None or leg.media_changes == self._changes:
            return
        self._changes = leg.media_changes
        index, audio = leg.media
        stream, transport = leg.getStreamInfo(index), leg.getMedTransportInfo(index)
        self._endpoints = (stream.codecName, transport.localRtpName, stream.remoteRtpAddress)
        audio.startTransmit(audio)
        if self._recorder is not None:
            audio.startTransmit(self._recorder)

    def listen(self) -> None:
        """Record from now on; the caller's recordings begin at the same frame, if there is media already."""
        if self._record is None or self._recorder is not None:
            return
        self.tick()
        self._recorder = pjsua2.AudioMediaRecorder()
        self._recorder.createRecorder(f"{self._record}.callee.wav")
        if self._leg is not None and not self._leg.gone and self._leg.media is not None:
            self._leg.media[1].startTransmit(self._recorder)
            self._aligned = True

    def look(self) -> None:
        """What pjsip counts; it cannot be asked when the call is over."""
        leg = self._leg
        if leg is not None and not leg.gone and leg.media is not None:
            index = leg.media[0]
            self._counters = counters(leg.getStreamStat(index), leg.getStreamInfo(index))

    def told(self, caller_id: str | None, since_ns: int) -> Inbound | None:
        """What came in; None: nothing that may be ours."""
        if self._leg is None:
            return None
        messages = self._ua.log.of(self._call_id, since_ns)
        endpoints = self._endpoints
        return Inbound(
            invited_ns=self._invited_ns,
            answered_ns=self._answered_ns,
            caller=self._caller or "",
            marked=self._marked,
            others=self._others,
            messages=legs(messages)[1] if self._call_id == caller_id else messages,
            media_active=endpoints is not None,
            codec=endpoints[0] if endpoints else None,
            local=endpoints[1] if endpoints else None,
            remote=endpoints[2] if endpoints else None,
            counters=self._counters,
            aligned=self._aligned,
        )

    def close(self) -> None:
        """No more calls, no more recording; what is still up is hung up. The account keeps the call's object."""
        if self._account.on_invite == self._invited:
            self._account.on_invite = None
        self._recorder = None
        leg = self._leg
        if leg is None:
            return
        self._account.keep(leg)
        if not leg.gone and leg.isActive():
            try:
                leg.hangup(pjsua2.CallOpParam())
            except pjsua2.Error as error:
                self.detail = f"hangup of the far end: {words(error)}"
