"""An SBC that can send nothing to its core says so in its own 4xx (Kamailio, OpenSIPS): as good as a 408 of it."""

import pytest

from collector.verdicts.samples import sample
from sereno.wire import Result


def tags(code, answered_by="sbc"):
    result = Result(
        v=1, probe="p", boot="b", seq=1, at="2026-01-01T00:00:00.000000Z", check="options", sbc="sbc-1", core="core-a",
        outcome="failed", reason="sip_4xx", code=code, answered_by=answered_by,
    )  # fmt: skip
    return sample(result, 0, 900_000).signature


@pytest.mark.parametrize("code", [473, 476, 477, 478])
def test_it_is_the_sbcs_own_word(code):
    assert "by_sbc" in tags(code).tags
    assert "by_sbc" not in tags(code, "unknown").tags


def test_another_4xx_is_not():
    assert "by_sbc" not in tags(480).tags
