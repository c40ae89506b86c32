"""What `rtp watch` says of rows and times: worst first, the last ten seconds, what the sensor missed kept apart."""

import io
import time

import numpy as np
import pytest
from rich.console import Console, ConsoleDimensions

from probes.media.live import Blind, missed
from probes.media.rows import NO_PAYLOAD_TYPE, STREAM_DTYPE
from probes.media.watch import SILENT_SECONDS, Watch
from sereno.cli.rtp_table import screen
from sereno.cli.rtp_watch import Moment, Totals

S = 1_000_000_000
T0 = 1_700_000_000 * S


def row(number, **given):
    """A stream's row: 50 packets a second since T0, PCMA, nothing lost."""
    usual = {
        "id": number, "ssrc": number, "src_port": 10_000 + number, "dst_port": 20_000, "payload_type": 8,
        "clock_rate": 8000, "packets": 500, "expected": 500, "start_ns": T0, "end_ns": T0 + 10 * S, "step": 160,
        "jitter_samples": 499, "jitter_mean": 0.001, "jitter_max": 0.002, "buffer": 2,
    }  # fmt: skip
    made = np.zeros(1, STREAM_DTYPE)[0]
    mapped = np.void(bytes(10) + b"\xff\xff\x7f\x00\x00\x01")
    for name, value in {**usual, "src": mapped, "dst": mapped, **given}.items():
        made[name] = value
    return made


def rows(*given):
    return np.array([*given], STREAM_DTYPE)


def numbers(look):
    return look.rows["id"].tolist()


def test_worst_first():
    poor, some, shaky, good = (
        row(3, lost=50, loss_runs=50, packets=450), row(1, lost=5, loss_runs=5, packets=495),
        row(4, jitter_mean=0.02), row(2),
    )  # fmt: skip
    unknown = row(5, payload_type=NO_PAYLOAD_TYPE, lost=20, loss_runs=20, packets=480)
    look = Watch(T0).look(T0 + 10 * S, rows(good, shaky, some, poor, unknown), {})
    assert numbers(look) == [3, 5, 1, 4, 2]
    assert look.fields(1, {})["recent_mos_lq"] is None


def test_the_last_ten_seconds_stand_for_themselves():
    watch = Watch(T0)
    for second in range(1, 31):
        lost = min(second, 10) * 5  # the first ten seconds lose 5 of 50 a second, the others nothing
        now = row(
            1, expected=50 * second, packets=50 * second - lost, lost=lost, loss_runs=lost, end_ns=T0 + second * S
        )
        look = watch.look(T0 + second * S, rows(now), {})
        fields = look.fields(0, {})
        overlap = max(0, min(second, 10) - max(0, second - 10))
        assert fields["recent_loss_ratio"] == pytest.approx(5 * overlap / (50 * min(second, 10)))
        assert fields["packets_per_second"] == pytest.approx(50 - 5 * overlap / min(second, 10))
        assert fields["loss_ratio"] == pytest.approx(lost / (50 * second))
    assert fields["recent_mos_lq"] == pytest.approx(4.409, abs=0.001)
    assert fields["mos_lq"] < 4.3


def test_discards_count_as_loss_in_the_recent_mos_and_a_late_packet_is_no_negative_loss():
    watch = Watch(T0)
    watch.look(T0 + S, rows(row(1, expected=50, packets=48, lost=2), row(2)), {})
    look = watch.look(
        T0 + 2 * S, rows(row(1, expected=100, packets=100), row(2, expected=550, packets=550, adaptive_late=27)), {}
    )
    by_id = {int(each["id"]): look.fields(index, {}) for index, each in enumerate(look.rows)}
    assert by_id[1]["recent_loss_ratio"] == 0
    assert by_id[2]["recent_loss_ratio"] == 0
    assert by_id[2]["recent_mos_lq"] == pytest.approx(3.93, abs=0.02)


def test_a_stream_ends_after_thirty_seconds_of_silence():
    look = Watch(T0).look(T0 + (10 + SILENT_SECONDS) * S, rows(row(1)), {})
    assert (look.fields(0, {})["ended"], look.fields(0, {})["silent_seconds"]) == (False, 30.0)
    look = Watch(T0).look(T0 + (10 + SILENT_SECONDS) * S + 1, rows(row(1)), {})
    assert look.fields(0, {})["ended"]


@pytest.mark.parametrize(
    ("spans", "gone"),
    [
        ([], 0),
        ([Blind(T0 - 2 * S, T0 - 1, 7)], 0),
        ([Blind(T0 + 10 * S + 1, T0 + 11 * S, 7)], 0),
        ([Blind(T0 - S, T0, 7)], 7),
        ([Blind(T0 + S, T0 + 2 * S, 7), Blind(T0 + 10 * S, T0 + 12 * S, 5), Blind(T0 + 13 * S, T0 + 14 * S, 9)], 12),
        ([Blind(T0 + S, T0 + 2 * S, 7), Blind(T0 + 3 * S, T0 + 4 * S, None)], None),
    ],
)
def test_what_the_sensor_missed_is_a_streams_if_it_lived_then(spans, gone):
    assert missed(spans, T0, T0 + 10 * S) == gone
    look = Watch(T0).look(T0 + 30 * S, rows(row(1, lost=9, loss_runs=3, packets=491)), {}, spans)
    fields = look.fields(0, {})
    assert (fields["sensor_dropped"], fields["lost_at_most"], fields["packets"]) == (gone, 9, 491)
    spoiled = ("lost", "loss_ratio", "lost_rfc3550", "burst_ratio", "bursts", "mos_lq", "r_lq")
    assert [fields[name] for name in spoiled] == (
        pytest.approx([9, 0.018, *[fields[name] for name in spoiled[2:]]]) if gone == 0 else [None] * len(spoiled)
    )
    assert (fields["mos_lq"] is None) == (gone != 0)


def test_only_what_the_sensor_missed_just_now_spoils_the_recent_figures():
    watch, span = Watch(T0), [Blind(T0 + 1 * S, T0 + 2 * S, 7)]
    look = watch.look(T0 + 3 * S, rows(row(1, expected=150, packets=140, lost=10, end_ns=T0 + 3 * S)), {}, span)
    assert look.fields(0, {})["recent_loss_ratio"] is None
    for second in range(4, 15):
        now = row(1, expected=50 * second, packets=50 * second - 10, lost=10, end_ns=T0 + second * S)
        look = watch.look(T0 + second * S, rows(now), {}, span)
    assert look.fields(0, {})["recent_loss_ratio"] == 0
    assert look.fields(0, {})["lost"] is None


def drawn(look, width, height, *, dropped=0, error=None, reports=None):
    """The screen's lines, as a terminal of this size shows them."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=False)
    console.print(screen("eth0", Moment(look, {}, dropped, error, reports), ConsoleDimensions(width, height)))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24), (200, 50), (40, 5)])
def test_the_table_fits_the_terminal(width, height):
    many = [row(n, lost=n, loss_runs=n, packets=500 - n) for n in range(60)]
    long = row(99, src=np.void(b"\x20\x01\r\xb8" + b"\x12\x34" * 6), lost=100, loss_runs=9, packets=400)
    lines = drawn(Watch(T0).look(T0 + 10 * S, rows(*many, long), {}), width, height, dropped=12_345)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "Lost" in lines[1]
    assert "MOS-LQ" in lines[1]
    shown = len(lines) - 3 if len(many) + 1 > height - 4 else len(many) + 1
    assert (f"… and {61 - shown} more" in lines[-1]) == (shown < 61)


def test_what_the_sensor_missed_is_visible_and_losses_are_marked():
    spans = [Blind(T0 + S, T0 + 2 * S, 7)]
    stream = row(1, lost=9, loss_runs=3, packets=491)
    title, trouble, head, line = drawn(Watch(T0).look(T0 + 12 * S, rows(stream), {}, spans), 200, 50, dropped=7)
    assert "sensor missed 7" in title
    assert "had no room for 7 packets, 10 s ago" in trouble
    assert "≤ 9" in line
    assert line[head.index("MOS-LQ") : head.index("MOS-LQ") + 6].strip() == "—"


def test_an_error_is_on_top_and_nothing_yet_is_said():
    lines = drawn(Watch(T0).look(T0 + S, rows(), {}), 80, 24, error="interface eth0 is down")
    assert "✕ interface eth0 is down: nothing is captured" in lines[1]
    assert lines[2].strip() == "no RTP streams yet"


def test_last_words_count_everything_once():
    totals = Totals(time.monotonic())
    first = Moment(Watch(T0).look(T0 + 60 * S, rows(row(1, lost=2), row(2, end_ns=T0 + 60 * S)), {}), {}, 0, None)
    totals.ended(first)
    last = Moment(Watch(T0).look(T0 + 61 * S, rows(row(2, end_ns=T0 + 60 * S, lost=1)), {}), {}, 3, None)
    assert totals.line(last) == "2 streams, 1,000 packets, 3 lost, 3 missed by the sensor, in 0 s"
    blind = Watch(T0).look(T0 + 61 * S, rows(row(2, end_ns=T0 + 60 * S, lost=1)), {}, [Blind(T0, T0 + S, 3)])
    totals.ended(last)
    assert "at most 3 lost" in totals.line(Moment(blind, {}, 3, None))


def both_ways(number, **given):
    """A stream of its own two ports, and the one that answers it."""
    there = row(number, src_port=10_000 + number, dst_port=20_000 + number, **given)
    back = row(number + 100, src_port=20_000 + number, dst_port=10_000 + number)
    return there, back


def test_who_is_not_answered_is_one_way_and_the_table_says_so_after_a_while():
    far = np.void(bytes(10) + b"\xff\xff\x0a\x00\x00\x09")
    alone = row(3, dst=far)
    look = Watch(T0).look(T0 + 10 * S, rows(*both_ways(1), *both_ways(2), alone), {})
    told = {int(each["id"]): look.fields(index, {})["one_way"] for index, each in enumerate(look.rows)}
    assert told == {1: False, 2: False, 101: False, 102: False, 3: True}
    assert [line.rstrip().endswith("one-way") for line in drawn(look, 200, 50)[2:]] == [number == 3 for number in told]
    young = rows(*both_ways(1), row(3, dst=far, start_ns=T0 + 9 * S))
    assert not any("one-way" in line for line in drawn(Watch(T0).look(T0 + 10 * S, young, {}), 200, 50))
    only = Watch(T0).look(T0 + 10 * S, rows(alone), {})
    assert only.fields(0, {})["one_way"] is None  # the interface may show one direction only


def test_what_rtcp_says_stands_beside_the_row():
    said = {1: {"round_trip_mean_seconds": 0.0421}, 2: None}
    look = Watch(T0).look(T0 + 10 * S, rows(row(1), row(2)), {})
    fields = [look.fields(index, {}, reports=lambda each: said[int(each["id"])]) for index in (0, 1)]
    assert [each["round_trip_seconds"] for each in fields] == [0.0421, None]
    assert [each["rtcp"] for each in fields] == [said[1], None]
    head, first, second = drawn(look, 200, 50, reports=lambda each: said[int(each["id"])])[1:]
    at = head.index("RTT ms")
    assert (first[at : at + 6].strip(), second[at : at + 6].strip()) == ("42.1", "—")


def test_jitters_that_are_alike_keep_their_places():
    several = [row(n, jitter_mean=0.001 * (1 + n % 2)) for n in range(1, 6)]
    assert numbers(Watch(T0).look(T0 + 10 * S, rows(*several), {})) == [1, 2, 3, 4, 5]


def test_silence_and_the_end_are_said():
    ends = [row(1, end_ns=T0 + 40 * S), row(2, end_ns=T0 + 10 * S), row(3, end_ns=T0 + 44 * S)]
    lines = drawn(Watch(T0).look(T0 + 45 * S, rows(*ends), {}), 200, 50)
    assert [line.partition("0:")[2].split(maxsplit=1)[1:] for line in map(str.rstrip, lines[2:])] == [
        ["silent 5 s"], ["ended"], [],
    ]  # fmt: skip
