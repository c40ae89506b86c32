"""pjsua2's call object, reduced to what its owner looks at, and its statistics in our words."""

import time
from typing import Literal

import pjsua2

from probes.sip.ipc import Counters

# Both ways, or the far end's way alone (it answered `sendonly`): what comes is measured all the same.
_FLOWING = (pjsua2.PJSUA_CALL_MEDIA_ACTIVE, pjsua2.PJSUA_CALL_MEDIA_REMOTE_HOLD)
_DECLINE = 603
_ENDED = (pjsua2.PJSIP_TSX_STATE_COMPLETED, pjsua2.PJSIP_TSX_STATE_TERMINATED)

How = Literal["answered", "timeout", "transport"]


class Leg(pjsua2.Call):
    """A call; its callbacks only copy plain values."""

    def __init__(self, account: pjsua2.Account, number: int = pjsua2.PJSUA_INVALID_ID) -> None:
        super().__init__(account, number)
        self.confirmed, self.gone = False, False
        self.invite: How | None = None
        self.media: tuple[int, pjsua2.AudioMedia] | None = None
        self.media_changes = 0  # a re-INVITE may make the stream anew
        self.answered_options_ns: int | None = None  # when the other side last answered inside the dialog

    def onCallState(self, prm: pjsua2.OnCallStateParam) -> None:  # noqa: ARG002, N802 - pjsua2's name
        """Confirmed, or gone."""
        state = int(self.getInfo().state)
        self.confirmed = self.confirmed or state == pjsua2.PJSIP_INV_STATE_CONFIRMED
        self.gone = state == pjsua2.PJSIP_INV_STATE_DISCONNECTED

    def onCallMediaState(self, prm: pjsua2.OnCallMediaStateParam) -> None:  # noqa: ARG002, N802 - pjsua2's name
        """Which medium is the active audio."""
        self.media = None
        self.media_changes += 1
        info = self.getInfo()  # kept while its media are read: they point into it
        for medium in info.media:
            if medium.type == pjsua2.PJMEDIA_TYPE_AUDIO and medium.status in _FLOWING and medium.audioConfSlot >= 0:
                self.media = (int(medium.index), self.getAudioMedia(medium.index))

    def onCallTransferRequest(self, prm: pjsua2.OnCallTransferRequestParam) -> None:  # noqa: N802 - pjsua2's name
        """603 to every REFER: a probe calls nobody but the topology's callee."""
        prm.statusCode = _DECLINE

    def onCallReplaceRequest(self, prm: pjsua2.OnCallReplaceRequestParam) -> None:  # noqa: N802 - pjsua2's name
        """603 to an INVITE with Replaces (RFC 3891): a test call is nobody's to take over."""
        prm.statusCode = _DECLINE

    def onCallTsxState(self, prm: pjsua2.OnCallTsxStateParam) -> None:  # noqa: N802 - pjsua2's name
        """How our INVITE ends: without the event's type a real 408 and our own timer look alike."""
        event = prm.e.body.tsxState
        if event.tsx.method == "OPTIONS" and int(event.type) == pjsua2.PJSIP_EVENT_RX_MSG:
            self.answered_options_ns = time.monotonic_ns()  # whatever the answer: somebody gave it
        ours = event.tsx.role == pjsua2.PJSIP_ROLE_UAC and event.tsx.method == "INVITE"
        if ours and event.tsx.state in _ENDED and int(event.type) != pjsua2.PJSIP_EVENT_USER:
            self.invite = _how(int(event.type))


def _how(event_type: int) -> How:
    if event_type == pjsua2.PJSIP_EVENT_TIMER:
        return "timeout"
    return "transport" if event_type == pjsua2.PJSIP_EVENT_TRANSPORT_ERROR else "answered"


def counters(stat: pjsua2.StreamStat, info: pjsua2.StreamInfo) -> Counters:
    """pjsua2's statistics of a stream, in seconds."""
    rx, tx, rtt = stat.rtcp.rxStat, stat.rtcp.txStat, stat.rtcp.rttUsec
    return Counters(
        rx_packets=int(rx.pkt),
        rx_lost=int(rx.loss),
        rx_duplicates=int(rx.dup),
        rx_reordered=int(rx.reorder),
        rx_discarded=int(rx.discard),
        rx_jitter_mean_seconds=rx.jitterUsec.mean / 1e6,
        rx_jitter_max_seconds=rx.jitterUsec.max / 1e6,
        tx_packets=int(tx.pkt),
        tx_lost=int(tx.loss),
        tx_jitter_mean_seconds=tx.jitterUsec.mean / 1e6,
        tx_jitter_max_seconds=tx.jitterUsec.max / 1e6,
        far_reports=int(tx.updateCount),
        rtt_samples=int(rtt.n),
        rtt_mean_seconds=rtt.mean / 1e6,
        buffer_mean_seconds=stat.jbuf.avgDelayMsec / 1e3,
        ptime_seconds=int(info.audCodecParam.setting.frmPerPkt) * int(info.audCodecParam.info.frameLen) / 1e3
        if info.audCodecParam is not None
        else 0.0,
    )
