"""Each mistake in a file gives exactly its one line: where, what, how to mend it."""

from pathlib import Path

import pytest

from sereno.alarms import read_alarms
from sereno.contract import load_contract
from sereno.desk import load_desk
from sereno.errors import ConfigError
from sereno.topology import load_topology

DATA = Path(__file__).resolve().parents[1] / "data"
LOADERS = {
    "topology": load_topology,
    "desk": load_desk,
    "contract": load_contract,
    "alarms": lambda name: read_alarms(Path(name)),
}
FILES = sorted((DATA / "invalid").glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_the_exact_line(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigError) as caught:
        LOADERS[file.parent.name](file.name)
    assert str(caught.value) == file.with_suffix(".txt").read_text(encoding="utf-8").removesuffix("\n")


@pytest.mark.parametrize("kind", LOADERS)
def test_the_file_that_the_mistakes_were_made_in_is_right(kind, monkeypatch):
    monkeypatch.chdir(DATA / "valid")
    assert LOADERS[kind](f"{kind}-base.yaml")


def test_enough_mistakes_of_each_kind():
    counts = {kind: sum(file.parent.name == kind for file in FILES) for kind in LOADERS}
    assert counts["topology"] >= 20
    assert counts["contract"] >= 20
    assert counts["desk"] >= 15
    assert counts["alarms"] >= 30


def test_every_message_says_where_what_and_how_to_mend_in_one_line():
    for file in FILES:
        text = file.with_suffix(".txt").read_text(encoding="utf-8")
        assert text.count("\n") == 1, file
        assert text.startswith(file.name + ":"), file
        assert "; " in text, file


def test_no_message_shows_what_may_be_a_secret():
    inside = [file for file in FILES if b"hunter2" in file.read_bytes()]
    assert len(inside) >= 4
    for file in inside:
        assert "hunter2" not in file.with_suffix(".txt").read_text(encoding="utf-8"), file
