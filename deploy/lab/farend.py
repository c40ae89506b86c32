"""A far end of the lab: a pjsua2 user agent that answers calls and echoes their audio.

    python -m deploy.lab.farend ADDRESS SIP_PORT RTP_PORT REPORT_FD

What it does is in the extension that was called: `echo` answers at once and echoes; `echo-ring` rings for ever;
`echo-early` sends media with a 183 and answers a second later; `echo-reinvite` sends a re-INVITE after a second;
`echo-tone` sends another tone, `echo-mute` silence; `echo-bye` hangs up after a second. SRTP is taken when offered.
A number is the PSTN: it is called back through the core on a line of its own, with another caller's number and none of
our headers, as a gateway would; both calls are joined and share their end.

pjsua2 is owned by one thread (its asserts kill the process otherwise). The number of calls goes to REPORT_FD, one
number a line, whenever it changes. A call whose caller has died has no BYE: it is ended when no more packets come.
"""

import os
import signal
import sys
import time

import pjsua2 as pj

from deploy.lab.plan import CALLS_PER_FAR_END, LET_GO, RTP_BLOCK

_SILENCE_SECONDS = 10.0  # longer than any freeze of a live call's media, shorter than a leak that fills four places
_HEALED_SECONDS = 1.5  # when everything was healed: whoever lives is heard again by then
_TICK_MILLISECONDS = 100
_ACT_SECONDS = 1.0
_OTHER_HZ = 440


class _Call(pj.Call):
    """One incoming call: its audio goes back to where it comes from."""

    def __init__(self, account: "_Account", number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, number)
        self.over = False
        self._received = -1
        self._manner = ""
        self._due = float("inf")
        self._tone: pj.ToneGenerator | None = None
        self._owner = account
        self._partner: _Call | None = None  # of a gateway's two lines, the other one
        self._audio: pj.AudioMedia | None = None
        self._heard = time.monotonic()

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802
        del prm
        info = self.getInfo()
        self.over = info.state == pj.PJSIP_INV_STATE_DISCONNECTED
        if self._partner is not None:
            self._tell(self._partner, info)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        del prm
        info = self.getInfo()  # kept while its media are read: they point into it
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(media.index)
                self._speak(audio)

    def begin(self) -> None:
        """Answer in the manner of the extension that was called."""
        user, _, host = self.getInfo().localUri.partition("sip:")[2].partition("@")
        if user.lstrip("+").isdigit():
            self._go_out(f"sip:{user}@{host.rstrip('>')}")
            return
        self._manner = user.partition("-")[2]
        self._answer({"ring": 180, "early": 183}.get(self._manner, 200))
        self._due = time.monotonic() + _ACT_SECONDS

    def act(self, now: float) -> None:
        """What this manner does a second after the INVITE."""
        if now < self._due or self.over:
            return
        self._due = float("inf")
        if self._manner == "early":
            self._answer(200)
        elif self._manner == "reinvite":
            self.reinvite(pj.CallOpParam(True))
        elif self._manner == "bye":
            self.hangup(pj.CallOpParam(True))

    def _answer(self, code: int) -> None:
        answer = pj.CallOpParam(True)
        answer.statusCode = code
        self.answer(answer)

    def _go_out(self, number: str) -> None:
        """The PSTN's own call to that number; its answer is the answer to this one."""
        self._answer(180)
        self._partner = _Call(self._owner)
        self._partner._partner = self  # noqa: SLF001 - the same class
        self._owner.calls.append(self._partner)
        self._partner.makeCall(number, pj.CallOpParam(True))

    def _tell(self, partner: "_Call", info: pj.CallInfo) -> None:
        """The other line hears what came of this one."""
        if partner.over:
            return
        if self.over:
            end = pj.CallOpParam(True)
            end.statusCode = info.lastStatusCode if info.lastStatusCode >= 300 else 200  # noqa: PLR2004
            partner.hangup(end)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and info.role == pj.PJSIP_ROLE_UAC:
            partner._answer(200)  # noqa: SLF001 - the same class

    def _speak(self, audio: pj.AudioMedia) -> None:
        """Echo, or what this manner has instead."""
        if self._partner is not None:
            self._audio = audio
            other = self._partner._audio  # noqa: SLF001 - the same class
            if other is not None:
                audio.startTransmit(other)
                other.startTransmit(audio)
            return
        if self._manner == "tone":
            tones, tone = pj.ToneDescVector(), pj.ToneDesc()
            tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = _OTHER_HZ, 0, 1000, 0
            tones.append(tone)
            self._tone = pj.ToneGenerator()
            self._tone.createToneGenerator(8000)
            self._tone.play(tones, True)
            self._tone.startTransmit(audio)
            return
        if self._manner == "mute":
            audio.adjustRxLevel(0)
            audio.adjustTxLevel(0)
        audio.startTransmit(audio)

    def end_when_silent(self, now: float, healed: float | None) -> None:
        """Hang up a call that no packet has reached for too long; sooner since everything was healed."""
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED and any(
            media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE for media in info.media
        ):
            received = int(self.getStreamStat(0).rtcp.rxStat.pkt)
            if received != self._received:
                self._received, self._heard = received, now
        left = healed is not None and now - max(self._heard, healed) > _HEALED_SECONDS
        if left or now - self._heard > _SILENCE_SECONDS:
            self._heard = now
            self.hangup(pj.CallOpParam(True))


class _Account(pj.Account):
    """Takes every call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        call = _Call(self, prm.callId)
        self.calls.append(call)
        call.begin()


def _endpoint(address: str, sip_port: int) -> pj.Endpoint:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.maxCalls = CALLS_PER_FAR_END
    config.uaConfig.userAgent = "sereno-lab-far-end"
    config.logConfig.level = config.logConfig.consoleLevel = 2
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000  # telephony only: nothing to resample
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress, transport.port = address, sip_port
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    return endpoint


def _account(address: str, sip_port: int, rtp_port: int) -> _Account:
    config = pj.AccountConfig()
    config.idUri = f"sip:echo@{address}:{sip_port}"
    config.mediaConfig.srtpUse, config.mediaConfig.srtpSecureSignaling = pj.PJMEDIA_SRTP_OPTIONAL, 0
    rtp = config.mediaConfig.transportConfig
    rtp.boundAddress, rtp.port, rtp.portRange = address, rtp_port, RTP_BLOCK - 2
    account = _Account()
    account.create(config)
    return account


def main() -> None:
    """Serve until killed."""
    address, sip_port, rtp_port, report = sys.argv[1], *(int(word) for word in sys.argv[2:5])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    healed: list[float] = []
    signal.signal(LET_GO, lambda *_: healed.append(time.monotonic()))
    endpoint = _endpoint(address, sip_port)
    account = _account(address, sip_port, rtp_port)
    reported, tick = -1, time.monotonic()
    while True:
        endpoint.libHandleEvents(_TICK_MILLISECONDS)
        account.calls = [call for call in account.calls if not call.over]
        if len(account.calls) != reported:
            reported = len(account.calls)
            os.write(report, f"{reported}\n".encode())
        now = time.monotonic()
        for call in account.calls:
            call.act(now)
        if now - tick > 1.0:
            tick = now
            for call in account.calls:
                call.end_when_silent(now, healed[-1] if healed else None)
            if healed and now - healed[-1] > 2 * _HEALED_SECONDS:
                healed.clear()


if __name__ == "__main__":
    main()
