"""What the boards are made of: a sheet that places panels line by line, and panels that look and speak alike.

The words are those of one language (`dashboards/locale`); ids, positions, the datasource variable, the text for missing
data and the colours are given here, once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import (
    annotationslist,
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.grafana.queries import RANKS
from sereno.i18n import catalogue

COLUMNS = 24
PAGE_OF_PATH = "${sereno:raw}/paths/${__field.labels.sbc:raw}/${__field.labels.core:raw}"
PAGE_OF_ELEMENT = "${sereno:raw}/paths/${__field.labels.element:raw}"  # a path is SBC/core
LOWEST = -1e9  # below every value that is shown
POINTS = 360  # of a timeline: more are no wider than a pixel or two, and cost the server as much again
SCHEMA_VERSION = 39  # of Grafana 11.0; later ones migrate it
GOOD, POOR, BAD, NEUTRAL, PLANNED = "#56B4E9", "#E69F00", "#D55E00", "#B6BEC9", "#C3A5E6"
COLOURS = {"up": GOOD, "maintenance": PLANNED, "degraded": POOR, "unknown": NEUTRAL, "down": BAD}
SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")
Step = tuple[float | None, str]
Choice = tuple[float | str, str, str]  # value, text, colour
_WITHOUT_DATA = (annotationslist.Panel,)  # what they show is Grafana's own


class Query(NamedTuple):
    """One target: PromQL and how a series of it is called."""

    expression: str
    legend: str = ""


class Column(NamedTuple):
    """A column of a table: its field, its heading, and how its values are shown."""

    field: str
    heading: str
    unit: str = ""
    choices: tuple[Choice, ...] = ()
    steps: tuple[Step, ...] = ()
    link: str = ""
    decimals: int | None = None
    plain: bool = False  # words without a colour


def uid(name: str, language: str) -> str:
    """Of a board. Spanish is the default; other languages say so."""
    return f"sereno-{name}" if language == "es" else f"sereno-{name}-{language}"


class Speech:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._translations = catalogue("dashboards", language)

    def text(self, message: str) -> str:
        return self._translations.gettext(message)

    def states(self) -> tuple[Choice, ...]:
        """The states of a verdict, by rank."""
        said = {
            "up": self.text("✓ Up"),
            "maintenance": self.text("◆ Maintenance"),
            "degraded": self.text("▲ Degraded"),
            "unknown": self.text("? Unknown"),
            "down": self.text("✕ Down"),
        }
        return tuple((rank, said[name], COLOURS[name]) for name, rank in RANKS.items())

    def nothing(self) -> str:
        return self.text("No data: look at «Watch»")


def mapping(choices: Sequence[Choice]) -> list[Any]:
    options = {
        (value if isinstance(value, str) else f"{value:g}"): models.ValueMappingResult(
            text=text, color=colour, index=index
        )
        for index, (value, text, colour) in enumerate(choices)
    }
    return [models.ValueMap(options=options)]


def thresholds(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    made = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def graded(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    """Colours of values alone: Grafana gives what has no value the lowest step's, and that must not be a good one."""
    if not steps or steps[0][1] == NEUTRAL:
        return thresholds(steps or ((None, NEUTRAL),))
    return thresholds(((None, NEUTRAL), (LOWEST, steps[0][1]), *steps[1:]))


def _color(mode: models.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


class Sheet:
    """A board being written: panels go from left to right, `line` begins a new line of them."""

    def __init__(self, words: Speech, board: dashboard.Dashboard) -> None:
        self.words, self.board = words, board
        self._x = self._y = self._height = self._count = 0

    def line(self, height: int) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, height

    def heading(self, title: str) -> None:
        """A row with a title: what comes below it belongs together."""
        self._x, self._y, self._height = 0, self._y + self._height, 1
        self._count += 1
        position = models.GridPos(x=0, y=self._y, w=COLUMNS, h=1)
        self.board.with_row(dashboard.Row(title).id(self._count).grid_pos(position).collapsed(False))

    def place(self, panel: Any, width: int, title: str, description: str, nothing: str = "") -> Any:
        """Gives a panel what every panel has, and its place."""
        self._count += 1
        position = models.GridPos(x=self._x, y=self._y, w=width, h=self._height)
        self._x += width
        if self._x > COLUMNS:
            raise ValueError(f"{title}: the line is wider than {COLUMNS} columns")
        panel.id(self._count).title(title).description(description).grid_pos(position)
        if not isinstance(panel, _WITHOUT_DATA):
            panel.datasource(SOURCE).no_value(nothing or self.words.nothing())
        return panel

    def add(self, panel: Any) -> None:
        self.board.with_panel(panel)

    # -- panels ----------------------------------------------------------------------------------------------------

    def stat(
        self, width: int, title: str, description: str, queries: Sequence[Query], *, unit: str = "none",
        steps: Sequence[Step] = (), choices: Sequence[Choice] = (), decimals: int | None = None, nothing: str = "",
        link: str = "", names: bool = False,
    ) -> None:  # fmt: skip
        """Big figures: the value now, its background as bad as it is."""
        panel = self.place(stat.Panel(), width, title, description, nothing).unit(unit)
        panel.reduce_options(_last()).graph_mode(kinds.BigValueGraphMode.NONE)
        panel.color_mode(kinds.BigValueColorMode.BACKGROUND).orientation(kinds.VizOrientation.AUTO)
        named = kinds.BigValueTextMode.VALUE_AND_NAME if names else kinds.BigValueTextMode.VALUE
        panel.text_mode(named).color_scheme(_color(models.FieldColorModeId.THRESHOLDS))
        panel.thresholds(graded(steps))
        _show(panel, choices, decimals, self._links(link))
        _ask(panel, queries, instant=True)
        self.add(panel)

    def bars(
        self, width: int, title: str, description: str, queries: Sequence[Query], *, unit: str, steps: Sequence[Step],
        maximum: float | None = None, minimum: float = 0, decimals: int | None = None, nothing: str = "",
    ) -> None:  # fmt: skip
        """One bar per series, now."""
        panel = self.place(bargauge.Panel(), width, title, description, nothing).unit(unit).min(minimum)
        panel.reduce_options(_last()).orientation(kinds.VizOrientation.HORIZONTAL).show_unfilled(True)
        panel.display_mode(kinds.BarGaugeDisplayMode.BASIC).value_mode(kinds.BarGaugeValueMode.TEXT)
        panel.color_scheme(_color(models.FieldColorModeId.THRESHOLDS)).thresholds(graded(steps))
        if maximum is not None:
            panel.max(maximum)
        _show(panel, (), decimals, [])
        _ask(panel, queries, instant=True)
        self.add(panel)

    def states(
        self, width: int, title: str, description: str, query: Query, *, choices: Sequence[Choice] = (),
        nothing: str = "", renamed: Sequence[tuple[str, str]] = (), link: str = "", board: str = "",
    ) -> None:  # fmt: skip
        """States over time; equal neighbours are one bar. `renamed`: patterns of names, and what they are called."""
        panel = self.place(statetimeline.Panel(), width, title, description, nothing).unit("none")
        panel.max_data_points(POINTS).merge_values(True).show_value(kinds.VisibilityMode.AUTO).row_height(
            0.85
        ).fill_opacity(85).line_width(1)
        panel.align_value(kinds.TimelineValueAlignment.LEFT).legend(_legend()).tooltip(_tooltip())
        panel.color_scheme(_color(models.FieldColorModeId.THRESHOLDS))
        panel.thresholds(thresholds(((None, NEUTRAL),)))
        for pattern, name in renamed:
            options = {"regex": pattern, "renamePattern": name}
            panel.with_transformation(models.DataTransformerConfig(id_val="renameByRegex", options=options))
        _show(panel, choices or self.words.states(), None, self._links(link, board))
        _ask(panel, [query], instant=False)
        self.add(panel)

    def series(
        self, width: int, title: str, description: str, queries: Sequence[Query], *, unit: str,
        minimum: float | None = 0, maximum: float | None = None, decimals: int | None = None,
        steps: Sequence[Step] = (), step: str = "", nothing: str = "", link: str = "",
    ) -> None:  # fmt: skip
        """Lines over time; gaps stay gaps. `step`: the least one, where what is counted happens seldom."""
        panel = self.place(timeseries.Panel(), width, title, description, nothing).unit(unit)
        panel.color_scheme(_color(models.FieldColorModeId.PALETTE_CLASSIC)).line_width(2).fill_opacity(8)
        panel.legend(_legend(table=True)).tooltip(_tooltip()).show_points(kinds.VisibilityMode.AUTO).span_nulls(False)
        if minimum is not None:
            panel.min(minimum)
        if maximum is not None:
            panel.max(maximum)
        if steps:
            drawn = common.GraphThresholdsStyleConfig().mode(kinds.GraphThresholdsStyleMode.DASHED)
            panel.thresholds(thresholds(steps)).thresholds_style(drawn)
        if step:
            panel.interval(step)
        _show(panel, (), decimals, self._links(link))
        _ask(panel, queries, instant=False)
        self.add(panel)

    def table(
        self, width: int, title: str, description: str, queries: Sequence[Query], columns: Sequence[Column], *,
        unit: str = "none", nothing: str = "", sort: str = "", descending: bool = True,
    ) -> None:  # fmt: skip
        """Rows of labels and values, now; only the named columns, in their order."""
        panel = self.place(table.Panel(), width, title, description, nothing).unit(unit).show_header(True)
        panel.cell_height(kinds.TableCellHeight.SM).cell_options(kinds.TableAutoCellOptions())
        panel.thresholds(thresholds(((None, NEUTRAL),)))
        if sort:
            panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
        order = {column.field: index for index, column in enumerate(columns)}
        if len(queries) > 1:
            panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        kept = {"include": {"names": list(order)}}
        panel.with_transformation(models.DataTransformerConfig(id_val="filterFieldsByName", options=kept))
        organized = {"excludeByName": {}, "indexByName": order, "renameByName": {}}
        panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organized))
        for column in columns:
            panel.override_by_name(column.field, _properties(column, self._links))
        _ask(panel, queries, instant=True, as_table=True)
        self.add(panel)

    def _links(self, url: str, board: str = "") -> list[Any]:
        """The links of a field: Sereno's page of it, and another board in the same time range."""
        made: list[Any] = []
        if url:
            made.append({"title": self.words.text("Open in Sereno"), "url": url, "targetBlank": True})
        if board:
            address = f"/d/{uid(board, self.words.language)}?${{__url_time_range}}&${{datasource:queryparam}}"
            made.append({"title": self.words.text("Open the board of it"), "url": address, "targetBlank": False})
        return made


def _properties(column: Column, links: Any) -> list[Any]:
    made: list[tuple[str, Any]] = [("displayName", column.heading)]
    if column.unit:
        made.append(("unit", column.unit))
    if column.decimals is not None:
        made.append(("decimals", column.decimals))
    if column.choices:
        made.append(("mappings", mapping(column.choices)))
    if column.steps:
        made.append(("thresholds", graded(column.steps).build()))
    if (column.choices or column.steps) and not column.plain:
        made.append(("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
    if column.link:
        made.append(("links", links(column.link)))
    return [models.DynamicConfigValue(id_val=name, value=value) for name, value in made]


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _legend(*, table: bool = False) -> common.VizLegendOptions:
    made = common.VizLegendOptions().placement(kinds.LegendPlacement.BOTTOM).show_legend(True)
    made.display_mode(kinds.LegendDisplayMode.TABLE if table else kinds.LegendDisplayMode.LIST)
    return made.calcs(["lastNotNull", "max"] if table else [])


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI).sort(kinds.SortOrder.DESCENDING)


def _show(panel: Any, choices: Sequence[Choice], decimals: int | None, links: list[Any]) -> None:
    if choices:
        panel.mappings(mapping(choices))
    if decimals is not None:
        panel.decimals(decimals)
    if links:
        panel.data_links([_Link(one) for one in links])


class _Link:
    """A data link as it is written: the SDK's own carries keys of a dashboard's link that a field has none of."""

    def __init__(self, link: dict[str, Any]) -> None:
        self._link = link

    def build(self) -> dict[str, Any]:
        return self._link


def _ask(panel: Any, queries: Sequence[Query], *, instant: bool, as_table: bool = False) -> None:
    for index, (expression, legend) in enumerate(queries):
        query = prometheus.Dataquery().ref_id(chr(ord("A") + index)).expr(expression).datasource(SOURCE)
        if legend:
            query.legend_format(legend)
        query.instant() if instant else query.range()
        if as_table:
            query.format(PromQueryFormat.TABLE)
        panel.with_target(query)
