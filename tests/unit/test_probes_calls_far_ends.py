"""What other user agents do, as it was seen on the wire: against the pure judge of calls."""

import pytest

from probes.checks.judge_call import judge_call, post_dial_delay
from probes.sip.ipc import Called, Counters, Message, Second
from probes.sip.ladder import allows, read
from sereno.topology.model import Topology

TOPOLOGY = Topology.model_validate(
    {
        "service": "voice",
        "cores": {"core-a": {"uri": "sip:10.8.0.1", "identify": {"header": "Server", "contains": "core-a"}}},
        "sbcs": {"sbc-1": {"addresses": ["sip:198.51.100.11:5060"], "primary": "core-a"}},
    }
)
MS = 1_000_000
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
PCMA = "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"


def request(at_ms, method, cseq, *, ours=True, tag="", credentials=False):
    text = (
        f"{method} sip:x@10.8.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK{cseq}\r\n"
        f"From: <sip:9000@voice>;tag=a\r\nTo: <sip:x@voice>{tag and f';tag={tag}'}\r\nCall-ID: c1\r\n"
        f"CSeq: {cseq} {method}\r\n{'Authorization: [redacted]' + chr(13) + chr(10) if credentials else ''}\r\n"
    )
    return Message(at_ms * MS, "sent" if ours else "received", text)


def answer(at_ms, code, method, cseq, *headers, body=""):
    lines = (
        f"SIP/2.0 {code} Words", f"Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK{cseq}",
        "From: <sip:9000@voice>;tag=a",
        "To: <sip:x@voice>;tag=b", "Call-ID: c1", f"CSeq: {cseq} {method}", "Server: core-a", *headers,
        *(["Content-Type: application/sdp"] if body else []), f"Content-Length: {len(body)}",
    )  # fmt: skip
    return Message(at_ms * MS, "received", "\r\n".join(lines) + "\r\n\r\n" + body)


INVITE = request(10, "INVITE", 1)
OK = answer(20, 200, "INVITE", 1, body=SDP + PCMA)
ENDED = (request(5_020, "BYE", 7, tag="b"), answer(5_022, 200, "BYE", 7))


def counted(**given):
    usual = {
        "rx_packets": 250, "rx_lost": 0, "rx_duplicates": 0, "rx_reordered": 0, "rx_discarded": 0,
        "rx_jitter_mean_seconds": 0.001, "rx_jitter_max_seconds": 0.002, "tx_packets": 250, "tx_lost": 0,
        "tx_jitter_mean_seconds": 0.001, "tx_jitter_max_seconds": 0.002, "far_reports": 2, "rtt_samples": 0,
        "rtt_mean_seconds": 0.0, "buffer_mean_seconds": 0.04, "ptime_seconds": 0.02,
    }  # fmt: skip
    return Counters(**{**usual, **given})


SOUND = tuple(Second(i * 500 * MS, 25 * i, 25 * i, 37, 0) for i in range(10))


def judged(*messages, ending="completed", numbers=None, seconds=SOUND, remote=None, **more):
    seen = Called(
        id=1, ending=ending, started_ns=0, ended_ns=6_000 * MS, messages=messages, media_active=numbers is not None,
        codec="PCMA" if numbers else None, counters=numbers,
        seconds=seconds, remote=remote,
    )  # fmt: skip
    return judge_call(seen, TOPOLOGY, sbc="sbc-1", core="core-a", codecs=("PCMA",), **more)


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        ("", "no_media", "the answer has no SDP"),
        (SDP + "this is none\r\nm=audio x RTP", "no_media", "the answer's SDP names no audio"),
        (SDP + "m=audio 0 RTP/AVP 8\r\n", "no_media", "the answer refuses the audio (port 0)"),
        (SDP + "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", "codec", None),
        (SDP + "m=audio 40000 RTP/AVP 18\r\n", "codec", None),
        (SDP + PCMA + "a=inactive\r\n", "no_media", None),
    ],
)
def test_an_answer_without_sound_says_why(body, reason, detail):
    said = judged(INVITE, answer(20, 200, "INVITE", 1, body=body), *ENDED, ending="remote")
    assert (said.outcome, said.reason, said.detail) == ("failed", reason, detail)
    demanding = judged(INVITE, answer(20, 200, "INVITE", 1, body=body), *ENDED, ending="remote", srtp="required")
    assert demanding.reason == "srtp"  # no keys in any of them


def test_one_way_names_the_direction():
    assert judged(INVITE, OK, *ENDED, numbers=counted(rx_packets=0)).detail == "nothing came to us"
    deaf = judged(INVITE, OK, *ENDED, numbers=counted(tx_packets=0, far_reports=0))  # it answered `sendonly`
    assert (deaf.reason, deaf.detail) == ("one_way", "nothing of ours is heard there")


@pytest.mark.parametrize("numbers", [None, counted(rx_packets=0, far_reports=0)])
def test_a_far_end_that_hangs_up_at_once_cuts_off(numbers):
    said = judged(INVITE, OK, request(22, "BYE", 100, ours=False, tag="a"), ending="remote", numbers=numbers)
    assert (said.reason, said.ended_by, said.cut_off["by"]) == ("cut_off", "far_end", "bye")


def test_a_dialog_that_is_gone_is_cut_off_by_signalling():
    """481 to our OPTIONS: pjsip hangs up by itself, before anything was heard."""
    ended = (request(30, "BYE", 3, tag="b"), answer(31, 481, "BYE", 3))
    said = judged(INVITE, OK, *ended, ending="remote", numbers=counted(rx_packets=0, far_reports=0))
    assert (said.reason, said.cut_off["by"]) == ("cut_off", "signalling")


def test_silent_to_options_but_its_bye_is_answered():
    assert judged(INVITE, OK, *ENDED, ending="unreachable", numbers=counted()).outcome == "ok"
    dead = judged(INVITE, OK, ENDED[0], ending="unreachable", numbers=counted())
    assert (dead.reason, dead.cut_off["by"]) == ("cut_off", "signalling")


@pytest.mark.parametrize(("hearing", "lost"), [("nothing", 0), (None, 249), ("heard", 249)])
def test_our_own_bursts_coming_back_belie_rtcp(hearing, lost):
    numbers = counted(tx_lost=lost)
    assert judged(INVITE, OK, *ENDED, numbers=numbers, hearing=hearing).reason == "one_way"
    proved = judged(INVITE, OK, *ENDED, numbers=numbers, hearing=hearing, signal="ours", echoed=True)
    assert (proved.outcome, proved.reason) == ("ok", None)


def test_a_death_is_no_dead_air():
    """Frozen after 1.8 s, missed by its OPTIONS first: the looks after that are silent, for nothing came."""
    looks = tuple(Second(i * 500 * MS, min(25 * i, 90), 25 * i, 37 if i < 4 else 0, 0) for i in range(8))
    said = judged(INVITE, OK, ENDED[0], ending="unreachable", numbers=counted(rx_packets=90), seconds=looks)
    assert (said.reason, said.cut_off["by"]) == ("cut_off", "signalling")


def test_no_media_tells_where_our_sound_was_wanted():
    said = judged(INVITE, OK, *ENDED, numbers=counted(rx_packets=0, far_reports=0), remote="127.0.0.1:42000")
    assert (said.reason, said.detail) == ("no_media", "the answer wants our sound at 127.0.0.1:42000")


def test_a_re_invite_of_ours_is_no_new_call():
    again = (request(60, "INVITE", 2, tag="b"), answer(70, 488, "INVITE", 2))
    said = judged(INVITE, OK, *again, *ENDED, numbers=counted())
    assert (said.outcome, said.code, said.setup_seconds) == ("ok", 200, 0.01)
    assert post_dial_delay(read((INVITE, OK, *again))) == pytest.approx(0.01)


def test_a_chain_of_challenges_ends_before_the_post_dial_delay_begins():
    messages = (
        request(10, "INVITE", 1), answer(20, 407, "INVITE", 1), request(21, "INVITE", 2, credentials=True),
        answer(320, 401, "INVITE", 2), request(321, "INVITE", 3, credentials=True), answer(331, 180, "INVITE", 3),
    )  # fmt: skip
    assert post_dial_delay(read(messages)) == pytest.approx(0.010)


def test_options_inside_the_call_only_where_they_are_allowed():
    """SIPp's own `-sn uas` has no Allow, and ends the call on what it does not expect."""
    assert not allows((INVITE, OK), "OPTIONS")
    assert allows((INVITE, answer(20, 200, "INVITE", 1, "Allow: INVITE, ACK,BYE , options")), "OPTIONS")
    assert not allows((INVITE, answer(20, 407, "INVITE", 1, "Allow: INVITE, OPTIONS")), "OPTIONS")
