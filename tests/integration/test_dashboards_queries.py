"""Every panel's and every variable's query on a real Prometheus, in four situations, with what must come of it.

What Prometheus holds is the exposition of our own collector, engine and desk (tests/support/board_worlds.py). The whole
table of answers is `tests/data/grafana/answers.json`, read by a person when it was made and whenever it changes:
`python tests/support/board_worlds.py` writes it again. What must be so whatever the table says is asserted beside it.
"""

import json
from pathlib import Path

import pytest
from board_worlds import ANSWERS, END, FAULT, NOW, SBCS, SCENARIOS, T0, Asked, Prometheus, answers, asked, blocks
from web_server import free_port

from dashboards.grafana import queries
from dashboards.grafana.kit import BAD, GOOD, NEUTRAL
from dashboards.grafana.queries import WHOLE, failed_ratio, worst

BOARDS = Path(__file__).resolve().parents[2] / "dashboards" / "grafana" / "boards" / "es"
QUERIES = asked(BOARDS)
BEGIN = T0 // 1_000_000
LATER = NOW + 3_600  # nothing was scraped for an hour, and the fault is long out of sight


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("boards")
    server = Prometheus(folder, blocks(folder), free_port())
    try:
        yield server.ready()
    finally:
        server.stop()


def test_every_query_answers_as_it_must(prometheus):
    wanted = json.loads(ANSWERS.read_text(encoding="utf-8"))
    found = json.loads(json.dumps(answers(prometheus, QUERIES)))
    assert found.keys() == wanted.keys()
    assert {name: found[name] for name in wanted if found[name] != wanted[name]} == {}


def test_every_query_over_time_is_taken_too(prometheus):
    """As a time series is asked: at each step; the last step says what the query says now."""
    for one in QUERIES:
        if not one.instant:
            rows = prometheus.ranged(one.of("split-path"), BEGIN, NOW, 15)
            now = prometheus.query(one.of("split-path"), NOW)
            assert len([row for row in rows if row["values"][-1][0] == NOW]) == len(now), one


def now(prometheus, board, title, scenario, *, ref="A", at=NOW, **given):
    (one,) = [each for each in QUERIES if (each.board, each.panel, each.ref) == (board, title, ref)]
    return {
        " ".join(value for _, value in key): value
        for key, value in prometheus.query(one.of(scenario, **given), at).items()
    }


# -- what must be so ---------------------------------------------------------------------------------------------------


def test_the_first_panel_of_every_board_says_whether_anybody_watches(prometheus):
    for board in {one.board for one in QUERIES}:
        for scenario in SCENARIOS:
            watching = 0.0 if scenario == "collector-dead" else 1.0
            assert now(prometheus, board, "Vigilancia", scenario) == {"": watching}
            assert now(prometheus, board, "Vigilancia", scenario, at=LATER) == {"": 0.0}


def test_states_are_what_was_done_to_the_system(prometheus):
    def states(scenario):
        return now(prometheus, "incident", "Qué cayó, y qué primero", scenario)

    healthy = states("healthy")
    assert set(healthy.values()) == {0.0}
    assert len(healthy) == 2 + 2 + 4 + 2 + 1  # cores, SBCs, paths, sites, the service
    core = {name: state for name, state in states("core-down").items() if state != healthy[name]}
    assert core == {
        "core-a core": 4.0, "sbc-1/core-a path": 4.0, "sbc-2/core-a path": 4.0, "hq site": 2.0, "uno site": 2.0,
        "voz service": 2.0,
    }  # fmt: skip
    split = {name: state for name, state in states("split-path").items() if state != healthy[name]}
    assert split == {"sbc-1/core-a path": 4.0, "uno site": 4.0, "hq site": 2.0, "voz service": 2.0}
    assert set(states("collector-dead").values()) == {3.0}  # though Prometheus still shows them all up


def test_the_worst_comes_first(prometheus):
    (one,) = [each for each in QUERIES if (each.board, each.panel) == ("panorama", "Lo que no está arriba")]
    listed = list(prometheus.query(one.of("split-path"), NOW).items())
    assert [value for _, value in listed] == sorted((value for _, value in listed), reverse=True)
    assert {dict(key)["element"] for key, value in listed if value == 4.0} == {"sbc-1/core-a", "uno"}
    assert prometheus.query(one.of("healthy"), NOW) == {}
    assert len(prometheus.query(one.of("collector-dead"), NOW)) == 13  # everything, probes too: nobody knows


def test_a_site_without_voice_spends_its_budget(prometheus):
    down = float(END - FAULT)
    table = "Sedes, menor margen primero"
    assert now(prometheus, "slo", table, "split-path", ref="D") == {"hq": 0.0, "uno": down}
    assert now(prometheus, "slo", table, "split-path", ref="B") == {"hq": 259.2, "uno": pytest.approx(259.2 - down)}
    burnt = down / 3_600 / (259.2 / (30 * 86_400))
    assert now(prometheus, "slo", "Consumo, última hora", "split-path") == {"": pytest.approx(burnt)}
    proved = 1 - (down + 86_400 - END) / 86_400  # what was before the first result nobody knows
    assert now(prometheus, "slo", table, "split-path", ref="F")["uno"] == pytest.approx(proved, abs=1e-4)
    assert now(prometheus, "slo", "Veredicto del mes, peor sede", "split-path") == {"": 0.0}


def test_the_desk_opened_one_incident_of_each(prometheus):
    opened = {scenario: now(prometheus, "panorama", "Incidentes abiertos", scenario) for scenario in SCENARIOS}
    assert sum(opened["healthy"].values()) == 0
    assert {name for name, count in opened["core-down"].items() if count} == {"Alta"}
    assert opened["split-path"]["Urgente"] == 1  # a site has no voice
    assert opened["collector-dead"] == {}


def test_data_grows_old_where_nothing_comes(prometheus):
    assert now(prometheus, "panorama", "Edad del dato", "healthy") == {"": 5.0}
    assert now(prometheus, "panorama", "Edad del dato", "collector-dead") == {"": 185.0}


def test_one_sbc_may_be_looked_at_alone(prometheus):
    rows = now(prometheus, "paths", "Rutas, la peor primero", "core-down", sbc="sbc-2", core="core-a")
    assert rows == {"sbc-2/core-a": 4.0}
    rows = now(prometheus, "media", "MOS-LQ: mediana", "healthy", sbc="sbc-1|sbc-2", core="core-b")
    assert len(rows) == 4


def test_variables_list_what_there_is(prometheus):
    wanted = {
        "job": sorted(SCENARIOS), "instance": ["collector-1:8080"], "sbc": ["sbc-1", "sbc-2"],
        "core": ["core-a", "core-b"], "site": ["hq", "uno"], "probe": ["p1", "p2"],
    }  # fmt: skip
    seen = set()
    for path in BOARDS.glob("*.json"):
        for one in json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]:
            if one["type"] != "query":
                continue
            for scenario in SCENARIOS:
                query = one["query"]["query"].replace("$job", scenario).replace("$instance", ".+")
                match, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
                assert prometheus.label_values(label, match, BEGIN, NOW) == wanted[one["name"]], (path.stem, query)
            seen.add(one["name"])
    assert seen == set(wanted)


def test_of_many_lines_the_worst_are_drawn(prometheus):
    options = 'check="options"'
    failed, rank = (failed_ratio(options, by="sbc, core", window=one) for one in (None, WHOLE))
    drawn = Asked("", "", "", worst(failed, rank, by="sbc, core", count=2), False).of("core-down")
    drawn = drawn.replace("$__rate_interval", "60s").replace("$__range", f"{END}s")
    rows = prometheus.ranged(drawn, BEGIN + 60, NOW, 15)
    assert {(row["metric"]["sbc"], row["metric"]["core"]) for row in rows} == {(sbc, "core-a") for sbc in SBCS}
    assert {row["values"][0][1] for row in rows} == {"0"}  # from the beginning, when nothing was wrong with them yet
    assert {row["values"][-1][1] for row in rows} == {"1"}


def test_of_many_elements_those_that_ailed_are_drawn(prometheus, monkeypatch):
    monkeypatch.setattr(queries, "FEW", 3)
    drawn = Asked("", "", "", queries.timeline("path"), False).of("split-path").replace("$__range", f"{END}s")
    rows = prometheus.ranged(drawn, BEGIN + 60, NOW, 15)
    assert [row["metric"]["element"] for row in rows] == ["sbc-1/core-a"]
    assert {value for _, value in rows[0]["values"]} == {"0", "4"}
    assert prometheus.ranged(drawn.replace("split-path", "healthy"), BEGIN + 60, NOW, 15) == []


# -- nothing unknown is shown as good ----------------------------------------------------------------------------------


def colours(panel, ref):
    """The colour that a panel gives a value of a target: by its words, else by its thresholds."""
    defaults = panel["fieldConfig"]["defaults"]
    rules = {"mappings": defaults.get("mappings", ()), "thresholds": defaults.get("thresholds", {"steps": []})}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] in {"Value", f"Value #{ref}"}:
            rules |= {each["id"]: each["value"] for each in override["properties"]}

    def colour(value):
        for mapping in rules["mappings"]:
            if f"{value:g}" in mapping["options"]:
                return mapping["options"][f"{value:g}"]["color"]
        reached = [
            one["color"] for one in rules["thresholds"]["steps"] if one["value"] is None or value >= one["value"]
        ]
        return reached[-1] if reached else NEUTRAL

    return colour


@pytest.mark.parametrize("at", [NOW, LATER], ids=["old values are still shown", "nothing is left"])
def test_a_dead_collector_is_nowhere_good(prometheus, at):
    shown = {"stat", "table", "state-timeline", "bargauge"}
    loud = set()
    for path in BOARDS.glob("*.json"):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for one in QUERIES if panel["type"] in shown else ():
                if (one.board, one.panel) != (path.stem, panel["title"]):
                    continue
                colour = colours(panel, one.ref)
                found = {colour(value) for value in prometheus.query(one.of("collector-dead"), at).values()}
                assert GOOD not in found, (path.stem, panel["title"])
                if BAD in found:
                    loud.add(path.stem)
    assert loud == {path.stem for path in BOARDS.glob("*.json")}, "a board keeps quiet"


def test_a_healthy_system_is_nowhere_bad(prometheus):
    for path in BOARDS.glob("*.json"):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for one in QUERIES if panel["type"] in {"stat", "table", "state-timeline"} else ():
                if (one.board, one.panel) == (path.stem, panel["title"]):
                    colour = colours(panel, one.ref)
                    found = {colour(value) for value in prometheus.query(one.of("healthy"), NOW).values()}
                    assert BAD not in found, (path.stem, panel["title"])
