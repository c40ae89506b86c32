"""RTP payload types: the static table of RFC 3551 section 6, and what SDP says of the others."""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What a payload type carries (`enum payload_kind` in csrc/kernel.h)."""

    UNKNOWN = 0
    MEDIA = 1
    EVENT = 2  # RFC 4733: not part of the audio's timing
    COMFORT_NOISE = 3  # RFC 3389


class Law(IntEnum):
    """How audio is coded that can be listened to (`enum audio_law` in csrc/audio.h)."""

    NONE = 0
    MU = 1
    A = 2
    SECURE = 3  # RFC 3711: nobody here has the key


@dataclass(frozen=True)
class Format:
    """One payload type: its number, the codec's name and the RTP clock (0: unknown)."""

    payload_type: int
    codec: str
    clock_rate: int
    kind: Kind
    law: Law = Law.NONE


# RFC 3551 tables 4 and 5. G.722's RTP clock is 8000 (section 4.5.2); 19 was comfort noise before 13.
_STATIC = {
    0: ("PCMU", 8000), 3: ("GSM", 8000), 4: ("G723", 8000), 5: ("DVI4", 8000), 6: ("DVI4", 16000), 7: ("LPC", 8000),
    8: ("PCMA", 8000), 9: ("G722", 8000), 10: ("L16", 44100), 11: ("L16", 44100), 12: ("QCELP", 8000), 13: ("CN", 8000),
    14: ("MPA", 90000), 15: ("G728", 8000), 16: ("DVI4", 11025), 17: ("DVI4", 22050), 18: ("G729", 8000),
    19: ("CN", 8000), 25: ("CelB", 90000), 26: ("JPEG", 90000), 28: ("nv", 90000), 31: ("H261", 90000),
    32: ("MPV", 90000), 33: ("MP2T", 90000), 34: ("H263", 90000),
}  # fmt: skip

_EVENTS = {"telephone-event", "tone"}


def kind_of(codec: str, clock_rate: int) -> Kind:
    """What a codec of this name carries."""
    name = codec.lower()
    if name in _EVENTS:
        return Kind.EVENT
    if name == "cn":
        return Kind.COMFORT_NOISE
    return Kind.MEDIA if clock_rate else Kind.UNKNOWN


_LAWS = {"PCMU": Law.MU, "PCMA": Law.A}

STATIC = {
    number: Format(number, codec, clock, kind_of(codec, clock), _LAWS.get(codec, Law.NONE))
    for number, (codec, clock) in _STATIC.items()
}


def announced(payload_type: int, codec: str, clock_rate: int) -> Format:
    """The format that an rtpmap names; the clocks that names imply are put right.

    RFC 7587 section 7: Opus is always 48000. RFC 3551 section 4.5.2: G722 is 8000, whatever an SDP says.
    """
    name = codec.upper()
    clock = {"OPUS": 48000, "G722": 8000}.get(name, clock_rate)
    return Format(payload_type, codec, clock, kind_of(codec, clock), _LAWS.get(name, Law.NONE))
