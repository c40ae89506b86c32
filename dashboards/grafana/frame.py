"""What every board has around its panels: name, variables, links, annotations."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import annotationslist, dashboard
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

from dashboards.grafana.kit import BAD, PLANNED, SCHEMA_VERSION, SOURCE, Sheet, Speech, uid
from dashboards.grafana.queries import pick

PAGES = "http://127.0.0.1:8080"  # where Sereno's own pages are, unless told otherwise
HOME = "${sereno:raw}"
GRAFANA = kinds.DataSourceRef(type_val="grafana", uid="-- Grafana --")
WINDOW = "/forensics?from=${__from:date:iso}&to=${__to:date:iso}"
TAG = "sereno"
INCIDENT, MAINTENANCE = "incident", "maintenance"


class About(NamedTuple):
    """A board before it is built: its file, English name and description, time range, what fills it."""

    name: str
    title: str
    description: str
    since: str
    variables: tuple[str, ...]
    fill: Callable[[Sheet], None]
    refresh: str = "5s"


def build(about: About, words: Speech, pages: str = PAGES) -> models.Dashboard:
    """The board, Classic JSON model (Grafana 11 to 13)."""
    board = (
        dashboard.Dashboard(f"Sereno · {words.text(about.title)}")
        .uid(uid(about.name, words.language))
        .description(words.text(about.description))
        .tags([TAG, f"{TAG}-{words.language}"])
        .refresh(about.refresh)
        .time(about.since, "now")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .links(_links(words))
        .annotations(_annotations(words))
    )
    for variable in _variables(words, about.variables, pages):
        board.with_variable(variable)
    about.fill(Sheet(words, board))
    model = board.build()
    model.schema_version = SCHEMA_VERSION
    return model


def _variables(words: Speech, wanted: Sequence[str], pages: str) -> list[Any]:
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    source.description(words.text("The Prometheus that scrapes Sereno's collectors."))
    leader = "sereno_collector_leader"
    made: list[Any] = [source]
    said = words.text("Prometheus' name for Sereno's collectors, as in its scrape_configs.")
    made.append(_query("job", "Job", said, f"label_values({leader}, job)", ".+"))
    said = words.text("One collector, or all: only the one that leads says more than its own health.")
    made.append(_query("instance", "Instance", said, f'label_values({leader}{{job=~"$job"}}, instance)', ".+"))
    known = {
        "sbc": ("SBC", words.text("The SBCs that are shown."), ".+"),
        "core": (words.text("Core"), words.text("The cores that are shown; checks without a core too, by All."), ".*"),
        "site": (words.text("Site"), words.text("The sites that are shown."), ".+"),
        "probe": (words.text("Probe"), words.text("The probes that are shown."), ".+"),
    }
    for name in wanted:
        label, description, every = known[name]
        found = pick("sereno_verdict_state", f'kind="{name}"')
        made.append(_query(name, label, description, f"label_values({found}, element)", every))
    page = dashboard.TextBoxVariable("sereno").label("Sereno").default_value(pages)
    page.description(words.text("Address of Sereno's own pages; links lead there."))
    made.append(page.current(models.VariableOption(text=pages, value=pages)))
    return made


def _query(name: str, label: str, description: str, query: str, every: str) -> Any:
    asked = {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query(asked)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(every)
        .current(models.VariableOption(text="All", value="$__all"))
    )


def _links(words: Speech) -> list[Any]:
    boards = dashboard.DashboardLink(words.text("Boards")).type(models.DashboardLinkType.DASHBOARDS)
    boards.tags([f"{TAG}-{words.language}"]).as_dropdown(True).keep_time(True).include_vars(True).icon("dashboard")
    boards.tooltip(words.text("The other boards, in the same time range"))
    pages = (
        (words.text("Sereno"), "/", words.text("Sereno's own overview, live")),
        (words.text("Incidents"), "/incidents", words.text("What is open, and who has it")),
        (words.text("Forensics"), WINDOW, words.text("Results, ladders and RTP of this time range")),
    )
    made: list[Any] = [boards]
    for title, path, tooltip in pages:
        link = dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(HOME + path).icon("external link")
        made.append(link.tooltip(tooltip).target_blank(True))
    return made


def _annotations(words: Speech) -> list[Any]:
    """Grafana's own ones, and what `sereno dashboards push` writes there: incidents and maintenance."""
    built_in = dashboard.AnnotationQuery().built_in(1).datasource(GRAFANA).enable(True).hide(True).type("dashboard")
    made = [built_in.icon_color("rgba(0, 211, 255, 1)").name("Annotations & Alerts")]
    for tag, name, colour in (
        (INCIDENT, words.text("Incidents"), BAD),
        (MAINTENANCE, words.text("Maintenance"), PLANNED),
    ):
        asked: Any = _Tags([TAG, tag])  # a builder, though not of a query: Grafana's own annotations have none
        query = dashboard.AnnotationQuery().name(name).datasource(GRAFANA).enable(True).hide(False).icon_color(colour)
        made.append(query.target(asked))
    return made


class _Tags:
    """Grafana's own annotations with all of these tags."""

    def __init__(self, tags: list[str]) -> None:
        self._tags = tags

    def build(self) -> models.AnnotationTarget:
        return models.AnnotationTarget(limit=100, match_any=False, tags=self._tags, type_val="tags")


def annotations_list(sheet: Sheet, width: int, title: str, description: str) -> None:
    """Incidents and maintenance that were written into Grafana, newest first."""
    panel = sheet.place(annotationslist.Panel(), width, title, description)
    panel.only_from_this_dashboard(False).only_in_time_range(True).tags([TAG]).limit(20)
    panel.show_user(False).show_time(True).show_tags(True)
    sheet.add(panel.navigate_to_panel(False).navigate_before("10m").navigate_after("10m"))
