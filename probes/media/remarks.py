"""What to mind about a stream, in words, and which of two streams is the worse one: from its fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_NO_CLOCK_IS_SO_FAR_OFF = 50_000  # ppm: a hundred times what a bad crystal is
_DEAD_AIR = 5  # seconds of silence that no pause in a talk lasts


@dataclass(frozen=True)
class Remark:
    """An English sentence, the id of its translations, with what stands in its places."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text.format(**self.values)


def worst_first(fields: Mapping[str, Any]) -> tuple[float, ...]:
    """A key that sorts the worst stream first: by MOS, then by what was lost or discarded, then by jitter.

    Scales are not told apart. A stream without a MOS stands behind those with one.
    """
    mos = fields["mos_lq"]
    return (
        9.0 if mos is None else mos,
        -(fields["effective_loss_ratio"] or 0.0),
        -(fields["jitter_mean_seconds"] or 0.0),
    )


def remarks(fields: Mapping[str, Any]) -> list[Remark]:
    """Everything that a person has to know before he believes the figures, or because of them."""
    return list(_remarks(fields))


def _remarks(fields: Mapping[str, Any]) -> Iterator[Remark]:
    if fields["captured_twice"]:
        yield Remark("captured twice: the capture saw every packet two times")
    if is_one_way(fields):
        yield Remark("one way: nothing, or too little, flows back")
    if fields["codec"] is None:
        yield Remark(
            "no codec known: name payload type {number} by --map {number}=CODEC/CLOCK",
            {"number": fields["payload_type"]},
        )
    elif fields["mos_lq"] is None:
        yield _unrated(fields)
    if fields["restarts"]:
        yield Remark("the sender began anew while it ran")
    if fields["timestamp_jumps"]:
        yield Remark("its timestamps jumped: delays are measured anew from there")
    if abs(fields["clock_drift_ppm"] or 0) > _NO_CLOCK_IS_SO_FAR_OFF:
        yield Remark(
            "its timestamps do not run at {rate} Hz: jitter, discards and MOS are not to be believed",
            {"rate": fields["clock_rate"]},
        )
    if fields["dscp_changes"]:
        yield Remark("DSCP changed: {values}", {"values": " ".join(str(value) for value in fields["dscp_set"])})
    audio = fields["audio"]
    if audio and (audio["dead_air_seconds"] or 0) >= _DEAD_AIR:
        yield Remark("dead air: {seconds} s of silence or more at a stretch", {"seconds": _DEAD_AIR})


def is_one_way(fields: Mapping[str, Any]) -> bool:
    """Nothing flows back, and SDP did not mean it so (hold)."""
    return bool(fields["one_way"]) and fields["sdp_direction"] in {None, "sendrecv"}


def _unrated(fields: Mapping[str, Any]) -> Remark:
    codec = {"codec": fields["codec"]}
    if fields["mos_scale"] is None:
        return Remark("no MOS: G.113 has no agreed row for {codec}; --provisional may have one", codec)
    if fields["effective_loss_ratio"] is None:
        return Remark("no MOS: nothing was expected")
    return Remark("no MOS: G.113 does not say how {codec} takes loss; --provisional may", codec)
