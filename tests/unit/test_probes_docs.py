"""The page of reasons lists the closed list: all of it, in its order, nothing else."""

import re
from pathlib import Path

from sereno.wire import REASONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reasons.md"


def test_every_reason_has_a_sentence_of_advice():
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert tuple(re.sub(r"[ `]", "", row[1]) for row in rows) == REASONS
    for row in rows:
        assert len(row) == 5
        assert row[2].strip().endswith(".")
        assert row[3].strip().endswith(".")
