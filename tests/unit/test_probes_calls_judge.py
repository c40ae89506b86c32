"""What a registration's or a call's messages and packets mean: tables of cases against the pure judges."""

import numpy as np
import pytest

from probes.checks.call_media import counted, delay_ms, metered, over
from probes.checks.judge_call import judge_call, post_dial_delay, silent
from probes.checks.judge_register import granted, judge_register
from probes.media.rows import STREAM_DTYPE
from probes.sip.ipc import Called, Counters, Message, Registered, Second
from probes.sip.ladder import read
from probes.sip.message import parse_reply
from sereno.topology.model import Topology

TOPOLOGY = Topology.model_validate(
    {
        "service": "voice",
        "cores": {
            name: {"uri": f"sip:{host}", "identify": {"header": "Server", "contains": name}}
            for name, host in (("core-a", "10.8.0.1"), ("core-b", "10.8.0.2"))
        },
        "sbcs": {"sbc-1": {"addresses": ["sip:198.51.100.11:5060"], "primary": "core-a", "backup": "core-b"}},
    }
)
CONTACT = "<sip:9000@127.0.0.1:40000>"
MS = 1_000_000


def request(at_ms, method, cseq=1, *, sent=True, credentials=False, contact=CONTACT):
    extra = "Authorization: [redacted]\r\n" if credentials else ""
    text = (
        f"{method} sip:x@10.8.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK{cseq}\r\n"
        f"From: <sip:9000@voice>;tag=a\r\nTo: <sip:x@voice>\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: {contact}\r\n{extra}Content-Length: 0\r\n\r\n"
    )
    return Message(at_ms * MS, "sent" if sent else "received", text)


def answer(at_ms, code, method, cseq=1, *, server="core-a", headers=()):
    lines = [
        f"SIP/2.0 {code} Words", f"Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK{cseq}",
        "From: <sip:9000@voice>;tag=a", "To: <sip:x@voice>;tag=b", "Call-ID: c1", f"CSeq: {cseq} {method}",
        *([f"Server: {server}"] if server else []), *headers, "Content-Length: 0",
    ]  # fmt: skip
    return Message(at_ms * MS, "received", "\r\n".join(lines) + "\r\n\r\n")


def registered(*messages, ending="answered"):
    seen = Registered(id=1, ending=ending, started_ns=0, ended_ns=4_000 * MS, messages=messages)
    return judge_register(seen, TOPOLOGY, sbc="sbc-1", core="core-a")


def digest(*last):
    return (
        request(10, "REGISTER", 1),
        answer(20, 401, "REGISTER", 1, headers=('WWW-Authenticate: Digest realm="voice", nonce="n"',)),
        request(21, "REGISTER", 2, credentials=True),
        *last,
    )


class TestRegister:
    def test_counts_our_own_binding(self):
        others = "Contact: <sip:other@192.0.2.9:5060>;expires=3000, " + CONTACT + ";expires=57"
        said = registered(*digest(answer(30, 200, "REGISTER", 2, headers=(others,))))
        assert (said.outcome, said.reason, said.expires_seconds) == ("ok", None, 57.0)
        assert (said.answered_by, said.answered_core, said.code) == ("core", "core-a", 200)
        assert (said.started_ns, said.duration_seconds) == (10 * MS, 0.02)

    @pytest.mark.parametrize(
        ("headers", "expires"),
        [
            ((f"Contact: {CONTACT};expires=60",), 60),
            ((f"m: {CONTACT} ; Expires = 60",), 60),
            ((f"Contact: {CONTACT}", "Expires: 90"), 90),
            ((f"Contact: {CONTACT};expires=60", "Expires: 90"), 60),
            (("Contact: <sip:9000@127.0.0.1:40000;ob>;expires=60;received=x",), 60),
            ((f"Contact: {CONTACT}",), 0),
            ((f"Contact: {CONTACT};expires=0",), 0),
            (("Contact: <sip:9000@127.0.0.1:40001>;expires=60",), None),
            (("Contact: <sip:9001@127.0.0.1:40000>;expires=60",), None),
            (("Contact: *",), None),
            ((), None),
        ],
    )
    def test_granted_expiry(self, headers, expires):
        reply = parse_reply(answer(0, 200, "REGISTER", headers=headers).text.encode())
        assert granted(reply, CONTACT) == expires

    @pytest.mark.parametrize("headers", [(), (f"Contact: {CONTACT};expires=0",)])
    def test_a_200_without_our_binding_is_none(self, headers):
        said = registered(*digest(answer(30, 200, "REGISTER", 2, headers=headers)))
        assert (said.outcome, said.reason, said.expires_seconds) == ("failed", "binding_missing", None)

    @pytest.mark.parametrize(
        ("code", "server", "outcome", "reason"),
        [
            (401, "core-a", "failed", "auth"),
            (403, "core-a", "failed", "auth"),
            (404, "core-a", "failed", "auth"),
            (407, "core-a", "failed", "auth"),
            (403, None, "invalid", "steering"),
            (408, None, "failed", "sip_408"),
            (408, "core-a", "failed", "sip_408"),
            (423, "core-a", "failed", "sip_4xx"),
            (429, None, "invalid", "blocked"),
            (483, "core-a", "failed", "loop"),
            (500, None, "failed", "sip_5xx"),
            (503, "core-a", "failed", "sip_5xx"),
            (603, "core-a", "failed", "sip_6xx"),
            (302, "core-a", "failed", "sip_3xx"),
            (503, "core-b", "failed", "wrong_core"),
        ],
    )
    def test_refusals(self, code, server, outcome, reason):
        said = registered(*digest(answer(30, code, "REGISTER", 2, server=server)))
        assert (said.outcome, said.reason, said.code) == (outcome, reason, code)

    def test_the_first_challenge_is_no_answer(self):
        said = registered(*digest(), ending="timeout")
        assert (said.outcome, said.reason, said.code, said.answered_by) == ("failed", "timeout", None, "none")

    @pytest.mark.parametrize(
        ("header", "words"),
        [
            (
                'WWW-Authenticate: Digest realm="voice", nonce="abc", algorithm=SHA-512-256',
                (
                    "its challenge could not be answered (MD5 and SHA-256 with qop auth are known): "
                    'Digest realm="voice", algorithm=SHA-512-256'
                ),
            ),
            ("Server: core-a", "a 401 without a challenge: there is nothing to answer"),
        ],
    )
    def test_a_challenge_that_nobody_answered_is_no_wrong_password(self, header, words):
        said = registered(request(10, "REGISTER", 1), answer(20, 401, "REGISTER", 1, headers=(header,)))
        assert (said.outcome, said.reason, said.code, said.detail) == ("failed", "auth", 401, words)

    def test_a_wrong_password_needs_no_words(self):
        said = registered(*digest(answer(30, 401, "REGISTER", 2, headers=('WWW-Authenticate: Digest realm="voice"',))))
        assert (said.reason, said.detail) == ("auth", None)

    def test_an_answer_with_another_branch_is_none(self):
        ok = answer(30, 200, "REGISTER", 2, headers=(f"Contact: {CONTACT};expires=60",))
        stray = Message(ok.at_ns, "received", ok.text.replace("z9hG4bK2", "z9hG4bKother"))
        said = registered(*digest(stray), ending="timeout")
        assert (said.outcome, said.reason, said.answered_by, said.code) == ("failed", "timeout", "none", None)

    def test_another_core_answers(self):
        ok = answer(30, 200, "REGISTER", 2, server="core-b", headers=(f"Contact: {CONTACT};expires=60",))
        said = registered(*digest(ok))
        assert (said.outcome, said.reason, said.answered_core) == ("failed", "wrong_core", "core-b")

    def test_nobody_identifiable_counts_as_up(self):
        ok = answer(30, 200, "REGISTER", 2, server=None, headers=(f"Contact: {CONTACT};expires=60",))
        said = registered(*digest(ok))
        assert (said.outcome, said.answered_by, said.answered_core) == ("ok", "unknown", None)

    @pytest.mark.parametrize(
        ("ending", "outcome", "reason"),
        [("timeout", "failed", "timeout"), ("transport", "failed", "transport"), ("busy", "invalid", "probe_fault")],
    )
    def test_without_an_answer(self, ending, outcome, reason):
        said = registered(request(10, "REGISTER"), ending=ending)
        assert (said.outcome, said.reason) == (outcome, reason)

    def test_nothing_sent_is_the_probes_fault(self):
        assert registered().reason == "probe_fault"


def counters(**given):
    usual = {
        "rx_packets": 250, "rx_lost": 0, "rx_duplicates": 0, "rx_reordered": 0, "rx_discarded": 0,
        "rx_jitter_mean_seconds": 0.001, "rx_jitter_max_seconds": 0.002, "tx_packets": 250, "tx_lost": 0,
        "tx_jitter_mean_seconds": 0.001, "tx_jitter_max_seconds": 0.002, "far_reports": 0, "rtt_samples": 0,
        "rtt_mean_seconds": 0.0, "buffer_mean_seconds": 0.04, "ptime_seconds": 0.02,
    }  # fmt: skip
    return Counters(**{**usual, **given})


def looks(*levels):
    return tuple(Second(i * 500 * MS, 25 * i, 25 * i, level, 0) for i, level in enumerate(levels))


SETUP = (
    request(10, "INVITE", 1),
    answer(11, 100, "INVITE", 1, server=None),
    answer(20, 407, "INVITE", 1),
    request(21, "ACK", 1),
    request(22, "INVITE", 2, credentials=True),
    answer(23, 100, "INVITE", 2, server=None),
)
RINGING = answer(60, 180, "INVITE", 2)
OK = answer(90, 200, "INVITE", 2)
ENDED = (request(5_090, "BYE", 3), answer(5_095, 200, "BYE", 3))


def called(*messages, ending="completed", media=True, codec="PCMA", seconds=(), **numbers):
    seen = Called(
        id=1, ending=ending, started_ns=0, ended_ns=6_000 * MS, messages=messages, media_active=media,
        codec=codec if media else None, seconds=seconds, counters=counters(**numbers) if media else None,
    )  # fmt: skip
    return judge_call(seen, TOPOLOGY, sbc="sbc-1", core="core-a", codecs=("PCMA", "G722"))


class TestCall:
    def test_a_good_one_and_its_timings(self):
        said = called(*SETUP, RINGING, OK, *ENDED, seconds=looks(0, 30, 37, 37, 37, 37, 37))
        assert (said.outcome, said.reason, said.answered_core, said.ended_by) == ("ok", None, "core-a", "us")
        assert said.post_dial_delay_seconds == pytest.approx(0.038)  # from the INVITE with credentials to the 180
        assert said.setup_seconds == pytest.approx(0.080)  # from the first INVITE to the 200
        assert said.held_seconds == pytest.approx(5.0)
        assert said.disconnect_seconds == pytest.approx(0.005)

    def test_without_ringing_the_200_ends_the_post_dial_delay(self):
        assert post_dial_delay(read((*SETUP, OK))) == pytest.approx(0.068)

    def test_an_unchallenged_invite_counts_from_itself(self):
        messages = (request(10, "INVITE"), answer(15, 100, "INVITE"), answer(40, 183, "INVITE"))
        assert post_dial_delay(read(messages)) == pytest.approx(0.030)

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({"media": False}, "no_media"),
            ({"rx_packets": 0}, "no_media"),
            ({"rx_packets": 0, "far_reports": 1}, "one_way"),
            ({"rx_packets": 0, "ending": "stalled"}, "no_media"),
            ({"tx_packets": 0}, "one_way"),
            ({"far_reports": 2, "tx_lost": 249}, "one_way"),
            ({"ending": "stalled"}, "cut_off"),
            ({"codec": "PCMU"}, "codec"),
            ({"seconds": looks(0, 0, 0, 0, 0, 0, 0)}, "dead_air"),
        ],
    )
    def test_bad_media(self, given, reason):
        said = called(*SETUP, OK, *ENDED, **given)
        assert (said.outcome, said.reason) == ("failed", reason)

    def test_the_far_end_hangs_up_too_early(self):
        said = called(*SETUP, OK, request(900, "BYE", 1, sent=False), ending="remote")
        assert (said.outcome, said.reason, said.ended_by) == ("failed", "cut_off", "far_end")

    @pytest.mark.parametrize(
        ("end", "reason"),
        [
            ((request(5_090, "BYE", 3),), "bye_unanswered"),
            ((request(5_090, "BYE", 3), answer(5_095, 408, "BYE", 3, server=None)), "bye_unanswered"),
            ((request(5_090, "BYE", 3), answer(5_095, 481, "BYE", 3)), "cut_off"),
        ],
    )
    def test_a_bye_without_a_good_answer(self, end, reason):
        assert called(*SETUP, OK, *end).reason == reason

    @pytest.mark.parametrize(
        ("messages", "ending", "reason"),
        [
            (SETUP[:1], "timeout", "timeout"),
            (SETUP, "timeout", "timeout"),
            ((*SETUP, RINGING), "timeout", "no_answer"),
            (SETUP, "transport", "transport"),
        ],
    )
    def test_no_final_answer(self, messages, ending, reason):
        said = called(*messages, ending=ending, media=False)
        assert (said.outcome, said.reason, said.answered_by, said.code) == ("failed", reason, "none", None)

    @pytest.mark.parametrize(
        ("code", "server", "outcome", "reason"),
        [
            (403, "core-a", "failed", "auth"),
            (407, "core-a", "failed", "auth"),
            (404, "core-a", "failed", "sip_4xx"),
            (404, None, "invalid", "steering"),
            (408, None, "failed", "sip_408"),
            (429, None, "invalid", "blocked"),
            (482, "core-a", "failed", "loop"),
            (486, "core-a", "failed", "sip_4xx"),
            (488, "core-a", "failed", "codec"),
            (500, None, "failed", "sip_5xx"),
            (503, "core-a", "failed", "sip_5xx"),
            (600, "core-a", "failed", "sip_6xx"),
            (503, "core-b", "failed", "wrong_core"),
        ],
    )
    def test_refusals(self, code, server, outcome, reason):
        said = called(*SETUP, answer(30, code, "INVITE", 2, server=server), ending="refused", media=False)
        assert (said.outcome, said.reason, said.code) == (outcome, reason, code)

    def test_another_core_takes_the_call(self):
        said = called(*SETUP, answer(30, 200, "INVITE", 2, server="core-b"), *ENDED)
        assert (said.outcome, said.reason) == ("failed", "wrong_core")

    @pytest.mark.parametrize("ending", ["error", "hung_up"])
    def test_our_own_faults_say_nothing_of_the_softswitch(self, ending):
        said = called(*SETUP, ending=ending)
        assert (said.outcome, said.reason) == ("invalid", "probe_fault")

    def test_silence_needs_time_to_be_judged(self):
        assert not silent(())
        assert not silent(looks(0, 0, 0))
        assert not silent(looks(0, 0, 0, 0, 0, 0, 5))
        assert silent(looks(37, 0, 0, 0, 0, 0, 0))


def row(src, dst, packets, start_ms, end_ms):
    """A stream of 127.0.0.1's ports as the meter tells it."""
    given = np.zeros(1, STREAM_DTYPE)[0]
    loopback = bytes(10) + b"\xff\xff\x7f\x00\x00\x01"
    given["src"], given["dst"] = np.void(loopback), np.void(loopback)
    given["src_port"], given["dst_port"], given["payload_type"] = src, dst, 8
    given["packets"] = given["expected"] = packets
    given["start_ns"], given["end_ns"] = start_ms * MS, end_ms * MS
    return given


class TestMediaByTheMeter:
    SEEN = Called(
        id=1, ending="completed", started_ns=0, ended_ns=1, codec="PCMA", counters=counters(far_reports=1),
        local="127.0.0.1:20000", remote="127.0.0.1:42000",
    )  # fmt: skip

    def measured(self, *rows):
        return metered(np.array([*rows], STREAM_DTYPE), {}, self.SEEN, started_us=5_000_000)

    def test_each_direction_from_its_own_stream(self):
        media = self.measured(
            row(42000, 20000, 250, 5_100, 10_000), row(20000, 42000, 251, 5_100, 10_000), row(1, 2, 999, 5_100, 10_000)
        )
        assert (media["rx"]["packets"], media["tx"]["packets"]) == (250, 251)
        assert media["rx"]["mos_lq"] == media["tx"]["mos_lq"] == pytest.approx(4.409, abs=0.001)
        assert media["rx"]["src"] == "127.0.0.1:42000"

    def test_an_earlier_call_that_still_sends_to_this_port_is_not_ours(self):
        assert self.measured(row(42000, 20000, 9_000, 1_000, 10_000)) == {}
        other = row(43000, 20000, 9_000, 5_100, 10_000)
        assert self.measured(other, row(42000, 20000, 250, 5_200, 10_000))["rx"]["packets"] == 250

    def test_a_far_end_that_changes_its_stream_is_told(self):
        first, second = row(42000, 20000, 100, 5_100, 7_000), row(42000, 20000, 150, 7_000, 10_000)
        rx = self.measured(first, second, row(42000, 20000, 3, 9_000, 9_100))["rx"]
        assert (rx["packets"], rx["streams"]) == (150, 2)
        assert "streams" not in self.measured(first)["rx"]

    def test_behind_a_nat_the_far_end_is_another(self):
        assert self.measured(row(43000, 20000, 240, 5_100, 10_000))["rx"]["packets"] == 240

    def test_what_has_ended_is_forgotten_later(self):
        rows = np.array([row(1, 2, 3, 0, 1_000), row(3, 4, 5, 0, 50_000)], STREAM_DTYPE)
        assert [int(each["src_port"]) for each in over(rows, 62_000_000)] == [1]


class TestMediaByPjsua2:
    def test_unmeasured_is_absent(self):
        seen = Called(id=1, ending="completed", started_ns=0, ended_ns=1, codec="PCMA", counters=counters())
        media = counted(seen)
        assert media["rx"]["mos_lq"] == pytest.approx(4.409, abs=0.001)
        assert "mos_cq" not in media["rx"]
        assert "round_trip_seconds" not in media["rx"]
        assert "mos_lq" not in media["tx"]  # nobody said how it arrived
        assert media["rx"]["source"] == media["tx"]["source"] == "pjsua2"

    def test_delay_is_half_the_round_trip_and_the_buffer_and_a_packet(self):
        numbers = counters(rtt_samples=2, rtt_mean_seconds=0.4)
        assert delay_ms(numbers) == pytest.approx(260)
        assert delay_ms(counters()) is None
        seen = Called(id=1, ending="completed", started_ns=0, ended_ns=1, codec="PCMA", counters=numbers)
        assert counted(seen)["rx"]["mos_cq"] < 4.2

    def test_loss_is_of_what_was_expected(self):
        numbers = counters(rx_packets=190, rx_lost=10, far_reports=1, tx_lost=25)
        media = counted(Called(id=1, ending="completed", started_ns=0, ended_ns=1, codec="PCMA", counters=numbers))
        assert media["rx"]["loss_ratio"] == pytest.approx(0.05)
        assert media["rx"]["mos_lq"] == pytest.approx(3.92, abs=0.01)
        assert media["tx"]["far_end_loss_ratio"] == pytest.approx(0.1)

    def test_a_dead_direction_is_absent(self):
        seen = Called(id=1, ending="stalled", started_ns=0, ended_ns=1, codec="PCMA", counters=counters(rx_packets=0))
        assert set(counted(seen)) == {"tx"}
