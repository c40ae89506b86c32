"""The Panorama board: is voice up, what is not, how old is the data, how good are the calls."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

UID = "sereno-panorama"
COLOURS = {"up": "#56B4E9", "degraded": "#E69F00", "down": "#D55E00", "unknown": "#B6BEC9", "maintenance": "#C3A5E6"}
STATES = (
    ("0", "✓ Arriba", "up"),
    ("1", "▲ Degradado", "degraded"),
    ("2", "✕ Caído", "down"),
    ("3", "? Desconocido", "unknown"),
    ("4", "◆ Mantenimiento", "maintenance"),
)
NO_DATA = "Sin datos: revise el colector"
RATE = "5m"  # wide enough for a call every minute
SBC = 'sbc=~"$sbc"'
_NEWEST = "sereno_probe_last_result_timestamp_seconds"
_SOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")


def state_expression(kind: str) -> str:
    """One number per element of a kind: 0 up, 1 degraded, 2 down, 3 unknown, 4 maintenance.

    The greatest, not the sum: at a take-over both collectors' words stand for one scrape.
    """
    terms = [
        f'{weight} * max by (element) (sereno_verdict_state{{kind="{kind}",state="{state}"}})'
        for weight, state in ((1, "degraded"), (2, "down"), (3, "unknown"), (4, "maintenance"))
    ]
    return " + ".join(terms)


def _target(ref: str, expression: str, legend: str, *, instant: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().ref_id(ref).expr(expression).legend_format(legend).datasource(_SOURCE)
    return query.instant() if instant else query.range()


def _mappings() -> list[Any]:
    options = {
        value: models.ValueMappingResult(text=text, color=COLOURS[state], index=index)
        for index, (value, text, state) in enumerate(STATES)
    }
    return [models.ValueMap(options=options)]


def _thresholds(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=COLOURS[state]) for value, state in steps])
    )


def _position(x: int, y: int, width: int, height: int) -> models.GridPos:
    return models.GridPos(x=x, y=y, w=width, h=height)


def _plain(identifier: int, panel: Any, title: str, description: str, position: Sequence[int]) -> Any:
    x, y, width, height = position
    return (
        panel.id(identifier)
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .grid_pos(_position(x, y, width, height))
        .no_value(NO_DATA)
    )


def _stat(identifier: int, title: str, description: str, position: Sequence[int]) -> Any:
    reduce = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
    return (
        _plain(identifier, stat.Panel(), title, description, position)
        .reduce_options(reduce)
        .graph_mode(common_models.BigValueGraphMode.NONE)
    )


def _service() -> Any:
    return (
        _stat(1, "Servicio", "Veredicto del servicio según las muestras válidas.", (0, 0, 6, 5))
        .mappings(_mappings())
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .with_target(_target("A", state_expression("service"), "{{element}}", instant=True))
    )


def _data_age() -> Any:
    return (
        _stat(2, "Edad del dato", "Segundos desde el último resultado confirmado de cada sonda.", (6, 0, 6, 5))
        .unit("s")
        .decimals(0)
        .thresholds(_thresholds((None, "up"), (10, "degraded"), (30, "down")))
        .with_target(_target("A", f"time() - max by (probe) ({_NEWEST})", "{{probe}}", instant=True))
    )


def _incidents() -> Any:
    expression = 'sum by (priority) (max by (priority, state) (sereno_incidents{state!="resolved"}))'
    return (
        _stat(3, "Incidentes abiertos", "Incidentes sin resolver, por prioridad.", (12, 0, 12, 5))
        .unit("short")
        .decimals(0)
        .thresholds(_thresholds((None, "up"), (1, "degraded")))
        .with_target(_target("A", expression, "{{priority}}", instant=True))
    )


def _timeline(identifier: int, title: str, description: str, kind: str, position: Sequence[int]) -> Any:
    return (
        _plain(identifier, statetimeline.Panel(), title, description, position)
        .mappings(_mappings())
        .with_target(_target("A", state_expression(kind), "{{element}}"))
    )


def _series(identifier: int, title: str, description: str, unit: str, position: Sequence[int]) -> Any:
    return _plain(identifier, timeseries.Panel(), title, description, position).unit(unit).span_nulls(True)


def _round_trip() -> Any:
    expression = (
        "histogram_quantile(0.95, sum by (le, sbc, core) "
        f'(rate(sereno_check_duration_seconds_bucket{{check="options",{SBC}}}[{RATE}])))'
    )
    return _series(
        7, "OPTIONS: percentil 95", "Tiempo hasta la respuesta final, por ruta.", "s", (0, 19, 12, 8)
    ).with_target(_target("A", expression, "{{sbc}}/{{core}}"))


def _failed_ratio() -> Any:
    failed = f'sum by (sbc, core, check) (rate(sereno_check_results_total{{outcome="failed",{SBC}}}[{RATE}]))'
    valid = f'sum by (sbc, core, check) (rate(sereno_check_results_total{{outcome!="invalid",{SBC}}}[{RATE}]))'
    return (
        _series(8, "Fracción fallida", "Resultados fallidos entre los válidos.", "percentunit", (12, 19, 12, 8))
        .min(0)
        .max(1)
        .with_target(_target("A", f"({failed} or {valid} * 0) / ({valid} > 0)", "{{check}} {{sbc}}/{{core}}"))
    )


def _mos() -> Any:
    expression = (
        f"histogram_quantile(0.5, sum by (le, sbc, core, direction) (rate(sereno_mos_lq_bucket{{{SBC}}}[{RATE}])))"
    )
    return (
        _series(9, "MOS-LQ: mediana", "Calidad de escucha de las llamadas de prueba (G.107).", "short", (0, 27, 12, 8))
        .min(1)
        .max(4.5)
        .decimals(2)
        .with_target(_target("A", expression, "{{sbc}}/{{core}} {{direction}}"))
    )


def _loss() -> Any:
    lost = f"sum by (sbc, direction) (rate(sereno_rtp_lost_packets_total{{{SBC}}}[{RATE}]))"
    received = f"sum by (sbc, direction) (rate(sereno_rtp_packets_total{{{SBC}}}[{RATE}]))"
    return (
        _series(
            10,
            "Pérdida RTP",
            "Paquetes perdidos entre los esperados, por SBC y sentido.",
            "percentunit",
            (12, 27, 12, 8),
        )
        .min(0)
        .with_target(_target("A", f"{lost} / (({received} + {lost}) > 0)", "{{sbc}} {{direction}}"))
    )


def build() -> models.Dashboard:
    """The board, Classic JSON model (Grafana 11 to 13)."""
    board = (
        dashboard.Dashboard("Sereno · Panorama")
        .uid(UID)
        .description("¿Hay voz? Qué SBC, núcleo o ruta no está, y qué tan viejo es el dato.")
        .tags(["sereno"])
        .refresh("5s")
        .time("now-1h", "now")
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Origen").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("sbc")
            .label("SBC")
            .datasource(_SOURCE)
            .query("label_values(sereno_check_results_total, sbc)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    panels = (
        _service(),
        _data_age(),
        _incidents(),
        _timeline(4, "Rutas (SBC/núcleo)", "Veredicto de cada ruta en el tiempo.", "path", (0, 5, 24, 6)),
        _timeline(5, "Núcleos", "Veredicto de cada núcleo en el tiempo.", "core", (0, 11, 12, 4)),
        _timeline(6, "SBC", "Veredicto del borde de cada SBC en el tiempo.", "sbc", (12, 11, 12, 4)),
        _timeline(11, "Sedes", "Lo que ve cada sede.", "site", (0, 15, 24, 4)),
        _round_trip(),
        _failed_ratio(),
        _mos(),
        _loss(),
    )
    for panel in panels:
        board = board.with_panel(panel)
    model = board.build()
    model.schema_version = 39
    return model
