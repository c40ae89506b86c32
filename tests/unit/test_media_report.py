"""The JSON of a stream, written in C, against the same fields made in plain Python from the row and its seconds."""

import ipaddress
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from probes.media.analysis import Analysis, Wanted
from probes.media.codecs import row_for
from probes.media.meter import BUFFERS
from probes.media.payload import STATIC
from probes.media.quality import assess
from probes.media.windows import rate_windows, windowed
from tests.media_captures import DST, SRC, START_NS, Rtp, rtp_pcap, stream
from tests.media_streams import Plan, arrivals_of

CODECS = {number: entry.codec for number, entry in STATIC.items()}


def known(value):
    return None if value is None or not math.isfinite(value) else float(value)


def share(part, whole):
    return part / whole if whole else None


def instant(nanoseconds):
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(nanoseconds) // 1000)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def endpoint(octets, port):
    mapped = ipaddress.IPv6Address(bytes(octets)).ipv4_mapped
    assert mapped is not None
    return f"{mapped}:{port}"


def expected_fields(row, wanted):
    """`rtp analyze`'s fields of a row, from their definitions in docs/media.md."""
    names = [name for name in row.dtype.names if name != "_"]
    n = {name: row[name].item() if row[name].dtype.kind in "uif" else row[name] for name in names}
    buffer = BUFFERS[n["buffer"]]
    buffered = not math.isnan(n["adaptive_delay"])
    judged = buffered and buffer != "none"
    late = n[f"{buffer}_late"] if judged else 0
    early = n[f"{buffer}_early"] if judged else 0
    missing = min(n["lost"] + late + early, n["expected"])

    def burst_ratio(gone, runs):
        return gone / runs * (1 - gone / n["expected"]) if runs else None

    loss = share(n["lost"], n["expected"])
    effective = share(missing, n["expected"]) if judged else loss
    runs = n["impaired_runs"] if judged else n["loss_runs"]
    effective_burst = burst_ratio(missing if judged else n["lost"], runs)
    ptime = n["step"] / n["clock_rate"] if n["step"] and n["clock_rate"] and n["step"] < 1 << 30 else None
    outside = n["expected"] - n["burst_packets"]
    burst_mean = share(n["burst_packets"], n["bursts"])
    gap_mean = share(outside, n["bursts"] + 1) if outside else None
    codec = CODECS.get(n["payload_type"])
    rated = assess(
        codec,
        loss_percent=None if effective is None else 100 * effective,
        burst_ratio=effective_burst or 1.0,
        delay_ms=wanted.delay_ms,
        plc=wanted.plc,
        provisional=wanted.provisional,
    )
    return {
        "src": endpoint(n["src"], n["src_port"]),
        "dst": endpoint(n["dst"], n["dst_port"]),
        "ssrc": f"0x{n['ssrc']:08x}",
        "payload_type": n["payload_type"],
        "codec": codec,
        "codec_source": "rfc3551" if codec else None,
        "clock_rate": n["clock_rate"] or None,
        **{
            name: n[name]
            for name in (
                "packets", "bytes", "expected", "lost", "lost_rfc3550", "duplicates", "reordered", "strays", "restarts",
                "timestamp_jumps", "payload_type_changes", "events", "comfort_noise", "markers", "dscp", "dscp_changes",
                "loss_run_max", "bursts",
            )
        },
        "dscp_set": [value for value in range(64) if n["dscp_seen"] >> value & 1],
        "captured_twice": bool(n["echoes"]) and n["echoes"] >= 0.9 * (n["packets"] - n["echoes"]),
        "ptime_seconds": ptime,
        **{f"{name}_seconds": known(n[name]) for name in ("jitter", "jitter_mean", "jitter_max")},
        **{f"{name}_seconds": known(n[name]) for name in ("pdv_p50", "pdv_p95", "pdv_p99", "pdv_max")},
        "clock_drift_ppm": known(n["drift_ppm"]),
        "loss_ratio": loss,
        "burst_ratio": burst_ratio(n["lost"], n["loss_runs"]),
        "burst_density": share(n["burst_lost"], n["burst_packets"]),
        "burst_packets_mean": burst_mean,
        "burst_duration_seconds": None if burst_mean is None or ptime is None else burst_mean * ptime,
        "gap_density": share(n["lost"] - n["burst_lost"], outside),
        "gap_duration_seconds": None if gap_mean is None or ptime is None else gap_mean * ptime,
        "buffer": None if buffer == "none" else buffer,
        "discarded": late + early if judged else None,
        "discarded_late": late if judged else None,
        "discarded_early": early if judged else None,
        "buffer_delay_seconds": (wanted.buffer_delay_ms / 1000 if buffer == "fixed" else n["adaptive_delay"])
        if judged
        else None,
        **{
            name: n[name] if buffered else None
            for name in ("fixed_late", "fixed_early", "adaptive_late", "adaptive_early")
        },
        "effective_loss_ratio": effective,
        "effective_burst_ratio": effective_burst,
        "r_lq": rated.r_lq,
        "mos_lq": rated.mos_lq,
        "r_cq": rated.r_cq,
        "mos_cq": rated.mos_cq,
        "delay_seconds": None if wanted.delay_ms is None else wanted.delay_ms / 1000,
        "start": instant(n["start_ns"]),
        "end": instant(n["end_ns"]),
        "duration_seconds": (n["end_ns"] - n["start_ns"]) / 1e9,
        "largest_gap_seconds": n["largest_gap_ns"] / 1e9,
    }  # fmt: skip


def analysed(tmp_path, packets, **wanted):
    path = tmp_path / "made.pcap"
    path.write_bytes(rtp_pcap(packets))
    return Analysis(Path(path), Wanted(**wanted))


def same(found, expected, tolerance):
    assert [value is None for value in found] == [value is None for value in expected]
    pairs = [(mine, other) for mine, other in zip(found, expected, strict=True) if other is not None]
    assert all(mine == pytest.approx(other, rel=1e-6, abs=tolerance) for mine, other in pairs)


def alike(found, expected):
    for name, value in expected.items():
        if isinstance(value, float):
            written = 6e-4 if name == "clock_drift_ppm" else 2e-6  # as many decimals as it is worth
            assert found[name] == pytest.approx(value, rel=1e-6, abs=written), name
        else:
            assert found[name] == value, name


PLANS = [
    Plan(1, packets=400, loss=0.05, duplicates=0.02, late=0.05, late_packets=3, jitter_ms=25),
    Plan(2, packets=900, loss=0.01, burst=40, jitter_ms=60, digits=2, comfort_noise=True, pauses=3),
    Plan(3, packets=300, payload_type=96, clock=48000),
    Plan(4, packets=700, payload_type=18, restarts=1, jumps=1, changes=2, drift_ppm=80),
    Plan(5, packets=30),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan.seed))
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"buffer": "fixed", "buffer_delay_ms": 20, "buffer_size_ms": 50, "plc": False},
        {"buffer": "none", "delay_ms": 180.0, "provisional": True},
    ],
    ids=["plain", "fixed", "none"],
)
def test_fields_follow_from_the_row(tmp_path, plan, wanted):
    analysis = analysed(tmp_path, [sent.packet for sent in arrivals_of(plan)], **wanted)
    rows = analysis.meter.snapshot()
    assert len(rows) == analysis.count >= 1
    for index, row in enumerate(rows[rows.argsort(order=("start_ns", "ssrc"))]):
        found = analysis.stream(index)
        alike(found, expected_fields(row, analysis.wanted))
        assert (found["mos_scale"] is None) == (found["codec"] is None)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan.seed))
@pytest.mark.parametrize("width", [1, 4])
def test_series_follow_from_the_seconds(tmp_path, plan, width):
    analysis = analysed(tmp_path, [sent.packet for sent in arrivals_of(plan)])
    rows = analysis.meter.snapshot()
    for index, row in enumerate(rows[rows.argsort(order=("start_ns", "ssrc"))]):
        seconds = analysis.meter.seconds(int(row["id"]))
        found = analysis.stream(index, width)["seconds"]
        counted = windowed(seconds, width)
        for name in ("second", "packets", "lost"):
            assert found[name] == getattr(counted, name).tolist(), name
        judged = analysis.stream(index)["discarded"] is not None
        assert found["discarded"] == (counted.discarded.tolist() if judged else [None] * len(counted.second))
        codec = analysis.stream(index)["codec"]
        mos = rate_windows(row_for(codec, plc=True) if codec else None, loss_percent=counted.loss_percent).mos_lq
        same(found["mos_lq"], [known(value) for value in mos], 2e-6)
        start = seconds["second"] - seconds["second"] % width
        for name, field in (("jitter_max_seconds", "jitter_max"), ("pdv_max_seconds", "pdv_max")):
            highest = [seconds[field][start == second] for second in counted.second]
            expected = [known(np.nanmax(values)) if not np.isnan(values).all() else None for values in highest]
            same(found[name], expected, 1e-9)
        assert found["burst"] == [bool((seconds["flags"][start == second] & 1).any()) for second in counted.second]


def test_pieces_are_the_streams_in_their_order(tmp_path):
    packets = [p for ssrc in range(300) for p in stream(5, ssrc=ssrc, src=("10.9.0.1", 1000 + ssrc))]
    analysis = analysed(tmp_path, sorted(packets, key=lambda packet: packet.at_ns))
    pieces = list(analysis.pieces())
    assert len(pieces) > 1
    streams = json.loads(b"[" + b"".join(pieces) + b"]")
    assert [s["ssrc"] for s in streams] == [f"0x{ssrc:08x}" for ssrc in range(300)]
    again = [analysis.stream(index, 1) for index in range(analysis.count)]
    assert streams == again


# Who talks to whom: (source, destination, from second, to second) → one way?
A, B, C, GROUP = SRC, DST, ("10.9.0.3", 40000), ("239.1.2.3", 5004)
AT_HOSTS = ("10.9.0.1", 20100), ("10.9.0.2", 30100)


@pytest.mark.parametrize(
    ("streams", "one_way"),
    [
        ([(A, B, 0, 4)], [None]),  # a capture of one direction
        ([(A, B, 0, 4), (C, B, 0, 4)], [None, None]),
        ([(A, B, 0, 4), (B, A, 0, 4)], [False, False]),
        ([(A, B, 0, 4), (B, A, 0, 4), (C, B, 0, 4)], [False, False, True]),
        ([(A, B, 0, 10), (B, A, 0, 3)], [True, False]),  # under half of it is answered
        ([(A, B, 0, 10), (B, A, 0, 3), (B, A, 6, 9)], [False, False, False]),
        ([(A, B, 0, 4), (AT_HOSTS[1], AT_HOSTS[0], 0, 4)], [False, False]),  # other ports, same hosts
        ([(A, B, 0, 4), (B, A, 0, 4), (C, GROUP, 0, 4)], [False, False, None]),  # nobody answers a group
        ([(A, B, 0, 4), (B, A, 20, 24)], [None, None]),  # one after the other
    ],
)
def test_one_way(tmp_path, streams, one_way):
    packets = []
    for ssrc, (src, dst, begin, end) in enumerate(streams):
        packets += [
            Rtp(START_NS + begin * 10**9 + i * 20_000_000, i, 160 * i, ssrc=ssrc, src=src, dst=dst)
            for i in range((end - begin) * 50)
        ]
    analysis = analysed(tmp_path, sorted(packets, key=lambda packet: packet.at_ns))
    found = {fields["ssrc"]: fields["one_way"] for fields in map(analysis.stream, range(analysis.count))}
    assert [found[f"0x{ssrc:08x}"] for ssrc in range(len(streams))] == one_way


def test_one_way_among_many(tmp_path):
    """Pairs in any order: every stream but the last has its answer."""
    hosts = [(f"10.{i // 200}.{i % 200}.1", 4000 + i) for i in range(700)]
    packets = [p for i, host in enumerate(hosts) for p in stream(3, ssrc=i, src=host, dst=DST)]
    packets += [p for i, host in enumerate(hosts[:-1]) for p in stream(3, ssrc=i + 1000, src=DST, dst=host)]
    analysis = analysed(tmp_path, packets)
    found = {fields["ssrc"]: fields["one_way"] for fields in map(analysis.stream, range(analysis.count))}
    assert [ssrc for ssrc, alone in found.items() if alone] == [f"0x{699:08x}"]
    assert None not in found.values()
