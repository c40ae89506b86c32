"""docs/store.md says what lies in the store: every table, every limit, as they are."""

from pathlib import Path

from sereno.store import postgres
from sereno.store.tables import metadata

DOCS = Path(__file__).parents[2] / "docs" / "store.md"


def test_every_table_is_told_and_no_other():
    rows = [line for line in DOCS.read_text().partition("## The tables")[2].splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in row.split("|")[1].replace("`", "").replace(" ", "").split(",")}
    assert told == set(metadata.tables)


def test_the_limits_told_are_those_set():
    words = " ".join(DOCS.read_text().split())
    assert f"a lock is waited for {postgres.LOCK_SECONDS} s" in words
    assert f"a statement may take {postgres.STATEMENT_SECONDS} s" in words
    assert f"is ended after {postgres.IDLE_SECONDS} s" in words
    assert f"takes {postgres.CONNECT_SECONDS} s to open" in words
    assert f"confirms nothing for {postgres.UNANSWERED_SECONDS} s" in words
