"""How G.711 sounds, in words: the object `audio` of a stream in `sereno rtp analyze --audio`.

Levels are plain RMS over all samples heard, in dBov (ITU-T G.100.1): 0 dBov is a square wave at the overload point,
32768 of 16-bit samples as ITU-T G.191 expands them, so a full-scale sine has -3.01. Digital silence is -127.
"""

import json
from typing import Any, Protocol


class Listening(Protocol):
    """The C meter, as far as audio goes."""

    def audio(self, row: bytes | memoryview, /) -> str | None:
        """How the stream of a row sounds, as JSON."""


def audio_fields(core: Listening, row: bytes | memoryview) -> dict[str, Any] | None:
    """The fields of the stream of a row (`stream_row` octets); None: it is not G.711, or nobody listened."""
    heard = core.audio(row)
    return None if heard is None else json.loads(heard)
