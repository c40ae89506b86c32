"""What the lab does to media: words, dice, the truth that is kept, SDP and the ng protocol. Pure."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.lab import ng, sdp
from deploy.lab.impair import KEYS, Dice, Fate, Impairment, parse_impairment, stay_or_begin
from deploy.lab.lane import Switch, kind_of
from deploy.lab.media import rtpengine_program
from deploy.lab.process import LabError
from deploy.lab.sdp import Place
from deploy.lab.truth import Truth, rtp_header
from sereno.errors import UsageError

PACKETS = 40_000


def fates(words, flow="0/0/rx/rtp", packets=PACKETS):
    dice = Dice(parse_impairment("media:sbc-1:" + words, words), flow)
    return [dice.next() for _ in range(packets)]


def share(flags):
    return sum(flags) / len(flags)


def runs(flags):
    found, run = [], 0
    for flag in [*flags, False]:
        if flag:
            run += 1
        elif run:
            found.append(run)
            run = 0
    return found


@pytest.mark.parametrize(
    ("words", "canonical"),
    [
        ("loss=5%,jitter=30ms", "loss=5%,jitter=30ms"),
        ("jitter=0.5s,loss=05.50%", "loss=5.5%,jitter=500ms"),
        ("direction=both,delay=1ms,seed=1", "delay=1ms"),
        ("seed=7,reorder=1%,duplicate=2%,burst=4,loss=100%,direction=tx,delay=1.5ms",
         "loss=100%,burst=4,duplicate=2%,reorder=1%,delay=1.5ms,direction=tx,seed=7"),
    ],
)  # fmt: skip
def test_words_have_one_spelling(words, canonical):
    impairment = parse_impairment("", words)
    assert impairment.text == canonical
    assert parse_impairment("", canonical) == impairment


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("loss=200%", "loss=200%: write a share above 0% and up to 100%, such as 5%"),
        ("loss=0%", "loss=0%: write a share above 0% and up to 100%, such as 5%"),
        ("loss=5", "loss=5: write a share above 0% and up to 100%, such as 5%"),
        ("loss=-5%", "loss=-5%: write a share above 0% and up to 100%, such as 5%"),
        ("loss=1e1%", "loss=1e1%: write a share above 0% and up to 100%, such as 5%"),
        ("loss=٥%", "loss=٥%: write a share above 0% and up to 100%, such as 5%"),
        ("loss", "loss=: write a share above 0% and up to 100%, such as 5%"),
        ("jitter=abc", "jitter=abc: write a time above 0 and up to 10s, such as 30ms"),
        ("jitter=30", "jitter=30: write a time above 0 and up to 10s, such as 30ms"),
        ("delay=0ms", "delay=0ms: write a time above 0 and up to 10s, such as 30ms"),
        ("delay=11s", "delay=11s: write a time above 0 and up to 10s, such as 30ms"),
        ("loss=5%,burst=0.5", "burst=0.5: write a mean length from 1 to 1000 packets, such as 3"),
        ("loss=5%,seed=-1", "seed=-1: write a whole number from 0, such as 7"),
        ("loss=5%,direction=up", "direction=up: write rx, tx or both, as seen from the probe"),
        ("lost=5%", f"no such key 'lost'; keys are {KEYS}"),
        ("loss=5%,", f"no such key ''; keys are {KEYS}"),
        ("loss=5%,loss=5%", "loss is given twice"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_named_with_what_to_write(words, said):
    with pytest.raises(UsageError) as error:
        parse_impairment(f"media:sbc-1:{words}", words)
    assert str(error.value) == f"lab: 'media:sbc-1:{words}': {said}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("seed=3,direction=rx", "breaks nothing; write such as media:sbc-1:loss=5%,jitter=30ms"),
        ("burst=3,jitter=3ms", "burst is the length of runs of losses; write loss=N% too"),
        ("loss=90%,burst=2", "so much loss needs longer runs; write burst=9 or more"),
    ],
)
def test_words_that_make_no_sense_together(words, said):
    with pytest.raises(UsageError, match=said):
        parse_impairment(f"media:sbc-1:{words}", words)


@pytest.mark.parametrize(
    "words", ["loss=0.5%", "loss=5%", "loss=60%", "loss=5%,burst=1", "loss=5%,burst=8", "loss=99%,burst=99"]
)
def test_as_many_are_lost_as_was_asked_for(words):
    wanted = parse_impairment("", words)
    lost = [fate.lost for fate in fates(words)]
    assert share(lost) == pytest.approx(wanted.loss_percent / 100, rel=0.2)
    if wanted.burst is not None:
        assert statistics.mean(runs(lost)) == pytest.approx(wanted.burst, rel=0.15)


def test_all_or_nothing():
    assert all(fate.lost for fate in fates("loss=100%", packets=1000))
    assert all(fate.lost for fate in fates("loss=100%,burst=5", packets=1000))
    assert set(fates("delay=7ms", packets=1000)) == {Fate(lost=False, delay_us=7000, duplicated=False, held=False)}


def test_duplicates_and_held_back_packets_are_as_many_as_was_asked_for():
    found = fates("duplicate=3%,reorder=7%")
    assert share([fate.duplicated for fate in found]) == pytest.approx(0.03, rel=0.1)
    assert share([fate.held for fate in found]) == pytest.approx(0.07, rel=0.1)
    assert not any(fate.lost or fate.delay_us for fate in found)


@pytest.mark.parametrize("milliseconds", [5, 30, 80])
def test_jitter_reads_about_what_was_asked_for(milliseconds):
    """By RFC 3550 section 6.4.1 and appendix A.8, in the order of arrival, at 20 ms a packet."""
    waits = [fate.delay_us for fate in fates(f"jitter={milliseconds}ms")]
    arrivals = sorted((20_000 * number + wait, 20_000 * number) for number, wait in enumerate(waits))
    jitter, seen, before = 0.0, [], arrivals[0]
    for arrival, sent in arrivals[1:]:
        jitter += (abs((arrival - before[0]) - (sent - before[1])) - jitter) / 16
        seen.append(jitter)
        before = arrival, sent
    assert statistics.mean(seen) / 1000 == pytest.approx(milliseconds, rel=0.12)


def test_the_same_seed_is_the_same_fate_and_keys_do_not_disturb_each_other():
    alone = [fate.lost for fate in fates("loss=5%", packets=500)]
    assert [fate.lost for fate in fates("jitter=30ms,loss=5%,duplicate=9%,delay=4ms", packets=500)] == alone
    assert [fate.lost for fate in fates("loss=5%,seed=2", packets=500)] != alone
    assert [fate.lost for fate in fates("loss=5%", flow="1/0/rx/rtp", packets=500)] != alone


def test_bursts_keep_the_share():
    stay, begin = stay_or_begin(10.0, 4.0)
    assert begin / (begin + 1 - stay) == pytest.approx(0.10)


def test_calls_are_numbered_as_an_impairment_meets_them():
    switch = Switch()
    switch.set(Impairment(loss_percent=5), frozenset())
    assert [switch.call_number(call) for call in (7, 9, 7)] == [0, 1, 0]
    turn = switch.turn
    switch.set(Impairment(loss_percent=5), frozenset({"rx"}))
    assert (switch.turn, switch.call_number(9)) == (turn, 1), "one way beside it is no other impairment"
    switch.set(Impairment(loss_percent=6), frozenset())
    assert (switch.turn, switch.call_number(9)) == (turn + 1, 0)


def test_truth_of_a_stream_over_the_wrap():
    truth = Truth()
    numbers = [truth.came(number) for number in (65_533, 65_534, 65_535, 0, 1, 2, 3)]
    assert numbers == list(range(65_533, 65_540))
    truth.lost(65_533)
    truth.left(65_534, None)
    for number in (65_535, 65_536):
        truth.lost(number)
    truth.left(65_538, 4000)
    truth.left(65_537, 2000)
    truth.left(65_537, None, again=True)
    truth.lost(65_539)
    assert truth.figures() == {
        "packets_in": 7, "packets_out": 4, "dropped": 4, "duplicated": 1, "delayed": 2, "reordered": 1, "lost": 2,
        "first_sequence": 65_534, "last_sequence": 65_538,
        "dropped_sequences": [[65_533, 65_533], [65_535, 65_536], [65_539, 65_539]],
        "delay_mean_seconds": 0.003, "delay_max_seconds": 0.004,
    }  # fmt: skip


def test_nothing_left_is_nothing_known():
    truth = Truth()
    truth.lost(truth.came(9))
    figures = truth.figures()
    assert (figures["lost"], figures["first_sequence"], figures["delay_mean_seconds"]) == (0, None, None)


@pytest.mark.parametrize(
    ("packet", "kind"),
    [(b"\x80\xc8" + bytes(6), "rtcp"), (b"\x80\xdf" + bytes(6), "rtcp"), (b"\x80\x08" + bytes(10), "rtp"),
     (b"\x80\xe0" + bytes(10), "rtp"), (b"\x00\xc8" + bytes(10), "rtp"), (b"\x80\xc8", "rtp"), (b"", "rtp")],
)  # fmt: skip
def test_rtcp_is_told_from_rtp_by_its_type(packet, kind):
    assert kind_of(packet) == kind


def test_rtp_header():
    packet = bytes.fromhex("80880007000000a000c0ffee") + b"\xd5"
    assert rtp_header(packet) == (0xC0FFEE, 8, 7)
    assert rtp_header(packet[:11]) is None
    assert rtp_header(b"\x40" + packet[1:]) is None


AUDIO = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (AUDIO, Place(("10.0.0.1", 4000), ("10.0.0.1", 4001))),
        (AUDIO + b"a=rtcp:5000\r\n", Place(("10.0.0.1", 4000), ("10.0.0.1", 5000))),
        (AUDIO + b"a=rtcp:5000 IN IP4 10.0.0.9\r\n", Place(("10.0.0.1", 4000), ("10.0.0.9", 5000))),
        (AUDIO + b"a=rtcp-mux\r\n", Place(("10.0.0.1", 4000), ("10.0.0.1", 4000))),
        (AUDIO + b"c=IN IP4 10.0.0.2\r\n", Place(("10.0.0.2", 4000), ("10.0.0.2", 4001))),
        (AUDIO.replace(b"c=IN IP4 10.0.0.1", b"c=IN IP4 0.0.0.0"), Place(None, None)),
        (AUDIO.replace(b"audio 4000", b"audio 0"), Place(None, None)),
        (AUDIO.replace(b"IP4", b"IP6"), Place(None, None)),
    ],
)
def test_where_an_sdp_wants_its_media(body, place):
    assert sdp.places(body) == [place]


def test_an_sdp_moved():
    body = (
        AUDIO + b"a=candidate:1 1 UDP 1 10.0.0.1 4000 typ host\r\na=rtcp:4001 IN IP4 10.0.0.1\r\n"
        b"m=video 0 RTP/AVP 99\r\nm=video 4002 RTP/AVP 99\r\nc=IN IP4 10.0.0.2\r\n"
    )
    moved = sdp.moved(body, "127.0.1.1", [14_000, 14_004, 14_008])
    assert moved == (
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 127.0.1.1\r\nt=0 0\r\n"
        b"m=audio 14000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp:14001\r\n"
        b"m=video 0 RTP/AVP 99\r\nm=video 14008 RTP/AVP 99\r\nc=IN IP4 127.0.1.1\r\n"
    )
    assert sdp.places(moved)[2] == Place(("127.0.1.1", 14_008), ("127.0.1.1", 14_009))


values = st.recursive(
    st.binary(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.binary(max_size=8), values, max_size=5))
def test_ng_messages_survive_the_way(command):
    assert ng.split(ng.join(b"cookie", command)) == (b"cookie", command)


@given(
    st.one_of(st.binary(), st.binary().map(lambda rest: b"c d" + rest), st.text("0123456789:delis-_ ").map(str.encode))
)
def test_any_datagram_is_an_ng_message_or_an_ng_error(datagram):
    try:
        cookie, command = ng.split(datagram)
    except ng.NgError:
        return
    assert ng.split(ng.join(cookie, command)) == (cookie, command)


@pytest.mark.parametrize(
    "datagram", [b"", b"c", b"c ", b" de", b"c i1e", b"c d1:ae", b"c di1ei2ee", b"c d1:a9:xe", b"c dede"]
)
def test_what_is_no_ng_message(datagram):
    with pytest.raises(ng.NgError):
        ng.split(datagram)


def test_deeply_nested_is_no_ng_message():
    with pytest.raises(ng.NgError):
        ng.split(b"c " + b"l" * 100_000)


@given(st.binary(max_size=300))
def test_any_body_is_moved_without_a_fault(body):
    places = sdp.places(body)
    sdp.moved(body, "127.0.1.1", range(14_000, 14_000 + 4 * len(places), 4))


def test_without_rtpengine_one_line_names_the_package(monkeypatch):
    monkeypatch.setattr("deploy.lab.media._SBIN", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError) as error:
        rtpengine_program()
    assert str(error.value) == "lab: rtpengine is not installed; apt-get install rtpengine-daemon"
