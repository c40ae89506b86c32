"""The media of test calls, by direction: rx is what came to us, tx what the far end's RTCP says of ours.

At our own interface what we send is always perfect: of tx only the far end's figures count, where a probe measured.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from collector.thresholds.families.call import CALLS
from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, facts, number
from sereno.wire import Result

_Stream = Mapping[str, object]
_DIRECTIONS = ("rx", "tx")
_SHARED: dict[tuple[str, str], dict[str, str]] = {}  # parts are the same few, for ever
_CODECS = 256


def _each(result: Result, pick: Callable[[_Stream, bool], tuple[float, float] | None]) -> Iterator[Reading]:
    """A sample of every direction that was measured; `pick` gets a stream and whether it is ours at its departure."""
    for direction in _DIRECTIONS:
        stream = facts((result.media or {}).get(direction))
        if not stream:
            continue
        departing = direction == "tx" and "source" in stream
        found = pick(stream, departing)
        if found is not None:
            yield Reading(*found, parts=_parts(result.codec or stream.get("codec"), direction))


def _parts(codec: Any, direction: str) -> dict[str, str]:
    name = codec if isinstance(codec, str) and len(codec) <= 32 and codec.isprintable() else "?"  # noqa: PLR2004
    found = _SHARED.get((name, direction))
    if found is None:
        found = {"codec": name, "direction": direction}
        if len(_SHARED) < _CODECS:
            _SHARED[name, direction] = found
    return found


def _figure(name: str, far: str | None = None) -> Callable[[Result, int, Known], Iterator[Reading]]:
    """A number of each stream; of what departs here, the far end's where it tells one."""

    def pick(stream: _Stream, departing: bool) -> tuple[float, float] | None:
        value = number(stream.get(far if departing and far is not None else name))
        return None if value is None else (value, 1.0)

    def read(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
        if "quality_unmeasured" not in (result.facts or {}):
            yield from _each(result, pick)

    return read


def _loss(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    """Lost of expected. What the sensor missed is never told as lost: then there is no figure (docs/media.md)."""

    def pick(stream: _Stream, departing: bool) -> tuple[float, float] | None:
        if departing:
            ratio, sent = number(stream.get("far_end_loss_ratio")), number(stream.get("packets"))
            return None if ratio is None or not sent else (min(1.0, ratio) * sent, sent)
        lost, expected = number(stream.get("lost")), number(stream.get("expected"))
        return None if lost is None or not expected else (min(lost, expected), expected)

    return _each(result, pick)


def _discards(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    def pick(stream: _Stream, departing: bool) -> tuple[float, float] | None:
        gone, packets = number(stream.get("discarded")), number(stream.get("packets"))
        return None if departing or gone is None or not packets else (min(gone, packets), packets)

    if "quality_unmeasured" not in (result.facts or {}):
        yield from _each(result, pick)


def _delay(result: Result, _at_us: int, _known: Known) -> Iterator[Reading]:
    def pick(stream: _Stream, departing: bool) -> tuple[float, float] | None:
        delay, trip = number(stream.get("delay_seconds")), number(stream.get("round_trip_seconds"))
        if delay is None and trip is not None:
            delay = trip / 2
        return None if delay is None or departing else (delay, 1.0)

    return _each(result, pick)


SOURCES = {
    "mos_lq": Source(CALLS, many=_figure("mos_lq"), quality=True, reads="`media.rx.mos_lq`, `media.tx.mos_lq`"),
    "mos_cq": Source(CALLS, many=_figure("mos_cq"), quality=True, reads="`media.rx.mos_cq`, `media.tx.mos_cq`"),
    "loss_ratio": Source(
        CALLS, many=_loss, quality=True,
        reads="`lost` of `expected`; of a probe's own tx `far_end_loss_ratio` of `packets`",
    ),
    "discard_ratio": Source(CALLS, many=_discards, quality=True, reads="`media.rx.discarded` of `packets`"),
    "jitter_mean_seconds": Source(
        CALLS, many=_figure("jitter_mean_seconds", "far_end_jitter_mean_seconds"), quality=True,
        reads="`media.rx.jitter_mean_seconds`; of a probe's own tx `far_end_jitter_mean_seconds`",
    ),
    "delay_seconds": Source(
        CALLS, many=_delay, quality=True, reads="`media.rx.delay_seconds`, else half of `round_trip_seconds`"
    ),
}  # fmt: skip
