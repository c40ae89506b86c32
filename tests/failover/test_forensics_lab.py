"""A core of the real lab freezes: the timeline says what was seen, said and done, and what changed first."""

import json
import subprocess

import pytest
from live_sereno import SERENO, Live, now_us, us

from sereno.clock import SECOND_US, iso

pytestmark = pytest.mark.lab


def test_a_frozen_core_is_told_from_its_first_failure_to_the_last_word(tmp_path):
    live = Live()
    try:
        live.start()
        broken = live.break_("core-a:freeze")
        live.wait_for(lambda: live.incident(state="open"), "the incident", 20)
        subprocess.run(
            [*SERENO, "incidents", "ack", "1", "--by", "ana", "--note", "voy", "--data", str(live.data)],
            check=True, capture_output=True, env=live.environment, timeout=30,
        )  # fmt: skip
        live.heal()
        live.wait_for(live.all_up, "everything up again", 20)
        window = ("--from", iso(live.began_us), "--to", iso(now_us()))
        told = live.ask("forensics", *window, "--path", "sbc-1/core-a", "--export", str(tmp_path / "case"))
    finally:
        live.close()
    entries = told["entries"]
    kinds = {one["kind"] for one in entries}
    assert kinds >= {"topology", "probe", "result", "sip", "verdict", "incident"}
    first = told["correlation"]["first"]
    assert {one["element"].partition("/")[2] for one in first} == {"core-a"}
    assert abs(us(first[0]["at"]) - us(broken)) < 2 * SECOND_US  # a check a second; a frozen request may be on its way
    assert us(first[0]["not_before"]) < us(broken) + SECOND_US
    assert [one["name"] for one in told["correlation"]["shared"] if one["what"] == "core"] == ["core-a"]
    assert not {"sbc-1/core-b", "sbc-2/core-b", "sbc-1", "sbc-2"} & set(told["correlation"]["affected"])
    down = next(one for one in entries if one["kind"] == "verdict" and one["what"] == "down")
    results = {(one["source"]["probe"], one["source"]["boot"], one["source"]["seq"]): one["result"]
               for one in entries if one["kind"] == "result"}  # fmt: skip
    decided = [results[tuple(source)] for source in down["source"]["results"] if tuple(source) in results]
    assert "failed" in {one["outcome"] for one in decided}  # the verdict leads to the samples that made it
    assert any(one["facts"]["who"] == "ana" for one in entries if one["kind"] == "incident")
    captured = [one for one in json.loads((tmp_path / "case" / "manifest.json").read_text())["files"]
                if one["name"].startswith("sip-")]  # fmt: skip
    assert len(captured) == sum(one["kind"] == "sip" for one in entries)
