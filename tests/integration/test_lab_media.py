"""The lab's media: through relay and rtpengine, impaired as told, and the truth of it exactly what arrives."""

import asyncio
import re
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from tests.integration.test_lab_faults import address, phone
from tests.integration.test_probes_calls import Bench
from tests.lab_phone import DOMAIN

pytestmark = pytest.mark.lab

PRIMARY = {"sbc-1": "core-a", "sbc-2": "core-b"}
ETH_P_IP = 0x0800


class Capture:
    """Every UDP datagram from or to a lab's addresses while it is open, by a packet socket of the test's own."""

    def __init__(self, net):
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        except PermissionError:
            pytest.skip("capturing needs CAP_NET_RAW")
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self._socket.settimeout(0.1)
        self._prefix, self._open = net + ".", True
        self.packets = []  # (seconds, src, dst, payload)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._open = False
        self._thread.join()
        self._socket.close()

    def _run(self):
        while self._open:
            try:
                frame = self._socket.recv(65_535)
            except TimeoutError:
                continue
            header = (frame[0] & 15) * 4
            if frame[9] != socket.IPPROTO_UDP:
                continue
            hosts = [socket.inet_ntoa(frame[at : at + 4]) for at in (12, 16)]
            if any(host.startswith(self._prefix) for host in hosts):
                ports = struct.unpack_from("!HH", frame, header)
                src, dst = (f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
                self.packets.append((time.monotonic(), src, dst, frame[header + 8 :]))

    def between(self, src, dst):
        return [(at, payload) for at, one, other, payload in self.packets if (one, other) == (src, dst)]

    def peers(self, endpoint):
        return {one for _, one, other, _ in self.packets if other == endpoint}


def sequences(packets):
    return [struct.unpack_from("!H", payload, 2)[0] for _, payload in packets]


def counted(numbers):
    """What RFC 3550's numbers say: packets, lost, duplicates, reordered; written anew, to share no mistake."""
    first, highest, seen, duplicates, reordered = numbers[0], numbers[0], {numbers[0]}, 0, 0
    for number in numbers[1:]:
        extended = highest + ((number - highest + 0x8000) % 0x10000 - 0x8000)
        if extended in seen:
            duplicates += 1
            continue
        reordered += extended < highest
        seen.add(extended)
        highest, first = max(highest, extended), min(first, extended)
    return {
        "packets": len(numbers),
        "lost": highest - first + 1 - len(seen),
        "duplicated": duplicates,
        "reordered": reordered,
    }


def truth_of(lab, media):
    """The truth of the stream that a result's media object is about: the last, since ports come round again."""
    return last_of(lab, kind="rtp", src=media["src"], dst=media["dst"])


def last_of(lab, **wanted):
    return [one for one in lab.status()["media"] if wanted.items() <= one.items()][-1]


def offsets(truth):
    """The dropped packets by their place in the stream: numbers begin anywhere."""
    numbers = [number for first, last in truth["dropped_sequences"] for number in range(first, last + 1)]
    begin = min([truth["first_sequence"], *numbers])
    return [number - begin for number in numbers]


def waited(capture, core, stream):
    """Seconds from a packet's leaving the far end until it left for the probe, of each that did."""
    sent = {}
    for at, src, _, payload in capture.packets:
        if src.startswith(f"{core}:"):
            sent.setdefault(payload, at)
    return [at - sent[payload] for at, payload in capture.between(stream["src"], stream["dst"])]


def on_primary(target):
    return PRIMARY.get(target.sbc) == target.core


async def calls(lab, hold, during=None):
    """A call through each SBC to its primary core at once, by SBC."""
    async with Bench(lab, "call", hold=hold, only=on_primary) as bench:
        if bench.pool.notes:
            pytest.skip(bench.pool.notes[0])
        results, *_ = await asyncio.gather(bench.all(), during() if during else asyncio.sleep(0))
    return {result.sbc: result for result in results}


async def test_lost_packets_are_lost_at_the_meter_to_the_very_count(lab):
    """And the same seed loses the same ones, on either SBC; rtpengine stands on sbc-1; RTCP passes both."""
    for sbc in PRIMARY:
        lab.break_(f"media:{sbc}:loss=5%,direction=rx")
    with Capture(lab.net) as capture:
        results = await calls(lab, 4.0)
    truths = {}
    for sbc, result in results.items():
        assert (result.outcome, result.reason) == ("ok", None)
        rx = result.media["rx"]
        truth = truths[sbc] = truth_of(lab, rx)
        assert 2 <= truth["dropped"] <= 20
        assert truth["packets_out"] == truth["packets_in"] - truth["dropped"]
        assert (rx["packets"], rx["lost"], rx["duplicates"], rx["reordered"]) == (
            truth["packets_out"], truth["lost"], 0, 0,
        )  # fmt: skip
        assert result.media["tx"]["lost"] == truth_of(lab, result.media["tx"])["dropped"] == 0
        assert result.media["tx"]["far_end_reports"] >= 1
    shortest = min(one["packets_in"] for one in truths.values())
    first, second = ([at for at in offsets(one) if at < shortest] for one in truths.values())
    assert first == second
    for sbc, relayed_by in (("sbc-1", range(16_000, 18_000)), ("sbc-2", range(14_000, 16_000))):
        core = address(lab, PRIMARY[sbc])
        far_ends = {dst for _, _, dst, _ in capture.packets if re.match(rf"{core}:42\d\d\d$", dst)}
        for far_end in far_ends:  # RTP and, one port higher, RTCP
            (peer,) = capture.peers(far_end)
            host, port = peer.split(":")
            assert host == address(lab, sbc)
            assert int(port) in relayed_by
        assert len(far_ends) == 2
        rtcp = {way: last_of(lab, sbc=sbc, kind="rtcp", direction=way) for way in ("rx", "tx")}
        assert min(rtcp["rx"]["packets_out"], rtcp["tx"]["packets_out"]) >= 2
        ours, theirs = (rtcp["rx"]["dst"], rtcp["rx"]["src"])
        for way in ((ours, theirs), (theirs, ours)):
            kinds = {payload[1] for _, payload in capture.between(*way)}
            assert kinds & {200, 201}, "an SR or RR (RFC 3550 section 6.4)"


async def test_all_that_a_bad_network_does_is_what_arrives(lab):
    lab.break_("media:sbc-1:jitter=30ms,delay=50ms,loss=3%,seed=4")
    lab.break_("media:sbc-2:loss=12%,burst=3,duplicate=4%,reorder=5%")
    with Capture(lab.net) as capture:
        results = await calls(lab, 4.0)
        await asyncio.sleep(0.3)  # what is on its way still
    for result in results.values():
        assert (result.outcome, result.reason) == ("ok", None)
        rx = result.media["rx"]
        truth = truth_of(lab, rx)
        assert truth["packets_in"] - truth["dropped"] + truth["duplicated"] == truth["packets_out"]
        arrived = counted(sequences(capture.between(rx["src"], rx["dst"])))
        assert arrived == {
            "packets": truth["packets_out"],
            **{name: truth[name] for name in ("lost", "duplicated", "reordered")},
        }
    late, odd = (truth_of(lab, results[sbc].media["rx"]) for sbc in PRIMARY)
    assert 0.015 < results["sbc-1"].media["rx"]["jitter_mean_seconds"] < 0.060
    assert 0.085 < late["delay_mean_seconds"] < 0.15
    for kind in ("rtp", "rtcp"):
        stream = last_of(lab, sbc="sbc-1", kind=kind, direction="rx")
        waits = waited(capture, address(lab, "core-a"), stream)
        assert len(waits) == stream["packets_out"] > 0
        assert 0.050 <= min(waits) <= max(waits) < 0.050 + 0.090 + 0.100  # the last is a busy machine's
    assert odd["duplicated"] > 0
    assert odd["reordered"] > 0
    assert results["sbc-2"].media["rx"]["burst_ratio"] > 1.3


async def test_one_way_audio_is_seen_and_healed_in_the_middle_of_a_call(lab):
    """sbc-1 lets no RTP through to the probe; sbc-2 loses everything for a while, then nothing."""
    lab.break_("sbc-1:oneway")

    async def a_bad_while():
        await asyncio.sleep(1.2)
        await asyncio.to_thread(lab.break_, "media:sbc-2:loss=100%,direction=rx")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(lab.heal, "media:sbc-2")

    results = await calls(lab, 4.0, a_bad_while)
    assert (results["sbc-1"].outcome, results["sbc-1"].reason) == ("failed", "one_way")
    assert (results["sbc-2"].outcome, results["sbc-2"].reason) == ("ok", None)
    silent = last_of(lab, sbc="sbc-1", kind="rtp", direction="rx")
    assert silent["packets_out"] == 0
    assert silent["dropped"] == silent["packets_in"] > 50
    rx = results["sbc-2"].media["rx"]
    truth = truth_of(lab, rx)
    assert len(truth["dropped_sequences"]) == 1
    assert 10 <= truth["dropped"] == truth["lost"] == rx["lost"] == rx["loss_run_max"] <= 60
    lab.heal()
    healed = (await calls(lab, 1.5))["sbc-1"]
    assert (healed.outcome, healed.reason, healed.media["rx"]["lost"]) == ("ok", None, 0)


async def test_a_far_end_that_never_hears_us_is_one_way_by_its_own_rtcp(lab):
    """It answers silence with silence, and reports about nobody; the other SBC's hears us."""
    lab.break_("sbc-1:oneway=tx")
    results = await calls(lab, 4.0)
    assert {sbc: (result.outcome, result.reason) for sbc, result in results.items()} == {
        "sbc-1": ("failed", "one_way"),
        "sbc-2": ("ok", None),
    }
    for sbc, result in results.items():
        truth = truth_of(lab, result.media["tx"])
        assert (truth["packets_out"] == 0, truth["dropped"] == truth["packets_in"]) == (sbc == "sbc-1",) * 2
        assert ("mos_lq" in result.media["tx"]) == (sbc == "sbc-2")  # what nobody heard has no quality
        assert result.media["rx"]["lost"] == 0
        assert result.media["rx"]["mos_lq"] > 4


def processes(word):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word in (entry / "cmdline").read_bytes():
                    found.append((entry / "stat").read_text().rpartition(")")[2].split()[0])
            except OSError:
                continue
    return found


def test_rtpengine_and_relay_share_the_fate_of_their_sbc(lab):
    words = [f"--listen-ng={address(lab, 'sbc-1')}:".encode(), b"deploy.lab.relay\0" + address(lab, "sbc-1").encode()]
    assert [len(processes(word)) for word in words] == [1, 1]
    lab.break_("sbc-1:freeze")
    assert [processes(word) for word in words] == [["T"], ["T"]]
    lab.heal()
    lab.break_("sbc-1:oneway")
    lab.break_("sbc-1")
    assert [processes(word) for word in words] == [[], []]
    assert [one["what"] for one in lab.status()["faults"]] == ["sbc-1"]
    lab.heal()
    assert [len(processes(word)) for word in words] == [1, 1]


def test_an_impairment_takes_the_place_of_the_one_before(lab):
    def broken():
        return [fault["what"] for fault in lab.status()["faults"]]

    lab.break_("media:sbc-1:loss=5%")
    lab.break_("sbc-1:oneway")
    lab.break_("media:sbc-1:jitter=30ms,loss=2.50%,seed=1")
    lab.break_("media:sbc-2:delay=1s")
    assert broken() == ["sbc-1:oneway", "media:sbc-1:loss=2.5%,jitter=30ms", "media:sbc-2:delay=1000ms"]
    lab.heal("media:sbc-1")
    lab.heal("media:sbc-2:delay=1s")
    assert broken() == ["sbc-1:oneway"]
    lab.break_("media:sbc-1:delay=1s")
    lab.heal("sbc-1")
    assert broken() == []


def described(host, port):
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )


def said_place(text):
    host, port = re.search(r"(?m)^c=IN IP4 (\S+)", text)[1], re.search(r"(?m)^m=audio (\d+)", text)[1]
    return host, int(port)


@pytest.mark.parametrize("registrar", ["sbc-1", "sbc-2"])
def test_a_call_between_two_phones_passes_the_relay_once_for_each_leg(lab, registrar):
    """Through the same SBC twice under one Call-ID, or through both."""
    core = address(lab, "core-a")
    with (
        phone(lab, registrar, "monitor-2") as callee,
        phone(lab, "sbc-1") as caller,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        for rtp in (ours, theirs):
            rtp.bind(("127.0.0.1", 0))
            rtp.settimeout(2)
        aor = f"<sip:9001@{DOMAIN}>"
        callee.ask("REGISTER", f"sip:{core}", forced=True, extra="Expires: 60\r\n", to=aor, once=False)
        caller.body = described(*ours.getsockname())
        assert caller.ask("INVITE", f"sip:9001@{core}", forced=True, once=False, timeout=0.5) is None  # it rings
        invite = callee.receive(1)
        toward_caller = said_place(invite.text)
        assert toward_caller[0] == address(lab, registrar)
        callee.reply(invite, "200 OK", described(*theirs.getsockname()))
        answer = caller.receive(2)
        while answer.code < 200:
            answer = caller.receive(2)
        toward_callee = said_place(answer.text)
        assert toward_callee[0] == address(lab, "sbc-1")
        packet = struct.pack("!BBHII", 0x80, 8, 7, 160, 0xC0FFEE) + b"\xd5" * 160
        for sender, to, receiver in ((ours, toward_callee, theirs), (theirs, toward_caller, ours)):
            sender.sendto(packet, to)
            got, source = receiver.recvfrom(2000)
            assert got == packet
            assert source == (toward_caller if receiver is theirs else toward_callee)
        legs = [one for one in lab.status()["media"] if not one["over"] and one["ssrc"] == "0x00c0ffee"]
        assert {one["call_id"].endswith("/core"): one["sbc"] for one in legs} == {False: "sbc-1", True: registrar}
        gone = callee.ask("REGISTER", f"sip:{core}", forced=True, extra="Expires: 0\r\n", to=aor, once=False)
        assert gone.code == 200
