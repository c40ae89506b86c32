"""The boards as files: committed as rendered, valid for four Grafanas, clean by Grafana's own rules and by ours."""

import gzip
import json
import re
from pathlib import Path

import pytest
import yaml
from board_rules import RULES, panels
from jsonschema import Draft7Validator

from collector.exposition.catalogue import CATALOGUE
from dashboards.grafana import LANGUAGES, kit, render
from dashboards.grafana.kit import NEUTRAL, Speech
from dashboards.grafana.push import SCRAPE
from dashboards.web.app import create_app
from sereno.i18n import catalogue
from sereno.store import open_store

BOARDS = Path(__file__).resolve().parents[2] / "dashboards" / "grafana" / "boards"
SCHEMAS = sorted((Path(__file__).resolve().parents[1] / "data" / "grafana").glob("*.schema.json.gz"))
NAMES = ("health", "incident", "media", "panorama", "paths", "registration", "slo")
OPTIONS = {
    "stat": "Stat", "table": "Table", "timeseries": "TimeSeries", "state-timeline": "StateTimeline",
    "bargauge": "BarGauge", "annolist": "AnnotationsList",
}  # fmt: skip
# Options that a version wants though older ones refuse them; its own default stands where they are not said.
WITH_DEFAULTS = {"percentChangeColorMode", "legend"}
OWN = {"up", "scrape_duration_seconds"}  # series of Prometheus itself


def load(language, name):
    return json.loads((BOARDS / language / f"{name}.json").read_text(encoding="utf-8"))


ALL = [pytest.param(load(language, name), id=f"{name}-{language}") for language in LANGUAGES for name in NAMES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_committed_boards_are_the_rendered_ones(tmp_path, language):
    rendered = render(tmp_path, language)
    assert sorted(path.stem for path in rendered) == list(NAMES)
    assert {path.name for path in rendered} == {path.name for path in (BOARDS / language).glob("*")}
    for path in rendered:
        assert (BOARDS / language / path.name).read_bytes() == path.read_bytes(), (
            f"{path.name}: `sereno dashboards render dashboards/grafana/boards/{language} --language {language}`"
        )


# -- Grafana's schemas -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=SCHEMAS, ids=lambda path: path.name.removesuffix(".schema.json.gz"))
def schemas(request):
    """Validators of one Grafana release: the dashboard kind, and options and field settings by panel type."""
    with gzip.open(request.param) as handle:
        found = json.load(handle)
    for name, schema in found.items():
        for definition in schema["definitions"].values() if name.endswith("Options") else ():
            definition["required"] = [one for one in definition.get("required", ()) if one not in WITH_DEFAULTS]
    return {name: Draft7Validator(schema) for name, schema in found.items()}


def test_the_releases_are_those_we_promise():
    assert [path.name.split("-")[1].rsplit(".", 4)[0] for path in SCHEMAS] == ["11.0", "11.6", "12.4", "13.2"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_boards_are_valid_in_every_release(schemas, language):
    for name in NAMES:
        board = load(language, name)
        assert wrong(schemas["Raw"], board) == [], name
        for panel in panels(board):
            kind = OPTIONS.get(panel["type"])
            if kind is None:
                assert panel["type"] == "row"
                continue
            assert wrong(schemas[f"{kind}Options"], panel["options"]) == [], panel["title"]
            custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
            assert not custom or wrong(schemas[f"{kind}Custom"], custom) == [], panel["title"]


def wrong(validator, instance):
    return [f"{list(one.absolute_path)}: {one.message}" for one in validator.iter_errors(instance)]


def test_the_schemas_refuse_what_a_release_does_not_know(schemas):
    board = load("es", "panorama")
    assert wrong(schemas["Raw"], board | {"colour": "blue"})
    assert wrong(schemas["Raw"], {**board, "panels": [{**board["panels"][0], "nonsense": 1}]})
    stat = next(one for one in board["panels"] if one["type"] == "stat")
    assert wrong(schemas["StatOptions"], stat["options"] | {"colorMode": "rainbow"})


# -- the rules of Grafana's linter ------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ALL)
def test_grafanas_own_linter_has_nothing_to_say(board):
    assert {rule.__name__: found for rule in RULES if (found := list(rule(board)))} == {}


def test_each_rule_finds_what_it_is_for():
    """Spoil a board in the way that each rule forbids: it must say so."""
    board = json.dumps(load("es", "health"))
    spoiled = {
        "template_datasource_rule": ('"label": "Data source"', '"label": "Origen"'),
        "template_job_rule": ('"label": "Job"', '"label": "Trabajo"'),
        "template_instance_rule": ('"name": "instance"', '"name": "collector"'),
        "template_label_promql_rule": ("label_values(sereno_collector_leader, job)", "labels(sereno_collector_leader)"),
        "template_on_time_change_reload_rule": ('"refresh": 2', '"refresh": 1'),
        "template_unused_rule": ('"name": "probe"', '"name": "sonda"'),
        "panel_datasource_rule": ('"uid": "${datasource}"', '"uid": "prom"'),
        "panel_title_description_rule": ('"description": "', '"about": "'),
        "panel_units_rule": ('"unit": "cps"', '"unit": "results/s"'),
        "panel_no_targets_rule": ('"targets": [', '"asked": ['),
        "target_promql_rule": ("sum(rate(", "sum rate(("),
        "target_rate_interval_rule": ("[$__rate_interval]", "[5m]"),
        "target_job_rule": ('job=~\\"$job\\",', ""),
        "target_instance_rule": ('instance=~\\"$instance\\"', 'instance=\\"$instance\\"'),
        "target_counter_agg_rule": ("increase(", "last_over_time("),
        "uneditable_dashboard": ('"editable": false', '"editable": true'),
    }
    by_name = {rule.__name__: rule for rule in RULES}
    assert set(by_name) - set(spoiled) == {"target_histogram_rule"}  # this board has no histogram
    for name, (good, bad) in spoiled.items():
        assert good in board, name
        assert list(by_name[name](json.loads(board.replace(good, bad)))), name
    media = json.dumps(load("es", "media")).replace("histogram_quantile(0.5, ", "sum by (le) (")
    assert list(by_name["target_histogram_rule"](json.loads(media)))


# -- ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ALL)
def test_panels_have_their_own_ids_and_fill_the_grid_without_overlap(board):
    assert board["schemaVersion"] == 39
    ids = [panel["id"] for panel in panels(board)]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in panels(board):
        x, y, width, height = (panel["gridPos"][name] for name in "xywh")
        assert 0 <= x < x + width <= 24, panel["title"]
        cells = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        assert not cells & taken, panel["title"]
        taken |= cells
    lines = {y for _, y in taken}
    assert all((column, row) in taken for row in lines for column in range(24)), "a line has a hole"
    assert lines == set(range(max(lines) + 1))
    titles = [panel["title"] for panel in panels(board) if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("board", ALL)
def test_a_panel_says_what_it_shows_and_what_missing_data_means(board):
    for panel in panels(board):
        assert panel["title"]
        if panel["type"] in {"row", "annolist"}:
            assert "targets" not in panel
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGHI"[: len(panel["targets"])])
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"]
        assert len(defaults["noValue"]) > 20, panel["title"]
        assert_a_word_beside_each_colour(defaults.get("mappings", ()))


@pytest.mark.parametrize("board", ALL)
def test_what_has_no_value_has_no_colour_of_its_own(board):
    """Grafana gives it that of the lowest step: with a good one, "no data" would be blue."""
    for panel in panels(board):
        if panel["type"] not in {"stat", "bargauge", "table", "state-timeline"}:
            continue
        found = [panel["fieldConfig"]["defaults"]["thresholds"]]
        for override in panel["fieldConfig"]["overrides"]:
            found += [each["value"] for each in override["properties"] if each["id"] == "thresholds"]
        for one in found:
            assert one["steps"][0] == {"color": NEUTRAL, "value": None}, panel["title"]


def assert_a_word_beside_each_colour(mappings):
    """Status is never by colour alone: a glyph and a word go with it."""
    for mapping in mappings:
        for each in mapping["options"].values():
            assert re.fullmatch(r"[✓▲✕?◆] \S.*", each["text"]), each


@pytest.mark.parametrize("board", ALL)
def test_every_board_begins_with_who_watches_and_how_old_the_data_is(board):
    first = [panel["title"] for panel in board["panels"] if panel["gridPos"]["y"] == 0]
    assert first[0] in {"Vigilancia", "Watch"}
    assert {"Edad del dato", "Age of the data"} & set(first)


@pytest.mark.parametrize("board", ALL)
def test_only_series_that_exist_are_asked_for(board):
    known = {*CATALOGUE, *(f"{name}_bucket" for name in CATALOGUE), *OWN}
    asked = [target["expr"] for panel in panels(board) for target in panel.get("targets", ())]
    asked += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    found = {name for text in asked for name in re.findall(r"\b([a-z_]+)\{", text)}
    found |= {name for text in asked for name in re.findall(r"label_values\(([a-z_]+)[,{]", text)}
    assert found <= known, found - known


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The addresses that Sereno's own application answers."""
    store = open_store(tmp_path_factory.mktemp("pages"))
    try:
        return {getattr(route, "path", "") for route in create_app(store).routes}
    finally:
        store.dispose()


@pytest.mark.parametrize("board", ALL)
def test_links_lead_somewhere(board, pages):
    language = next(tag.removeprefix("sereno-") for tag in board["tags"] if tag.startswith("sereno-"))
    assert board["uid"] == f"sereno-{board_name(board)}" + ("" if language == "es" else f"-{language}")
    for link in board["links"]:
        if link["type"] == "dashboards":
            assert link["tags"] == [f"sereno-{language}"]  # the seven of this language, by their tag
            assert link["keepTime"]
            assert link["includeVars"]
        else:
            assert_a_page(link["url"], pages)
    for panel in panels(board):
        found = [*panel.get("fieldConfig", {}).get("defaults", {}).get("links", ())]
        for override in panel.get("fieldConfig", {}).get("overrides", ()):
            found += [one for each in override["properties"] if each["id"] == "links" for one in each["value"]]
        for link in found:
            assert not link["url"].startswith("/d/") or ("-en?" in link["url"]) == (language == "en")
            assert_a_page(link["url"], pages)


def board_name(board):
    return re.fullmatch(r"sereno-(\w+?)(-en)?", board["uid"])[1]


def assert_a_page(url, pages):
    """An address below `${sereno}` that Sereno's own application answers, or another board of the same language."""
    if url.startswith("/d/"):
        name, _, asked = url.removeprefix("/d/sereno-").partition("?")
        assert name.removesuffix("-en") in NAMES, url
        assert asked == "${__url_time_range}&${datasource:queryparam}"
        return
    assert url.startswith("${sereno:raw}/"), url
    path = url.removeprefix("${sereno:raw}").partition("?")[0]
    fields = (
        "${__data.fields.sbc:raw}/${__data.fields.core:raw}", "${__data.fields.element:raw}",
        "${__field.labels.sbc:raw}/${__field.labels.core:raw}", "${__field.labels.element:raw}",
    )  # fmt: skip
    for field in fields:
        path = path.replace(field, "{sbc}/{core}")
    assert path in pages, url


def test_spanish_and_english_are_the_same_boards():
    for name in NAMES:
        spanish, english = (skeleton(load(language, name) | {"uid": name}) for language in ("es", "en"))
        assert spanish == english, name
        assert load("es", name)["title"] != load("en", name)["title"], "two boards of one name in one folder"


def skeleton(node, key=""):
    """A board without its words: what both languages must share."""
    worded = {
        "title", "description", "noValue", "text", "label", "tooltip", "legendFormat", "displayName", "name",
        "renamePattern",
    }  # fmt: skip
    if isinstance(node, dict):
        if node.get("id") == "displayName":
            return "a heading"
        return {name: "words" if name in worded else skeleton(value, name) for name, value in node.items()}
    if key == "url":
        return node.replace("-en?", "?")
    if isinstance(node, list):
        return "tags" if key == "tags" else [skeleton(value, key) for value in node]
    return node


def test_every_english_word_has_its_spanish(monkeypatch, tmp_path):
    asked = set()
    said = Speech.text
    monkeypatch.setattr(kit.Speech, "text", lambda self, message: (asked.add(message), said(self, message))[1])
    render(tmp_path)
    spanish = catalogue("dashboards", "es")
    missing = {one for one in asked if spanish._catalog.get(one) is None}
    assert missing == set()
    assert len(asked) > 200


# -- provisioning -----------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]


def test_file_provisioning_serves_both_languages():
    given = yaml.safe_load((ROOT / "deploy" / "grafana" / "dashboards.yaml").read_text(encoding="utf-8"))
    assert given["apiVersion"] == 1
    assert [Path(one["options"]["path"]).name for one in given["providers"]] == list(LANGUAGES)
    for one in given["providers"]:
        assert set(one) == {
            "name", "folder", "type", "disableDeletion", "allowUiUpdates", "updateIntervalSeconds", "options",
        }  # fmt: skip
        assert (one["type"], one["allowUiUpdates"]) == ("file", False)
    assert len({one["folder"] for one in given["providers"]}) == len({one["name"] for one in given["providers"]}) == 2


def test_the_datasource_knows_how_often_prometheus_scrapes():
    given = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasource.yaml").read_text(encoding="utf-8"))
    (source,) = given["datasources"]
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"] == SCRAPE
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert "isDefault" not in source  # a second default would stop Grafana from starting


def test_the_document_names_every_board():
    text = (ROOT / "docs" / "grafana.md").read_text(encoding="utf-8")
    for name in NAMES:
        title = load("es", name)["title"].removeprefix("Sereno · ")
        assert f"| {title} | `{name}.json` |" in text
