"""No way out: what the kernel knows of routes, addresses and cables, in a network namespace of its own."""

import shutil
import subprocess
import sys

import pytest

from probes import doubt, wayout
from probes.checks import Target, result
from sereno.clock import SECOND_US

NOW = 1_800_000_000 * SECOND_US
STORY = """
import subprocess, sys
from probes import wayout
def ip(words): subprocess.run(["ip", *words.split()], check=True)
ip("link set lo up"); ip("link add v0 type veth peer name v1"); ip("addr add 10.99.0.1/24 dev v0")
print("no route:", wayout.lost("10.98.0.1"))
print("interface down:", wayout.lost("10.99.0.2"))
ip("link set v0 up")
print("cable out:", wayout.lost("10.99.0.2"))
ip("link set v1 up")
print("well:", wayout.lost("10.99.0.2"))
print("loopback:", wayout.lost("127.0.0.1"))
ip("route add unreachable 10.97.0.0/24")
print("forbidden:", wayout.lost("10.97.0.1"))
print("ipv6:", wayout.lost("2001:db8::1"))
print("name:", wayout.lost("sbc.example"))
"""


def may_unshare():
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="network namespaces are not allowed here")
def test_what_the_kernel_knows():
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", STORY], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert dict(line.split(": ") for line in done.stdout.splitlines()) == {
        "no route": "Network is unreachable",
        "interface down": "Network is unreachable",
        "cable out": "v0 has no link",
        "well": "None",
        "loopback": "None",
        "forbidden": "No route to host",
        "ipv6": "Network is unreachable",
        "name": "None",
    }


def failed(**fields):
    target = Target(check="edge", sbc="sbc-1", address="sip:192.0.2.1:5060;transport=udp")
    return result(target, NOW, "failed", "transport", **{"answered_by": "none", **fields})


def test_a_failure_without_a_way_is_the_probes_own_network_canaries_or_not():
    asked = []
    found = doubt.way_out(failed(), lambda host: asked.append(host) or "Network is unreachable")
    assert asked == ["192.0.2.1"]
    assert (found.outcome, found.reason, found.evidence["doubt"]) == ("invalid", "transport", "network")
    assert found.evidence["error"] == "this probe has no way to 192.0.2.1: Network is unreachable"


def test_with_a_way_or_an_answer_it_stays_what_it_is():
    assert doubt.way_out(failed(), {}.get) == failed()
    answered = failed(code=503, answered_by="sbc")
    assert doubt.way_out(answered, {"192.0.2.1": "gone"}.get) == answered


def test_loopback_has_a_way():
    assert wayout.lost("127.0.0.1") is None
