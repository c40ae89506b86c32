"""`sereno check` as a person types it: a process, a topology file, peers on loopback."""

import asyncio
import json
import os
import sys

import pytest
import yaml

HOST = "127.20.3.1"


class Peer(asyncio.DatagramProtocol):
    """An SBC that answers for core-a, says 408 for core-b, and 483 to what has no hop left."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        lines = data.decode().split("\r\n")
        kept = [line for line in lines if line.split(":")[0] in {"Via", "From", "To", "Call-ID", "CSeq"}]
        status, who = "200 OK", ["Server: core-a"]
        if "10.8.0.3" in lines[0]:
            answer = ("\r\n".join(["SIP/2.0 200 OK", *kept, "Server: core-c"]) + "\r\n\r\n").encode()
            asyncio.get_running_loop().call_later(1.2, self.transport.sendto, answer, addr)
            return
        if "10.8.0.4" in lines[0]:
            status = "503 \x1b[2J\x1b]0;owned\x07 gone\u202e"
        if "Max-Forwards: 0" in lines:
            status, who = "483 Too Many Hops", []
        elif "10.8.0.2" in lines[0]:
            status, who = "408 Request Timeout", []
        self.transport.sendto(("\r\n".join([f"SIP/2.0 {status}", *kept, *who]) + "\r\n\r\n").encode(), addr)


@pytest.fixture
async def topology(tmp_path):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Peer, local_addr=(HOST, 0))
    port = transport.get_extra_info("sockname")[1]
    content = {
        "service": "voice",
        "domain": "voice.example",
        "cores": {
            "core-a": {"uri": "sip:10.8.0.1", "identify": {"header": "Server", "contains": "core-a"}},
            "core-b": {"uri": "sip:10.8.0.2", "identify": {"header": "Server", "contains": "core-b"}},
        },
        "sbcs": {
            "sbc-1": {"addresses": [f"sip:{HOST}:{port}"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": [f"sip:127.20.3.2:{port}"], "primary": "core-a"},
            "sbc-3": {"addresses": [f"sips:127.20.3.3:{port}"], "primary": "core-a"},
        },
    }
    path = tmp_path / "topology.yaml"
    path.write_text(yaml.safe_dump(content))
    yield path
    transport.close()


async def sereno(*arguments, environment=None):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sereno", "check", *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**{k: v for k, v in os.environ.items() if k != "SERENO_TOPOLOGY"}, **(environment or {})},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_one_path_as_json_on_the_wire(topology):
    code, out, err = await sereno("options", "--sbc", "sbc-1", "--core", "core-a", "--topology", topology, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["v"] == 1
    assert (found["check"], found["sbc"], found["core"], found["outcome"]) == ("options", "sbc-1", "core-a", "ok")
    assert (found["answered_by"], found["answered_core"], found["code"]) == ("core", "core-a", 200)
    assert 0 < found["rtt_seconds"] < 0.9
    assert found["seq"] == 1
    assert "reason" not in found


async def test_everything_at_once_one_line_each_and_status_1_when_one_failed(topology):
    code, out, err = await sereno("options", "--topology", topology, "--json")
    assert err == ""
    found = {(r["sbc"], r["core"]): r for r in map(json.loads, out.splitlines())}
    assert code == 1
    assert set(found) == {("sbc-1", "core-a"), ("sbc-1", "core-b"), ("sbc-2", "core-a"), ("sbc-3", "core-a")}
    assert found["sbc-1", "core-b"]["reason"] == "sip_408"
    assert found["sbc-1", "core-b"]["answered_by"] == "sbc"
    assert found["sbc-2", "core-a"]["reason"] == "refused"
    assert (found["sbc-3", "core-a"]["reason"], found["sbc-3", "core-a"]["transport"]) == ("refused", "tls")
    assert {r["seq"] for r in found.values()} == {1, 2, 3, 4}
    assert len({r["boot"] for r in found.values()}) == 1


async def test_edge_and_natural_in_words(topology):
    environment = {"SERENO_TOPOLOGY": str(topology)}
    code, out, _ = await sereno("edge", "--sbc", "sbc-1", environment=environment)
    assert code == 0
    assert out.startswith("✓  edge  sbc-1  ")
    assert "483 Too Many Hops" in out
    code, out, _ = await sereno("natural", "--sbc", "sbc-1", environment=environment)
    assert (code, "from core-a" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("options", "--sbc", "sbc-9"), "there is no SBC 'sbc-9'; there are sbc-1, sbc-2, sbc-3"),
        (("options", "--core", "core-z"), "there is no core 'core-z'; there are core-a, core-b"),
        (("options", "--sbc", "sbc-2", "--core", "core-b"), "options: nothing to measure for sbc-2/core-b"),
        (("edge", "--timeout", "900"), "--timeout: '900' is not a duration"),
        (("edge", "--timeout", "0s"), "leaves no time"),
        (("edge", "--core", "core-a"), "No such option: --core"),
        (("register",), "register: the topology has no accounts"),
        (("call",), "call: the topology does not say whom to call"),
    ],
)
async def test_wrong_flags_are_one_clear_line(topology, arguments, says):
    code, out, err = await sereno(*arguments, "--topology", topology)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert says in err


async def test_a_missing_file_is_one_line(tmp_path):
    code, _, err = await sereno("edge", "--topology", tmp_path / "none.yaml")
    assert (code, err.count("\n")) == (2, 1)
    assert "none.yaml" in err


async def test_without_a_topology_and_without_a_lab_it_says_how_to_get_one(tmp_path):
    code, out, err = await sereno("edge", environment={"SERENO_LAB_STATE": str(tmp_path)})
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--topology FILE" in err
    assert "sereno lab up" in err


async def test_a_check_that_only_could_not_be_made_is_status_3(topology):
    """An SBC that refuses our way of steering: a ticket, not a failure."""
    content = yaml.safe_load(topology.read_text())
    content["sbcs"]["sbc-1"]["identify"] = {"header": "Server", "contains": "core-a"}  # it answers as the SBC now
    content["cores"]["core-a"]["identify"]["contains"] = "nobody"
    topology.write_text(yaml.safe_dump(content))
    code, out, _ = await sereno("options", "--sbc", "sbc-1", "--core", "core-a", "--topology", topology, "--json")
    assert (code, json.loads(out)["outcome"], json.loads(out)["reason"]) == (3, "invalid", "steering")


async def test_a_reply_after_the_deadline_is_told_as_late_and_not_as_silence(topology):
    content = yaml.safe_load(topology.read_text())
    content["cores"] = {"core-c": {"uri": "sip:10.8.0.3", "identify": {"header": "Server", "contains": "core-c"}}}
    content["sbcs"] = {"sbc-1": {"addresses": content["sbcs"]["sbc-1"]["addresses"], "primary": "core-c"}}
    topology.write_text(yaml.safe_dump(content))
    code, out, err = await sereno("options", "--topology", topology, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["outcome"], found["reason"], found["code"], found["answered_core"]) == ("ok", "late", 200, "core-c")
    assert 1.2 <= found["answered_after_seconds"] < 2.9
    assert "rtt_seconds" not in found


async def test_registrations_of_an_sbc_without_udp_over_ipv4_say_why_there_are_none(topology):
    content = yaml.safe_load(topology.read_text())
    content["sbcs"] = {"sbc-1": {"addresses": ["sip:[::1]", "sips:127.20.3.3"], "primary": "core-a"}}
    content["accounts"] = {"m": {"user": "9000", "realm": "voice", "password": {"env": "X"}}}
    topology.write_text(yaml.safe_dump(content))
    code, out, err = await sereno("register", "--sbc", "sbc-1", "--topology", topology)
    assert (code, out) == (2, "")
    assert err == (
        "sereno: register: is made over UDP and IPv4, and sbc-1 has no address for it; "
        "write one such as sip:198.51.100.11:5060\n"
    )


async def test_a_tls_listener_that_hangs_is_tried_once_and_not_scanned(topology):
    tried = []

    async def hang(reader, writer):
        tried.append(writer)
        await reader.read(-1)
        writer.close()

    listening = await asyncio.start_server(hang, HOST, 0)
    content = yaml.safe_load(topology.read_text())
    address = f"sips:{HOST}:{listening.sockets[0].getsockname()[1]}"
    content["sbcs"] = {"sbc-1": {"addresses": [address], "primary": "core-a"}}
    topology.write_text(yaml.safe_dump(content))
    async with listening:
        code, out, _ = await sereno("edge", "--topology", topology, "--json")
    found = json.loads(out)
    assert (code, found["outcome"], found["reason"]) == (1, "failed", "timeout")
    assert len(tried) == 1  # the scan of versions and suites went first, and took ten seconds


async def test_what_a_peer_says_does_not_command_the_terminal(topology):
    content = yaml.safe_load(topology.read_text())
    content["cores"]["core-a"]["uri"] = "sip:10.8.0.4"
    topology.write_text(yaml.safe_dump(content))
    code, out, _ = await sereno("options", "--sbc", "sbc-1", "--core", "core-a", "--topology", topology)
    assert code == 1
    assert "503" in out
    assert "gone" in out
    assert all(letter.isprintable() for letter in out.rstrip("\n"))
    _, out, _ = await sereno("options", "--sbc", "sbc-1", "--core", "core-a", "--topology", topology, "--json")
    assert json.loads(out)["phrase"].startswith("\x1b[2J")
