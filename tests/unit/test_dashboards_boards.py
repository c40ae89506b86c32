"""The boards as files: committed as rendered, well placed, every panel with words, unit and a no-data text."""

import json
from pathlib import Path

import pytest

from dashboards.grafana import render

BOARDS = Path(__file__).resolve().parents[2] / "dashboards" / "grafana" / "boards"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render(tmp_path_factory.mktemp("boards"))


def test_committed_boards_are_the_rendered_ones(rendered):
    assert {path.name for path in rendered} == {path.name for path in BOARDS.glob("*.json")}
    for path in rendered:
        assert (BOARDS / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            f"{path.name} differs: run `sereno dashboards render dashboards/grafana/boards` and commit"
        )


def panels():
    for path in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            yield pytest.param(panel, id=f"{path.stem}-{panel['id']}")


@pytest.mark.parametrize("panel", list(panels()))
def test_a_panel_says_what_it_shows_and_what_missing_data_means(panel):
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all(target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("path", sorted(BOARDS.glob("*.json")), ids=lambda path: path.stem)
def test_panels_have_their_own_ids_and_do_not_overlap(path):
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["schemaVersion"] == 39
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_nothing_that_grafana_11_or_13_lacks():
    for path in BOARDS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "percentChangeColorMode" not in text
        assert "infinitePan" not in text
