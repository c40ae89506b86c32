"""Calls through the lab: to the echo, to a registered phone by its Path, and what follows inside a dialog."""

import subprocess
import time

import pytest

from tests.integration.test_lab_faults import address, phone
from tests.lab_phone import DOMAIN

pytestmark = pytest.mark.lab

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio [media_port] RTP/AVP 8\r\n"
    "a=rtpmap:8 PCMA/8000\r\n"
)
HEAD = """From: <sip:9000@voice.lab.sereno>;tag=[call_number]
Call-ID: [call_id]
Contact: <sip:9000@[local_ip]:[local_port]>
Max-Forwards: 70"""
VIA = "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]"
INVITE = """INVITE sip:echo@@CORE@ SIP/2.0
{via}
Route: <sip:@SBC@:5060;lr>
To: <sip:echo@@CORE@>
CSeq: {cseq} INVITE
{head}
{extra}Content-Type: application/sdp
Content-Length: [len]

{sdp}"""
IN_DIALOG = """{method} [next_url] SIP/2.0
{via}
[routes]
[last_To:]
CSeq: {cseq} {method}
{head}
{body}"""
EMPTY = "Content-Length: 0\n"


def send(text, retrans=500):
    return (
        f'<send retrans="{retrans}"><![CDATA[\n{text}\n]]></send>'
        if retrans
        else f"<send><![CDATA[\n{text}\n]]></send>"
    )


def in_dialog(method, cseq, body=EMPTY, retrans=500):
    return send(IN_DIALOG.format(method=method, cseq=cseq, via=VIA, head=HEAD, body=body), retrans)


def scenario(ending):
    """INVITE, challenge, answered INVITE, ACK, re-INVITE, ACK, then `ending`."""
    with_body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}"
    refused = IN_DIALOG.format(method="ACK", cseq=1, via=VIA, head=HEAD, body=EMPTY)
    refused = refused.replace("[next_url]", "sip:echo@@CORE@").replace("[routes]", "Route: <sip:@SBC@:5060;lr>")
    refused = refused.replace("branch=[branch]", "branch=[branch-2]")
    credentials = "[authentication username=9000 password=@WORD@]\n"
    return "\n".join(
        [
            '<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="echo">',
            send(INVITE.format(via=VIA, head=HEAD, cseq=1, extra="", sdp=SDP)),
            '<recv response="100" optional="true"/><recv response="407" auth="true"/>',
            send(refused, 0),
            send(INVITE.format(via=VIA, head=HEAD, cseq=2, extra=credentials, sdp=SDP)),
            '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
            '<recv response="200" rrs="true"/>',
            in_dialog("ACK", 2, retrans=0),
            in_dialog("INVITE", 3, with_body),
            '<recv response="100" optional="true"/><recv response="200"/>',
            in_dialog("ACK", 3, retrans=0),
            ending,
            "</scenario>",
        ]
    )


HANG_UP = in_dialog("BYE", 4) + '<recv response="200"/>'
WAIT_FOR_BYE = (
    '<recv request="BYE" timeout="16000"/><send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n'
    "[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>"
)


def sipp(lab, tmp_path, sbc, core, ending, calls=1):
    """Run calls with sipp; its status is 0 only when every message came as the scenario says."""
    word = (lab.state_dir / "secrets" / "monitor-1.secret").read_text().strip()
    text = scenario(ending).replace("@SBC@", address(lab, sbc)).replace("@CORE@", address(lab, core))
    file = tmp_path / "echo.xml"
    file.write_text(text.replace("@WORD@", word))
    return subprocess.run(
        ["sipp", f"{address(lab, sbc)}:5060", "-sf", str(file), "-i", "127.0.0.1", "-m", str(calls), "-r", "20",
         "-nostdin", "-recv_timeout", "3000", "-timeout", "25", "-trace_err", "-error_file", str(tmp_path / "errors")],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=40,
    )  # fmt: skip


def explain(tmp_path, run):
    errors = tmp_path / "errors"
    return (errors.read_text() if errors.exists() else "") + run.stdout[-2000:] + run.stderr


@pytest.mark.parametrize("core", ["core-a", "core-b"])
@pytest.mark.parametrize("sbc", ["sbc-1", "sbc-2"])
def test_call_reinvite_and_bye_on_every_path(lab, tmp_path, sbc, core):
    run = sipp(lab, tmp_path, sbc, core, HANG_UP)
    assert run.returncode == 0, explain(tmp_path, run)


def test_the_far_end_hangs_up_on_a_caller_gone_silent(lab, tmp_path):
    """Its BYE finds its way back through core and SBC."""
    run = sipp(lab, tmp_path, "sbc-2", "core-a", WAIT_FOR_BYE)
    assert run.returncode == 0, explain(tmp_path, run)
    end = time.monotonic() + 5
    while lab.status()["components"]["core-a"]["calls"]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_eight_calls_at_once_on_one_core(lab, tmp_path):
    run = sipp(lab, tmp_path, "sbc-1", "core-b", f'<pause milliseconds="1500"/>{HANG_UP}', calls=8)
    assert run.returncode == 0, explain(tmp_path, run)


@pytest.mark.parametrize("registrar", ["sbc-1", "sbc-2"])
def test_a_call_to_a_registered_phone_comes_through_the_sbc_it_registered_at(lab, registrar):
    core = address(lab, "core-a")
    with phone(lab, registrar, "monitor-2") as callee, phone(lab, "sbc-1") as caller:
        aor = f"<sip:9001@{DOMAIN}>"
        bound = callee.ask("REGISTER", f"sip:{core}", forced=True, extra="Expires: 60\r\n", to=aor, once=False)
        assert (bound.code, bound.header("Server")) == (200, "core-a")
        assert f"sip:9001@{callee.own}" in bound.header("Contact")
        answer = caller.ask("INVITE", f"sip:9001@{core}", forced=True, once=False, timeout=0.5)
        assert answer is None  # it rings
        invite = callee.receive(1)
        assert invite is not None
        assert invite.text.startswith(f"INVITE sip:9001@{callee.own}")
        assert invite.all("Via")[0].startswith(f"SIP/2.0/UDP {address(lab, registrar)};")
        callee.reply(invite, "486 Busy Here")
        refused = caller.receive(1)
        while refused is not None and refused.code < 200:
            refused = caller.receive(1)
        assert refused is not None
        assert refused.code == 486
        gone = callee.ask("REGISTER", f"sip:{core}", forced=True, extra="Expires: 0\r\n", to=aor, once=False)
        assert gone.code == 200
        assert caller.ask("INVITE", f"sip:9001@{core}", forced=True, once=False).code == 480


def test_frozen_core_takes_its_media_with_it(lab):
    lab.break_("core-a:freeze")
    with phone(lab, "sbc-1") as one:
        one.sbc = (address(lab, "core-a"), 5070)
        assert one.ask("OPTIONS", f"sip:{one.sbc[0]}:5070") is None
