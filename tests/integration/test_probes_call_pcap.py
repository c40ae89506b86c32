"""A real bad call leaves its packets in a file that its evidence names; a good one leaves nothing."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab


def check(topology):
    done = subprocess.run(
        [sys.executable, "-m", "sereno", "check", "call", "--sbc", "sbc-1", "--core", "core-a", "--topology", topology,
         "--json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_the_packets_of_a_bad_call(lab, tmp_path):
    folder = tmp_path / "packets"
    text = Path(lab.topology_path).read_text(encoding="utf-8")
    amended = re.sub(r"(?m)^(  call: +\{)", rf"\1pcap: {{folder: {folder}}}, ", text)
    assert amended != text
    file = Path(lab.topology_path).with_name("pcap.yaml")  # its references are relative to its folder
    file.write_text(amended, encoding="utf-8")
    good = check(file)
    if (good.get("media") or {}).get("rx", {}).get("source") != "meter":
        pytest.skip("this machine lets nobody capture")
    assert good["outcome"] == "ok"
    assert not folder.exists()
    lab.break_("sbc-1:oneway")
    bad = check(file)
    assert (bad["outcome"], bad["reason"]) == ("failed", "one_way")
    told = bad["evidence"]["pcap"]
    written = Path(told["path"])
    assert written.parent == folder
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert told["packets"] > 90
    assert told["left_out"] == 0
    read = subprocess.run(
        [sys.executable, "-m", "sereno", "rtp", "analyze", written, "--json"], capture_output=True, check=True
    )
    (stream,) = json.loads(read.stdout)["streams"]
    assert abs(stream["packets"] - bad["media"]["tx"]["packets"]) <= 2
    assert stream["lost"] == 0
