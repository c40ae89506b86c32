"""Everything that was measured of one stream, in groups of labels and values, for a report."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from probes.media.pictures.words import UNKNOWN, Words

Fields: TypeAlias = Mapping[str, Any]
Group: TypeAlias = tuple[str, list[tuple[str, str]]]

_SOURCES = {"sdp": "by SDP", "rfc3551": "by RFC 3551", "option": "by --map"}
_BUFFERS = {"adaptive": "adaptive", "fixed": "fixed"}
_DSCP = {
    0: "CS0",
    8: "CS1",
    10: "AF11",
    18: "AF21",
    24: "CS3",
    26: "AF31",
    32: "CS4",
    34: "AF41",
    40: "CS5",
    44: "VA",
    46: "EF",
    48: "CS6",
}


def groups(fields: Fields, words: Words) -> Iterator[Group]:
    """The groups of a stream, those with something to say."""
    yield words.text("Stream"), _stream(fields, words)
    if fields["call_id"] or fields["from"] or fields["to"]:
        yield words.text("Call (SIP)"), _call(fields, words)
    yield words.text("Quality"), _quality(fields, words)
    yield words.text("Loss"), _loss(fields, words)
    yield words.text("Delay"), _delay(fields, words)
    yield words.text("De-jitter buffer, simulated"), _buffer(fields, words)
    if fields["rtcp"]:
        yield "RTCP", _rtcp(fields["rtcp"], words)
    if fields["audio"]:
        yield words.text("Audio"), _audio(fields["audio"], words)


def _stream(f: Fields, w: Words) -> list[tuple[str, str]]:
    source = _SOURCES.get(f["codec_source"] or "")
    codec = f"{f['codec']} ({w.text(source)})" if f["codec"] and source else f["codec"] or UNKNOWN
    clock = UNKNOWN if f["clock_rate"] is None else f"{w.number(f['clock_rate'])} Hz"
    ptime = w.milliseconds(f["ptime_seconds"], 0)
    if f["sdp_ptime_seconds"] is not None:
        ptime += " · " + w.text("announced {ptime}", ptime=w.milliseconds(f["sdp_ptime_seconds"], 0))
    back = {None: UNKNOWN, True: w.text("no"), False: w.text("yes")}[f["one_way"]]
    return [
        ("SSRC", f["ssrc"]),
        (w.text("Codec"), codec),
        (w.text("Payload type, clock"), f"{UNKNOWN if f['payload_type'] is None else f['payload_type']} · {clock}"),
        (w.text("Packet time"), ptime),
        (w.text("Encrypted (SRTP)"), {None: UNKNOWN, True: w.text("yes"), False: w.text("no")}[f["srtp"]]),
        (w.text("Start"), w.moment(f["start"])),
        (w.text("Duration"), w.span(f["duration_seconds"])),
        (w.text("Something flows back"), back),
        ("DSCP", _dscp(f, w)),
        (w.text("Telephone events, comfort noise"), f"{w.number(f['events'])} · {w.number(f['comfort_noise'])}"),
        (w.text("Restarts, timestamp jumps"), f"{w.number(f['restarts'])} · {w.number(f['timestamp_jumps'])}"),
    ]


def _dscp(f: Fields, w: Words) -> str:
    seen = ", ".join(f"{value} ({_DSCP[value]})" if value in _DSCP else str(value) for value in f["dscp_set"])
    return seen + (
        " · " + w.text("changed {count} times", count=w.number(f["dscp_changes"])) if f["dscp_changes"] else ""
    )


def _call(f: Fields, w: Words) -> list[tuple[str, str]]:
    return [
        (w.text("From"), f["from"] or UNKNOWN),
        (w.text("To"), f["to"] or UNKNOWN),
        ("Call-ID", f["call_id"] or UNKNOWN),
    ]


def _quality(f: Fields, w: Words) -> list[tuple[str, str]]:
    scale = {None: UNKNOWN, "narrowband": w.text("narrowband (G.107)"), "wideband": w.text("wideband (G.107.1)")}
    marked = " · " + w.text("provisional: not G.113's") if f["mos_provisional"] else ""
    return [
        ("MOS-LQ", _rated(f["mos_lq"], f["r_lq"], w)),
        ("MOS-CQ", _rated(f["mos_cq"], f["r_cq"], w)),
        (w.text("Scale"), scale[f["mos_scale"]] + marked),
        (w.text("One-way delay, given"), w.milliseconds(f["delay_seconds"], 0)),
        (w.text("Round trip (RTCP)"), w.milliseconds(f["round_trip_seconds"])),
    ]


def _rated(mos: float | None, r: float | None, w: Words) -> str:
    return UNKNOWN if mos is None else f"{w.number(mos, 2)} (R {w.number(r, 1)})"


def _loss(f: Fields, w: Words) -> list[tuple[str, str]]:
    return [
        (w.text("Packets, expected"), f"{w.number(f['packets'])} · {w.number(f['expected'])}"),
        (w.text("Lost"), f"{w.number(f['lost'])} ({w.percent(f['loss_ratio'])})"),
        (w.text("Lost or discarded"), w.percent(f["effective_loss_ratio"])),
        (w.text("Duplicates"), w.number(f["duplicates"])),
        (w.text("Reordered"), w.number(f["reordered"])),
        (w.text("Longest run of losses"), w.number(f["loss_run_max"])),
        (w.text("Burst ratio"), w.number(f["burst_ratio"], 2)),
        (w.text("Bursts"), w.number(f["bursts"])),
        (
            w.text("Burst density, mean duration"),
            f"{w.percent(f['burst_density'], 1)} · {_seconds(f['burst_duration_seconds'], w)}",
        ),
        (
            w.text("Gap density, mean duration"),
            f"{w.percent(f['gap_density'], 2)} · {_seconds(f['gap_duration_seconds'], w)}",
        ),
    ]


def _seconds(value: float | None, w: Words) -> str:
    return UNKNOWN if value is None else w.span(value)


def _delay(f: Fields, w: Words) -> list[tuple[str, str]]:
    drift = UNKNOWN if f["clock_drift_ppm"] is None else f"{w.number(f['clock_drift_ppm'], 1)} ppm"
    return [
        (w.text("Jitter, mean"), w.milliseconds(f["jitter_mean_seconds"], 3)),
        (w.text("Jitter, highest"), w.milliseconds(f["jitter_max_seconds"], 3)),
        (w.text("Delay variation, half of the packets"), w.milliseconds(f["pdv_p50_seconds"], 2)),
        (
            w.text("Delay variation, 95 % · 99 %"),
            " · ".join(w.milliseconds(f[f"pdv_p{p}_seconds"], 2) for p in (95, 99)),
        ),
        (w.text("Delay variation, highest"), w.milliseconds(f["pdv_max_seconds"], 2)),
        (w.text("Longest silence"), w.milliseconds(f["largest_gap_seconds"], 0)),
        (w.text("Clock drift"), drift),
    ]


def _buffer(f: Fields, w: Words) -> list[tuple[str, str]]:
    counts = w.text("none")
    if f["buffer"]:
        counts = f"{w.text(_BUFFERS[f['buffer']])} · {w.milliseconds(f['buffer_delay_seconds'], 0)}"
    return [
        (w.text("The one that counts, its delay"), counts),
        (w.text("Discarded"), w.number(f["discarded"])),
        (w.text("Fixed: too late, too early"), f"{w.number(f['fixed_late'])} · {w.number(f['fixed_early'])}"),
        (w.text("Adaptive: too late, too early"), f"{w.number(f['adaptive_late'])} · {w.number(f['adaptive_early'])}"),
    ]


def _rtcp(r: Fields, w: Words) -> list[tuple[str, str]]:
    return [
        (
            w.text("Sender reports, packets it sent"),
            f"{w.number(r['sender_reports'])} · {w.number(r['sender_packets'])}",
        ),
        (w.text("Reports of the far end"), w.number(r["reports"])),
        (w.text("Lost at the far end, in all"), w.number(r["lost"])),
        (w.text("Loss there: mean · highest"), f"{w.percent(r['loss_ratio_mean'])} · {w.percent(r['loss_ratio_max'])}"),
        (
            w.text("Jitter there: mean · highest"),
            f"{w.milliseconds(r['jitter_mean_seconds'])} · {w.milliseconds(r['jitter_max_seconds'])}",
        ),
        (
            w.text("Round trip: least · mean · highest"),
            " · ".join(w.milliseconds(r[f"round_trip_{part}_seconds"]) for part in ("min", "mean", "max")),
        ),
        (w.text("Encrypted reports"), w.number(r["encrypted"])),
        (
            w.text("Ended by BYE"),
            f"{w.text('yes') if r['bye'] else w.text('no')}{': ' + r['bye_reason'] if r['bye_reason'] else ''}",
        ),
    ]


def _audio(a: Fields, w: Words) -> list[tuple[str, str]]:
    if a["unmeasured"]:
        return [(w.text("Not measured"), w.text(a["unmeasured"]))]
    return [
        (w.text("Heard"), _seconds(a["audio_seconds"], w)),
        (w.text("Level · peak"), f"{w.number(a['level_dbov'], 1)} · {w.number(a['peak_dbov'], 1)} dBov"),
        (w.text("Silence"), w.percent(a["silence_ratio"], 1)),
        (w.text("Longest dead air"), _seconds(a["dead_air_seconds"], w)),
        (w.text("Clipped samples"), w.percent(a["clipping_ratio"], 3)),
    ]
