"""A running probe whose network goes away says invalid, never failed, and one whose SBC goes away says failed.

In a network namespace of its own: broker, collector, probe, SBC and two canaries on its loopback, which is taken down.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve()


def may_unshare():
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="network namespaces are not allowed here")
def test_a_probe_that_lost_its_network_says_invalid_and_one_that_lost_its_sbc_says_failed(tmp_path):
    done = subprocess.run(
        ["unshare", "-n", sys.executable, str(HERE), str(tmp_path)],
        capture_output=True, text=True, timeout=100, check=False, cwd=HERE.parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def link(state):
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


def story(folder):
    sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parents[2]), str(HERE.parent)]
    from probe_site import Peer, Site
    from test_probes_wire import TOPOLOGY

    link("up")
    sbc, canaries = Peer(), [Peer("127.85.9.1"), Peer("127.85.9.2")]
    named = ", ".join(f'"sip:127.85.9.{number}:{peer.port}"' for number, peer in enumerate(canaries, 1))
    topology = TOPOLOGY.replace("{network: trial}", f"{{network: trial, canaries: [{named}]}}")
    site = Site(folder, topology % sbc.port)
    try:
        site.start_all()
        site.wait_for(lambda: len(site.results()) > 20, "results")
        lost_us = time.time_ns() // 1_000
        link("down")
        time.sleep(2)
        link("up")
        back_us = time.time_ns() // 1_000
        site.wait_for(
            lambda: sum(one.outcome == "ok" and one.at_us > back_us for one in site.results()) > 20,
            "results afterwards",
            40,
        )
        found = site.results()
        lost = [one for one in found if lost_us < one.at_us < back_us - 1_000_000]
        assert len(lost) > 3
        assert {one.outcome for one in lost} == {"invalid"}, {(one.outcome, one.reason) for one in lost}
        assert {one.reason for one in lost} <= {"transport", "timeout"}, {one.reason for one in lost}
        assert all(one.evidence["doubt"] == "network" for one in lost)
        verdict, _ = site.verdicts()["sbc", "sbc-1"]
        assert verdict == "up"
        canaries[0].mute = True  # one witness is enough, and a dead canary is the canary's fault
        sbc.mute = True
        began_us = time.time_ns() // 1_000
        site.wait_for(lambda: site.verdicts()["sbc", "sbc-1"][0] == "down", "the verdict", 30)
        silent = [one for one in site.results() if one.at_us > began_us]
        assert {one.outcome for one in silent} == {"failed"}
        assert {tuple(one.evidence["canaries"].values()) for one in silent} == {(False, True)}
    finally:
        site.close()
        for peer in (sbc, *canaries):
            peer.close()


if __name__ == "__main__":
    story(Path(sys.argv[1]))
