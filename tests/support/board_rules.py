"""The rules of Grafana's own dashboard-linter (github.com/grafana/dashboard-linter), told again for our tests.

That linter is a Go program that cannot be fetched where the tests run. Each function is one of its rules, with its
condition as its source and documents state it, warnings counted as errors (`lint --strict`); nothing is excluded.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser as promql

Board = dict[str, Any]
Panel = dict[str, Any]
RATE_INTERVAL = "8869990s"  # an unlikely length of time, by which $__rate_interval is known again
GLOBALS = {"__rate_interval": RATE_INTERVAL, "__interval": "4867856s", "__range": "6069770s"}
ASKING = {"singlestat", "graph", "table", "stat", "state-timeline", "timeseries"}  # whose queries it looks at
SHOWING = {"stat", "singlestat", "graph", "table", "timeseries", "gauge"}  # whose looks it looks at
UNITS = {"none", "string", "short", "percent", "percentunit", "s", "ms", "pps", "cps", "ops", "reqps", "bool", "bytes"}
_VARIABLE = re.compile(r"\$(\w+)|\$\{([^}]+)\}|\[\[([^\[\]]+)\]\]")


def panels(board: Board) -> Iterator[Panel]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def expanded(expression: str) -> str:
    """Variables outside of strings have sample values; those inside stay as they are."""
    parts = expression.split('"')
    for index in range(0, len(parts), 2):
        parts[index] = _VARIABLE.sub(lambda found: GLOBALS.get(found[1] or found[2] or found[3], "1"), parts[index])
    return '"'.join(parts)


def parsed(expression: str) -> Any:
    return promql.parse(expanded(expression))


def walk(node: Any, parents: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node of an expression with those above it, the nearest last."""
    yield node, parents
    below = (*parents, node)
    for name in ("lhs", "rhs", "expr", "param", "vector_selector"):
        if (child := getattr(node, name, None)) is not None:
            yield from walk(child, below)
    for child in getattr(node, "args", None) or ():
        yield from walk(child, below)


def targets(board: Board) -> Iterator[tuple[Panel, str]]:
    for panel in panels(board):
        for target in panel.get("targets", ()):
            yield panel, target["expr"]


def variables(board: Board, kind: str) -> list[dict[str, Any]]:
    return [one for one in board["templating"]["list"] if one["type"] == kind]


def _template(board: Board, name: str) -> Iterator[str]:
    found = [one for one in board["templating"]["list"] if one["name"] == name]
    if not found:
        yield f"no variable {name}"
        return
    one = found[0]
    if one["datasource"]["uid"] not in {"$datasource", "${datasource}"}:
        yield f"{name} asks another datasource"
    if one["type"] != "query" or not one["multi"] or one["allValue"] != ".+" or one["label"] != name.title():
        yield f"{name} is not a query of many, all being .+, labelled {name.title()}"


def template_datasource_rule(board: Board) -> Iterator[str]:
    found = variables(board, "datasource")
    if not found:
        yield "no variable for the datasource"
    for one in found:
        if one["name"] not in {"datasource", f"{one['query']}_datasource"}:
            yield f"datasource variable is called {one['name']}"
        if one["label"] not in {"Data source", f"{one['query'].title()} data source"}:
            yield f"datasource variable is labelled {one['label']}"


def template_job_rule(board: Board) -> Iterator[str]:
    yield from _template(board, "job")


def template_instance_rule(board: Board) -> Iterator[str]:
    yield from _template(board, "instance")


def template_label_promql_rule(board: Board) -> Iterator[str]:
    for one in variables(board, "query"):
        query = one["query"] if isinstance(one["query"], str) else one["query"]["query"]
        found = re.search(r"([a-z_]+)\((.+)\)", query)
        if found is None or found[1] not in {"label_names", "label_values", "metrics", "query_result"}:
            yield f"variable {one['name']}: {query}"
            continue
        parsed(found[2].rpartition(",")[0])  # raises where it is no PromQL


def template_on_time_change_reload_rule(board: Board) -> Iterator[str]:
    yield from (f"variable {one['name']}" for one in variables(board, "query") if one["refresh"] != 2)


def template_unused_rule(board: Board) -> Iterator[str]:
    """Not among its registered rules; a variable that changes nothing is a lie all the same."""
    text = " ".join(expression for _, expression in targets(board))
    for one in variables(board, "query"):
        if not re.search(rf"\${one['name']}\b|\$\{{{one['name']}(:[^}}]+)?\}}", text):
            yield f"variable {one['name']} is asked nowhere"


def panel_datasource_rule(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if panel["type"] in SHOWING and panel.get("datasource", {}).get("uid") != "${datasource}":
            yield panel["title"]


def panel_title_description_rule(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if panel["type"] in SHOWING and not (panel.get("title") and panel.get("description")):
            yield str(panel["id"])


def panel_units_rule(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if panel["type"] not in SHOWING:
            continue
        found = [
            each["value"]
            for override in panel["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "unit"
        ]
        unit = (found or [panel["fieldConfig"]["defaults"].get("unit")])[-1]
        if not {unit, panel["fieldConfig"]["defaults"].get("unit")} <= UNITS:  # older releases look at the default only
            yield f"{panel['title']}: {unit}"


def panel_no_targets_rule(board: Board) -> Iterator[str]:
    yield from (one["title"] for one in panels(board) if one["type"] in SHOWING and not one.get("targets"))


def target_promql_rule(board: Board) -> Iterator[str]:
    for panel, expression in targets(board):
        try:
            parsed(expression)
        except ValueError as error:
            yield f"{panel['title']}: {error}"


def target_rate_interval_rule(board: Board) -> Iterator[str]:
    for panel, expression in targets(board):
        for node, parents in walk(parsed(expression)):
            if not isinstance(node, promql.MatrixSelector) or not parents:
                continue
            if f"{node.range.total_seconds():.0f}s" == RATE_INTERVAL:
                continue
            above = parents[-1]
            if not isinstance(above, promql.Call) or above.func.name in {"rate", "irate"}:
                yield f"{panel['title']}: {expression}"


def _matcher(board: Board, name: str) -> Iterator[str]:
    for panel, expression in targets(board):
        for node, _ in walk(parsed(expression)):
            if isinstance(node, promql.VectorSelector):
                found = [(one.name, one.op, one.value) for one in node.matchers.matchers]
                if (name, promql.MatchOp.Re, f"${name}") not in found:
                    yield f"{panel['title']}: {node}"


def target_job_rule(board: Board) -> Iterator[str]:
    yield from _matcher(board, "job")


def target_instance_rule(board: Board) -> Iterator[str]:
    yield from _matcher(board, "instance")


def target_counter_agg_rule(board: Board) -> Iterator[str]:
    """Its own condition looks at selectors without matchers only; ours at all of them."""
    for panel, expression in targets(board):
        for node, parents in walk(parsed(expression)):
            if not isinstance(node, promql.VectorSelector) or not (node.name or "").endswith("_total"):
                continue
            call = parents[-2] if len(parents) > 1 else None
            if not isinstance(call, promql.Call) or call.func.name not in {"rate", "irate", "increase"}:
                yield f"{panel['title']}: {node.name}"


def target_histogram_rule(board: Board) -> Iterator[str]:
    """Not among its registered rules: buckets mean something inside a histogram_quantile alone."""
    for panel, expression in targets(board):
        for node, parents in walk(parsed(expression)):
            if isinstance(node, promql.VectorSelector) and (node.name or "").endswith("_bucket"):
                calls = {one.func.name for one in parents if isinstance(one, promql.Call)}
                if "histogram_quantile" not in calls:
                    yield f"{panel['title']}: {node.name}"


def uneditable_dashboard(board: Board) -> Iterator[str]:
    if board["editable"]:
        yield "it can be edited"


RULES: tuple[Callable[[Board], Iterator[str]], ...] = (
    template_datasource_rule, template_job_rule, template_instance_rule, template_label_promql_rule,
    template_on_time_change_reload_rule, template_unused_rule, panel_datasource_rule, panel_title_description_rule,
    panel_units_rule, panel_no_targets_rule, target_promql_rule, target_rate_interval_rule, target_job_rule,
    target_instance_rule, target_counter_agg_rule, target_histogram_rule, uneditable_dashboard,
)  # fmt: skip
