"""One test call in a worker: INVITE, a known tone for the hold, a BYE whose answer is timed.

pjsip says nothing when a call has died, so its packets are looked at every half second. What happened is told as it
was seen; whether the call was good is judged elsewhere.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pjsua2

from probes.sip.ipc import (
    Answered,
    AnyEvent,
    Call,
    Called,
    CallEnding,
    Clock,
    Counters,
    Fault,
    Inbound,
    Message,
    Second,
)
from probes.sip.ladder import allows
from probes.sip.legs import legs
from probes.sip.ua import UserAgent, header, words
from probes.sip.ua_callee import Callee
from probes.sip.ua_leg import Leg, counters
from probes.sip.ua_sound import Sound

if TYPE_CHECKING:
    from probes.sip._ticker import Status

Emit = Callable[[AnyEvent], None]
Phase = Literal["inviting", "held", "ending", "leaving"]

_MARK = ("X-Test-Call", "sereno")  # for CDR and fraud systems: nobody is to be billed or barred for this
LOOK_SECONDS = 0.5
SILENT_SECONDS = 1.4  # no packet from there for so long: gone; with the looks' grain it is seen within two seconds
_FIRST_PACKET_SECONDS = 3.0  # an echo extension may take its time to begin
_PULSE_SECONDS = 2 * LOOK_SECONDS - 0.1  # at every second look
_PULSE_SILENT_SECONDS = 1.9  # no answer to two OPTIONS and their copies, five datagrams at least
_PULSE_SPARE_SECONDS = 2.0  # pjsip ends the call when an OPTIONS times out: not before we do
_PULSE_TRIES = 2  # unanswered from the first on: that far end gives no answers
_BYE_OF_THE_DEAD_SECONDS = 1.0
_MAX_LOOKS = 240
_STALL_SECONDS = 0.25  # a look so much later than it was due: this process did not run; less is a busy machine
_LEAVE_SECONDS = 40.0  # beyond every timer of a call that pjsip still has to clear away


class CallInProgress:
    """A call from its INVITE until pjsip has let go of it (`done`); the pool is told once, as soon as it is decided."""

    def __init__(self, ua: UserAgent, command: Call, emit: Emit) -> None:
        self._ua, self._command, self._emit = ua, command, emit
        self._leg: Leg | None = None
        self._sound: Sound | None = None
        self._callee: Callee | None = None
        self._media_changes = 0
        self._pulse_due = 0.0
        self._pulses: int | None = None  # sent so far; None: whether any may be sent was not looked at yet
        self._cut: tuple[int, int] | None = None  # last sign of life, when its lack was noticed
        self._last_packet_ns = 0
        self._call_id: str | None = None
        self._phase: Phase = "inviting"
        self._ending: CallEnding = "error"
        self._looks: list[Second] = []
        self._counters: Counters | None = None
        self._endpoints: tuple[str, str, str] | None = None  # codec, local, remote
        self._advanced = (0, 0.0)  # packets received, and since when it is so many
        self._ticked_first: Status | None = None
        self._ticked_at = time.monotonic()
        self._stalled_seconds = 0.0
        self._phase_ends = time.monotonic() + command.timeout_seconds
        self.deadline = self._phase_ends
        self.started_ns = time.monotonic_ns()
        self.done = False

    @property
    def id(self) -> int:
        return self._command.id

    def start(self) -> None:
        """Send the INVITE."""
        command = self._command
        try:
            self._ua.sound(on=True)
            self._ua.prefer(command.codecs)
            self._ua.transaction_timeout(command.timeout_seconds)
            leg = Leg(self._ua.account(command.account))
            if command.callee is not None:
                account = self._ua.account(command.callee)
                self._callee = Callee(self._ua, account, command.callers, command.record)
            options = pjsua2.CallOpParam(True)
            options.opt.audioCount, options.opt.videoCount = 1, 0
            for name, value in (_MARK, *command.account.headers):
                options.txOption.headers.append(header(name, value))
            leg.makeCall(command.to, options)
            self._leg, self._call_id = leg, leg.getInfo().callIdString
        except pjsua2.Error as error:
            self._tell("error", words(error))
            self.done = True

    def hang_up(self) -> None:
        """End it now."""
        if self._phase in {"inviting", "held"} and self._leg is not None:
            self._end(self._leg, "hung_up")

    def tick(self, now: float) -> None:
        """Do what is due; `deadline` is when to look again at the latest."""
        leg = self._leg
        if self.done or leg is None:
            return
        self._note_stall(leg, now)
        if self._callee is not None:
            self._callee.tick()
        if leg.gone:
            self._gone(leg)
        elif self._phase == "inviting":
            self._await_answer(leg, now)
        elif self._phase == "held":
            self._hold(leg, now)
        elif self._phase == "ending" and now >= self._phase_ends:
            self._leave(leg, self._ending)
        elif self._phase == "leaving" and now >= self._phase_ends:
            self.done = True

    def _note_stall(self, leg: Leg, now: float) -> None:
        """Time that this process slept through is no silence of the other side: that had no chance to be heard."""
        before, self._ticked_at = self._ticked_at, now
        lost = now - before - LOOK_SECONDS
        if lost < _STALL_SECONDS:
            return
        self._stalled_seconds += lost
        packets, since = self._advanced
        self._advanced = (packets, since + lost)
        if leg.answered_options_ns is not None:
            leg.answered_options_ns += round(lost * 1e9)

    def _await_answer(self, leg: Leg, now: float) -> None:
        if leg.confirmed:
            self._phase, self._phase_ends = "held", now + self._command.hold_seconds
            self._advanced = (0, now)
            self._hold(leg, now)
        elif now >= self._phase_ends:
            self._leave(leg, "timeout")

    def _hold(self, leg: Leg, now: float) -> None:
        if leg.media is not None and self._endpoints is None:
            self._open_media(leg, *leg.media)
        elif leg.media is not None and self._sound is not None and leg.media_changes != self._media_changes:
            self._media_changes = leg.media_changes
            self._sound.connect(leg.media[1])
        if now < min(self.deadline, self._phase_ends) and self._looks:
            return
        self._look(leg, now)
        if now >= self._pulse_due:
            self._pulse_due = now + _PULSE_SECONDS
            self._pulse(leg)
        self.deadline = min(now + LOOK_SECONDS, self._phase_ends)
        if now - self._advanced[1] >= (SILENT_SECONDS if self._last_packet_ns else _FIRST_PACKET_SECONDS):
            self._cut_off(leg, "stalled", self._last_packet_ns or None)
        elif self._unreachable(leg):
            self._cut_off(leg, "unreachable", leg.answered_options_ns)
        elif now >= self._phase_ends:
            self._end(leg, "completed")

    def _open_media(self, leg: Leg, index: int, audio: pjsua2.AudioMedia) -> None:
        """Send the tone, hear what comes back, say where the packets go."""
        stream, transport = leg.getStreamInfo(index), leg.getMedTransportInfo(index)
        self._endpoints = (stream.codecName, transport.localRtpName, stream.remoteRtpAddress)
        self._sound = Sound(self._ua, self._command.record)
        self._media_changes = leg.media_changes
        self._sound.connect(audio)
        if self._callee is not None:
            self._callee.listen()
        self._ticked_first = self._ua.ticked()
        self._emit(Answered(id=self.id, messages=self._messages()))

    def _look(self, leg: Leg, now: float) -> None:
        if self._callee is not None:
            self._callee.look()
        if leg.media is None:
            return
        index, audio = leg.media
        stat = leg.getStreamStat(index)
        self._counters = counters(stat, leg.getStreamInfo(index))
        if self._counters.rx_packets != self._advanced[0]:  # a stream made anew by a re-INVITE counts from 0 again
            self._advanced = (self._counters.rx_packets, now)
            self._last_packet_ns = time.monotonic_ns()
        if len(self._looks) < _MAX_LOOKS:
            seen = self._counters
            self._looks.append(
                Second(
                    at_ns=time.monotonic_ns(),
                    rx_packets=seen.rx_packets,
                    tx_packets=seen.tx_packets,
                    rx_level=int(audio.getTxLevel()),  # what this port gives to the bridge: heard from there
                    far_reports=seen.far_reports,
                )
            )

    def _pulse(self, leg: Leg) -> None:
        """An OPTIONS inside the dialog: media go on when a core dies that they do not pass (RFC 3261 section 11).

        Only where the answer allows it: some far ends, SIPp's own scenarios among them, end a call on a request that
        they do not expect.
        """
        if self._pulses is None:
            self._pulses = 0 if allows(self._messages(), "OPTIONS") else _PULSE_TRIES
        if leg.answered_options_ns is None and self._pulses >= _PULSE_TRIES:
            return
        self._pulses += 1
        request = pjsua2.CallSendRequestParam()
        request.method = "OPTIONS"
        left = self._phase_ends - time.monotonic() + self._command.bye_seconds
        self._ua.transaction_timeout(left + _PULSE_SPARE_SECONDS)
        try:
            leg.sendRequest(request)
        except pjsua2.Error as error:
            self._emit(Fault(id=None, detail=f"OPTIONS inside the call: {words(error)}"))

    def _unreachable(self, leg: Leg) -> bool:
        """Answers came before and come no more; a far end that never gives one proves nothing."""
        last = leg.answered_options_ns
        return last is not None and time.monotonic_ns() - last > _PULSE_SILENT_SECONDS * 1e9

    def _cut_off(self, leg: Leg, ending: CallEnding, alive_ns: int | None) -> None:
        self._cut = (alive_ns or self.started_ns, time.monotonic_ns())
        self._end(leg, ending)
        if self._phase == "ending":
            bye = min(_BYE_OF_THE_DEAD_SECONDS, self._command.bye_seconds)
            self.deadline = self._phase_ends = time.monotonic() + bye

    def _end(self, leg: Leg, ending: CallEnding) -> None:
        """Send a BYE and time its answer: `hangup()` says 200 whether or not anybody answered."""
        if not leg.confirmed:
            self._leave(leg, ending)
            return
        request = pjsua2.CallSendRequestParam()
        request.method = "BYE"
        self._ua.transaction_timeout(self._command.timeout_seconds)
        try:
            leg.sendRequest(request)
        except pjsua2.Error as error:
            self._leave(leg, "error", words(error))
            return
        self._phase, self._ending = "ending", ending
        self.deadline = self._phase_ends = time.monotonic() + self._command.bye_seconds

    def _gone(self, leg: Leg) -> None:
        """Pjsip has ended it: refused, timed out, ended by the other side, or after our BYE."""
        if self._phase == "ending":
            self._tell(self._ending)
        elif leg.confirmed:
            self._tell("remote")
        elif self._phase == "inviting":
            self._tell({"timeout": "timeout", "transport": "transport"}.get(leg.invite or "", "refused"))  # type: ignore[arg-type]
        self.done = True

    def _leave(self, leg: Leg, ending: CallEnding, detail: str | None = None) -> None:
        """Tell the pool, then make pjsip let go."""
        self._tell(ending, detail)
        self._phase = "leaving"
        self.deadline = self._phase_ends = time.monotonic() + _LEAVE_SECONDS
        if not leg.gone and leg.isActive():
            try:
                leg.hangup(pjsua2.CallOpParam())
            except pjsua2.Error as error:
                self._emit(Fault(id=None, detail=f"hangup: {words(error)}"))

    def _clock(self) -> Clock | None:
        """How the clock went since this call had media."""
        first, last = self._ticked_first, self._ua.ticked()
        if first is None or last is None or last["ticks"] <= first["ticks"]:
            return None
        ticks = last["ticks"] - first["ticks"]
        return Clock(
            ticks=ticks,
            skipped=last["skipped"] - first["skipped"],
            jitter_mean_seconds=round((last["variation_ns"] - first["variation_ns"]) / ticks / 1e9, 7),
            realtime=last["realtime"],
        )

    def _messages(self) -> tuple[Message, ...]:
        messages = self._ua.log.of(self._call_id, self.started_ns)
        return messages if self._callee is None else legs(messages)[0]

    def _inbound(self) -> Inbound | None:
        """What came back, told when all is over; the far end's own call is ended with ours."""
        if self._callee is None:
            return None
        told = self._callee.told(self._call_id, self.started_ns)
        self._callee.close()
        return told

    def _tell(self, ending: CallEnding, detail: str | None = None) -> None:
        endpoints = self._endpoints
        if self._sound is not None:
            self._sound.close()
        self._emit(
            Called(
                id=self.id,
                ending=ending,
                started_ns=self.started_ns,
                ended_ns=time.monotonic_ns(),
                messages=self._messages(),
                media_active=endpoints is not None,
                codec=endpoints[0] if endpoints else None,
                local=endpoints[1] if endpoints else None,
                remote=endpoints[2] if endpoints else None,
                seconds=tuple(self._looks),
                counters=self._counters,
                alive_ns=self._cut[0] if self._cut else None,
                noticed_ns=self._cut[1] if self._cut else None,
                clock=self._clock(),
                stalled_seconds=self._stalled_seconds,
                detail=detail,
                inbound=self._inbound(),
            )
        )
