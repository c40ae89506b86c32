"""The C meter for Python: streams go in by file, buffer or ring; a snapshot is a NumPy structured array."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from probes.media.built import native as _meter
from probes.media.errors import CaptureError
from probes.media.payload import Format
from probes.media.sdp import Announced, Info, Infos, Names, packed
from probes.media.spill import unseen_files

if TYPE_CHECKING:
    import numpy as np

    from probes.media.rows import SecondRows, StreamRows

Buffer: TypeAlias = Literal["none", "fixed", "adaptive"]
BUFFERS: tuple[Buffer, ...] = ("none", "fixed", "adaptive")  # enum buffer_kind
_SPILLS = 3  # METER_SPILLS


class StreamMeter:
    """Streams and their statistics; safe to use from several threads."""

    def __init__(
        self,
        max_streams: int = 1 << 20,
        *,
        probation: int = 2,
        buffer: Buffer = "adaptive",
        series: bool = True,
        fixed_delay_ms: float = 60,
        fixed_size_ms: float = 200,
        audio: bool = False,
    ) -> None:
        """Make an empty meter.

        `probation`: packets in sequence that make a stream (RFC 3550 A.1). `buffer`: the simulated de-jitter buffer
        whose discards count. `series`: keep every second of every stream. `audio`: listen to G.711 (reads payload).
        """
        self.core = _meter.Meter(
            max_streams,
            probation,
            BUFFERS.index(buffer),
            series,
            round(fixed_delay_ms * 1e6),
            round(fixed_size_ms * 1e6),
            audio,
        )
        self._announced = Announced()

    def spill(self) -> None:
        """Let what grows with time go to files on disk that nobody sees, where there is a place for them."""
        if files := unseen_files(_SPILLS):
            self.core.spill(*files)

    @property
    def names(self) -> Names:
        """Codecs by (profile, payload type), as announced; who knows better may add to them."""
        return self._announced.names

    @property
    def infos(self) -> Infos:
        """What the call said, by `profile` of a row."""
        return self._announced.infos

    def announce(self, address: str, port: int, formats: Iterable[Format], info: Info | None = None) -> None:
        """Take what SDP says that `address:port` receives, and the call it is in; it counts from the next packet on."""
        entries = tuple(formats)
        profile = self._announced.known(entries, info)
        if not self._announced.is_news(address, port, profile):
            return
        if profile is None:
            codes = [(entry.payload_type, int(entry.kind), entry.clock_rate, int(entry.law)) for entry in entries]
            profile = self.core.endpoint(packed(address), port, codes)
            self._announced.take(profile, entries, info)
        else:
            self.core.endpoint_as(packed(address), port, profile)
        self._announced.said(address, port, profile)

    def snapshot(self) -> "StreamRows":
        """One row per stream, cumulative."""
        import numpy as np

        return np.frombuffer(self.core.snapshot(), dtype=_dtypes()[0])

    def seconds(self, stream_id: int) -> "SecondRows":
        """A stream second by second, from its start; none when there is no such stream or no series."""
        import numpy as np

        return np.frombuffer(self.core.seconds(stream_id), dtype=_dtypes()[1])

    def forget(self, rows: "StreamRows") -> int:
        """Drop the streams of these rows; how many were still there."""
        return int(self.core.forget([int(number) for number in rows["id"]]))

    def counters(self) -> dict[str, int]:
        """Datagrams by what they were: rtp, rtcp, other, overflow."""
        return dict(self.core.counters())


@cache
def _dtypes() -> "tuple[np.dtype[np.void], np.dtype[np.void]]":
    """The dtypes of a stream and of a second, which are laid out as the C meter lists its own.

    Looked at when a snapshot is first taken: who reports a file in JSON never loads NumPy.
    """
    import numpy as np

    from probes.media.rows import SECOND_DTYPE, STREAM_DTYPE

    for dtype, size, listed in (
        (STREAM_DTYPE, _meter.ROW_SIZE, _meter.ROW_LAYOUT),
        (SECOND_DTYPE, _meter.SECOND_SIZE, _meter.SECOND_LAYOUT),
    ):
        layout = {name: (field[0], field[1]) for name, field in (dtype.fields or {}).items() if name != "_"}
        if dtype.itemsize != size or layout != {name: (np.dtype(code), at) for name, code, at in listed}:
            raise CaptureError("the C meter is of another build: run python setup.py build_ext --inplace")
    return STREAM_DTYPE, SECOND_DTYPE
