"""What a test call says and hears: a known signal sent, and both directions recorded on one clock.

The signal is the telephone network's test tone in bursts: its frequency tells ours from any other, its gaps give the
delay of an echo. Recordings end where the bridge's frames do, so both begin within one frame of each other.
"""

import pjsua2

from probes.sip.signal import BURST_MS, GAP_MS, TONE_HZ
from probes.sip.ua import UserAgent


class Sound:
    """The tone and, with `record`, the two recordings of one call. Own it in pjsua2's thread."""

    def __init__(self, ua: UserAgent, record: str | None) -> None:
        self._playback = ua.endpoint.audDevManager().getPlaybackDevMedia()
        tones = pjsua2.ToneDescVector()
        tone = pjsua2.ToneDesc()
        tone.freq1, tone.freq2, tone.on_msec, tone.off_msec = TONE_HZ, 0, BURST_MS, GAP_MS
        tones.append(tone)
        self._tone = pjsua2.ToneGenerator()
        self._tone.createToneGenerator(ua.clock_rate)
        self._recorders: list[pjsua2.AudioMediaRecorder] = []
        if record is not None:
            for name in ("sent", "heard"):
                recorder = pjsua2.AudioMediaRecorder()
                recorder.createRecorder(f"{record}.{name}.wav")
                self._recorders.append(recorder)
            self._tone.startTransmit(self._recorders[0])
        self._tone.play(tones, True)

    def connect(self, audio: pjsua2.AudioMedia) -> None:
        """To this medium; again after a re-INVITE has made another."""
        self._tone.startTransmit(audio)
        audio.startTransmit(self._playback)  # its level is read on the way
        if self._recorders:
            audio.startTransmit(self._recorders[1])

    def close(self) -> None:
        """Let go of the recordings; pjsip closes the files when its bridge has ticked once more."""
        self._recorders.clear()
