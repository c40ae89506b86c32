"""Test calls to a far end that nobody here wrote: SIPp, with its own scenarios and with rude ones."""

import asyncio
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology.model import Topology
from tests.integration.test_probes_calls import until

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (make setup-test)"),
]

FAR = "127.115.1.1"
_SOCKETS = Path("/proc/net/udp")
REPLY = "[last_Via:]\n[last_From:]\n{to}\n[last_Call-ID:]\n[last_CSeq:]\nServer: core-a\n"
ANSWER = (
    "SIP/2.0 200 OK\n"
    + REPLY.format(to="[last_To:];tag=[pid]T[call_number]")
    + "Contact: <sip:[local_ip]:[local_port]>\n"
    "{more}Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=far 1 1 IN IP4 [local_ip]\ns=-\n"
    "c=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP {formats}\na={direction}\n"
)
REFER = (
    "REFER [$contact] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nMax-Forwards: 70\n"
    "From: <sip:echo@[local_ip]>;tag=[pid]T[call_number]\nTo[$caller]\n[last_Call-ID:]\nCSeq: 50 REFER\n"
    f"Contact: <sip:[local_ip]:[local_port]>\nRefer-To: <sip:0900123@{FAR}:5099>\nContent-Length: 0\n\n"
)
GOODBYE = ('<recv request="BYE"/>', f"SIP/2.0 200 OK\n{REPLY.format(to='[last_To:]')}Content-Length: 0\n\n")


def scenario(folder, *steps):
    """A file of SIPp's: an INVITE that comes, messages to send, other elements as they are."""
    keep = (
        '<action><ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="contact"/>'
        '<ereg regexp=":.*" search_in="hdr" header="From" assign_to="caller"/></action>'
    )
    lines = [
        step if step.startswith("<") else f'<send retrans="500"><![CDATA[\n\n{step}]]></send>'
        for step in (f'<recv request="INVITE">{keep}</recv>', *steps)
    ]
    path = folder / "scenario.xml"
    used = '<Reference variables="contact,caller"/>'
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?><scenario name="far">{"".join(lines)}{used}</scenario>')
    return ("-sf", str(path))


def answered(more="", formats="0", direction="sendrecv"):
    return (ANSWER.format(more=more, formats=formats, direction=direction), '<recv request="ACK"/>')


async def called(tmp_path, *arguments, hold="3600ms", echo=True):
    """The result of one call to SIPp, and SIPp's own exit status: 0 where all came as its scenario says."""
    (tmp_path / "secret").write_text("pass")
    port = free_port()
    topology = Topology.model_validate(
        {
            "service": "voice",
            "cores": {"core-a": {"uri": f"sip:{FAR}:{port}"}},
            "sbcs": {"sbc-1": {"addresses": [f"sip:{FAR}:{port}"], "primary": "core-a"}},
            "accounts": {"m": {"user": "9000", "realm": "voice", "password": {"file": str(tmp_path / "secret")}}},
            "checks": {
                "call": {
                    "every": "60s",
                    "account": "m",
                    "to": "sip:echo@{core}",
                    "hold": hold,
                    "timeout": "3s",
                    "codecs": ["PCMU"],
                }
            },
        }
    )
    found, clock = targets(topology, "p", ["call"]), SystemClock()
    pool = CallPool(found, clock, capture=False)
    far = await sipp(tmp_path, port, *arguments, *(["-rtp_echo"] if echo else []))
    try:
        await pool.start()
        result = await REGISTRY["call"](found[0], Runtime(clock=clock, topology=topology, calls=pool))
        return result, await asyncio.wait_for(far.wait(), 5)
    finally:
        await pool.stop()
        if far.returncode is None:
            far.kill()
            await far.wait()


async def sipp(folder, port, *arguments):
    """A SIPp that listens there, for one call."""
    far = await asyncio.create_subprocess_exec(
        "sipp", *arguments, "-i", FAR, "-p", str(port), "-mi", FAR, "-m", "1", "-nostdin",
        cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await listening(port, far)
    return far


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((FAR, 0))
        return bound.getsockname()[1]


def bound_there(wanted):
    return wanted in _SOCKETS.read_text()


async def listening(port, far):
    """By the kernel's own list: a datagram of ours would be a call to SIPp."""
    wanted = "".join(f"{int(octet):02X}" for octet in reversed(FAR.split("."))) + f":{port:04X}"
    for _ in range(500):
        assert far.returncode is None, "sipp does not like its scenario"
        if bound_there(wanted):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("sipp does not listen")


async def test_a_far_end_that_knows_no_options_is_a_good_one(tmp_path):
    """SIPp's own `-sn uas` ends a call on any request but BYE."""
    result, status = await called(tmp_path, "-sn", "uas")
    assert (result.outcome, result.reason, result.facts["signal"], status) == ("ok", None, "ours", 0)


async def test_a_refer_is_declined_and_the_call_goes_on(tmp_path):
    steps = scenario(tmp_path, *answered(), '<pause milliseconds="500"/>', REFER, '<recv response="603"/>', *GOODBYE)
    result, status = await called(tmp_path, *steps)
    assert (result.outcome, result.reason, status) == ("ok", None, 0)


async def test_options_that_are_allowed_and_never_answered_do_not_end_the_call(tmp_path):
    ignored = '<label id="1"/><recv request="OPTIONS" optional="true" next="1"/>'
    steps = scenario(tmp_path, *answered("Allow: INVITE, ACK, BYE, OPTIONS\n"), ignored, *GOODBYE)
    result, _ = await called(tmp_path, *steps, hold="5s")
    assert (result.outcome, result.reason) == ("ok", None)


async def test_an_answer_in_another_codec(tmp_path):
    result, _ = await called(tmp_path, *scenario(tmp_path, *answered(formats="18"), *GOODBYE))
    assert (result.outcome, result.reason, result.code) == ("failed", "codec", 200)


async def test_sound_that_stops_just_before_the_end_is_missed(tmp_path):
    (tmp_path / "talk.ul").write_bytes(bytes(range(0x10, 0x90)) * 118)  # 1.9 s
    play = '<nop><action><exec rtp_stream="talk.ul,1,0,PCMU/8000"/></action></nop>'
    steps = scenario(tmp_path, *answered(), play, *GOODBYE)
    result, _ = await called(tmp_path, *steps, hold="3450ms", echo=False)
    assert (result.outcome, result.reason, result.facts["cut_off"]["by"]) == ("failed", "cut_off", "media")


async def test_a_far_end_that_talks_and_does_not_listen(tmp_path):
    (tmp_path / "talk.ul").write_bytes(bytes(range(0x10, 0x90)) * 500)
    play = '<nop><action><exec rtp_stream="talk.ul,-1,0,PCMU/8000"/></action></nop>'
    result, _ = await called(tmp_path, *scenario(tmp_path, *answered(direction="sendonly"), play, *GOODBYE))
    assert (result.outcome, result.reason, result.evidence["detail"]) == (
        "failed", "one_way", "nothing of ours is heard there",
    )  # fmt: skip
    assert result.media["rx"]["packets"] > 100
    assert "tx" not in result.media


async def test_a_check_that_is_told_to_end_hangs_up(tmp_path):
    """SIGTERM (a `timeout` in a script, systemd) leaves no call on the platform and no recording in /tmp."""
    port = free_port()
    far = await sipp(tmp_path, port, "-sn", "uas", "-rtp_echo")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "secret").write_text("pass")
    (tmp_path / "topology.yaml").write_text(
        f"service: voice\ncores: {{core-a: {{uri: 'sip:{FAR}:{port}'}}}}\n"
        f"sbcs: {{sbc-1: {{addresses: ['sip:{FAR}:{port}'], primary: core-a}}}}\n"
        "accounts: {m: {user: '9000', realm: voice, password: {file: secret}}}\n"
        "checks: {call: {every: 60s, account: m, to: 'sip:echo@{core}', hold: 20s, codecs: [PCMU]}}\n"
    )
    check = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sereno", "check", "call", "--topology", str(tmp_path / "topology.yaml"),
        env={**os.environ, "TMPDIR": str(scratch)},
    )  # fmt: skip
    try:
        await until(lambda: [wav for wav in scratch.glob("*/*.heard.wav") if wav.stat().st_size > 8_000])
        check.terminate()
        assert await asyncio.wait_for(check.wait(), 8) == 130
        assert await asyncio.wait_for(far.wait(), 8) == 0, "sipp had its BYE"
        assert list(scratch.iterdir()) == []
    finally:
        for process in (check, far):
            if process.returncode is None:
                process.kill()
                await process.wait()
