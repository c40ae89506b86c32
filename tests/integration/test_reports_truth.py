"""A month of known truth, reported: every number of every form against the truth and against `sereno availability`."""

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from report_month import BEGIN, END, MONTH, NOW, SITES, calls, fill, local, truth
from typer.testing import CliRunner

from collector.account import LedgerAvailability
from dashboards.reports.build import build
from dashboards.reports.canonical import canonical, decoded, encoded
from dashboards.reports.render import render
from sereno.cli.availability import app as availability
from sereno.cli.contract import app as contract
from sereno.clock import iso, parse_instant

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("month")
    fill(folder).dispose()
    return folder / "data"


@pytest.fixture(scope="module")
def store(house):
    from sereno.store import open_store

    opened = open_store(house)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def report(store):
    return build(store, LedgerAvailability(store), MONTH, NOW, customer="acme")


@pytest.fixture(scope="module")
def data(report):
    """As anybody reads it: the JSON."""
    return json.loads(render(report, "json"))


def said(house, *words):
    found = CliRunner().invoke(availability, [*words, "--month", MONTH, "--data", str(house), "--json"])
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


# -- the model against the truth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [None, *SITES])
def test_every_figure_is_the_truth(report, site):
    known = truth(site)
    found = report.availability if site is None else next(one.availability for one in report.sites if one.site == site)
    assert (found.from_, found.to) == (iso(BEGIN), iso(END))
    assert found.total_seconds == 2588400 == (30 * 24 - 1) * 3600  # the night of the 6th lost an hour
    figures = (found.down_seconds, found.excluded_seconds, found.unknown_seconds, found.bound_seconds, found.outages)
    assert figures == (known.down, known.excluded, known.unknown, known.bound, len(known.outages))
    counted = known.total - known.excluded
    assert found.observed == known.ratio(known.down, counted - known.unknown)
    assert found.low == known.ratio(known.down + known.unknown, counted)
    assert found.high == known.ratio(known.down, counted)
    assert found.verdict == known.verdict
    assert found.target == pytest.approx(float(1 - known.allowed / counted), abs=1e-15)


@pytest.mark.parametrize("site", [None, *SITES])
def test_every_list_is_the_truth_and_adds_up(report, site):
    known = truth(site)
    part = report if site is None else next(one for one in report.sites if one.site == site)
    figures = part.availability
    assert [(parse_instant(one.from_), parse_instant(one.to)) for one in part.outages] == known.outages
    assert sum(one.down_seconds for one in part.outages) == figures.down_seconds
    assert sum(one.bound_seconds for one in part.outages) == figures.bound_seconds
    assert sum(one.seconds for one in part.unknown) == figures.unknown_seconds
    days = {int(day.date[8:]): (day.down_seconds, day.unknown_seconds, day.excluded_seconds) for day in part.days}
    assert {day: found for day, found in days.items() if any(found)} == known.by_day
    assert len(days) == 30
    assert next(day.total_seconds for day in part.days if day.date.endswith("-06")) == 23 * 3600


def test_what_the_arithmetic_says_is_what_decides(report):
    known, sums = truth(None), report.arithmetic
    assert sums.counted_seconds == known.total - known.excluded
    assert sums.seen_seconds == known.total - known.excluded - known.unknown
    assert Fraction(str(sums.allowed_seconds)) == known.allowed
    assert sums.at_worst_seconds == known.down + known.bound + known.unknown
    assert (sums.met, sums.missed) == (False, True)
    assert [(one.effective, one.target) for one in report.promised] == [("2023-07-01", 0.9999), ("2026-09-16", 0.999)]


def test_exclusions_name_their_notice_and_why_time_counts(report):
    assert [(one.from_, one.seconds, one.windows) for one in report.exclusions] == [
        (iso(local("12 20:00")), 7200, (1,))
    ]
    kept, late, narrow = report.notices
    assert (kept.excluded_seconds, kept.notice_days, kept.counts, kept.sites) == (7200, 11, (), SITES)
    assert (late.excluded_seconds, late.notice_days, late.counts) == (0, 5, ("notice_short",))
    assert (narrow.excluded_seconds, narrow.counts, narrow.sites) == (0, ("not_covered",), ("hq", "tres"))
    assert {(one.least_days, one.most_days, one.hours) for one in report.notices} == {(10, 15, "19:00-05:00")}


def test_outages_have_their_incident_their_edges_and_their_evidence(report):
    flags = [(one.begun_before, one.goes_on) for one in report.outages]
    assert (flags[0], flags[-1]) == ((True, False), (False, True))
    assert {flag for one in flags[1:-1] for flag in one} == {False}
    of_the_third = next(one for one in report.outages if one.from_ == iso(local("03 10:00")))
    assert (of_the_third.incidents, of_the_third.cause.kind, of_the_third.sites) == (
        (7,),
        "service",
        ("hq", "dos", "tres"),
    )
    assert of_the_third.to == iso(local("03 11:00"))  # of two sites that overlap: one outage
    assert [one.incidents for one in report.outages if one is not of_the_third] == [()] * (len(report.outages) - 1)
    begin, end = iso(local("03 09:59")), iso(local("03 11:01"))
    assert of_the_third.evidence == f"/forensics?from={begin}&to={end}&site=hq"
    over = next(one for one in report.outages if one.excluded_seconds)  # work that ran over
    assert (over.down_seconds, over.excluded_seconds, over.from_) == (1200, 600, iso(local("12 21:50")))


def test_another_plan_and_another_contract_are_told(report):
    assert report.topology.changed == (iso(parse_instant("2026-09-20T00:00-03:00")),)
    assert report.topology.read_by == iso(0)
    assert report.topology.other_sites == ()


# -- against the other commands ----------------------------------------------------------------------------------------


def test_the_same_is_said_by_sereno_availability(house, data):
    """Field by field, of the customer and of every site."""
    told = said(house, "--scope", "customer:acme")
    assert {key: told[key] for key in data["availability"]} == data["availability"]
    assert told["revisions"] == data["revisions"]
    for site in data["sites"]:
        told = said(house, "--scope", f"site:{site['site']}")
        assert {key: told[key] for key in site["availability"]} == site["availability"]


def test_a_sites_own_report_says_what_its_customers_says_of_it(store, report):
    for site in report.sites:
        own = build(store, LedgerAvailability(store), MONTH, NOW, site=site.site)
        assert (own.availability, own.days, own.outages) == (site.availability, site.days, site.outages)
        assert own.unknown == site.unknown
        assert own.sites == ()


def test_clocks_and_credits_are_those_of_contract_compliance(house, data):
    asked = ["compliance", "--customer", "acme", "--month", MONTH, "--data", str(house), "--json"]
    told = json.loads(CliRunner().invoke(contract, asked).stdout)
    told.pop("availability")
    assert told == data["compliance"]
    assert (told["met"], told["missed"], told["percent"], told["verdict"]) == (2, 1, 66.6666, "missed")
    assert {(one["penalty"], one["units"], one["amount"]) for one in told["credits"]} == {
        ("shortfall", 31.3333, 31333.33), ("late", 1.0, 250.5),
    }  # fmt: skip
    rows = {(one["kind"], one["clock"], one["priority"]): (one["met"], one["missed"]) for one in data["clocks"]}
    assert rows == {
        ("incident", "attention", "Urgente"): (1, 0),
        ("incident", "solution", "Urgente"): (1, 0),
        ("request", "attention", "Baja"): (0, 1),
    }


def test_calls_are_counted_and_ranked_as_by_hand(report):
    """Nearest rank: the smallest value that so many per cent do not exceed."""
    every = list(calls())

    def of(measure, sbcs):
        found = [measure(one) for one in every if one.sbc in sbcs]
        return sorted(value for value in found if value is not None)

    def rank(values, percent):
        return next(value for place, value in enumerate(values, 1) if place * 100 >= percent * len(values))

    measures = {
        "mos_lq": lambda one: (one.media or {}).get("rx", {}).get("mos_lq"),
        "sent_mos_lq": lambda one: (one.media or {}).get("tx", {}).get("mos_lq"),
        "setup_seconds": lambda one: one.setup_seconds,
        "session_request_delay_seconds": lambda one: one.post_dial_delay_seconds if one.setup_seconds else None,
        "failed_session_request_delay_seconds": lambda one: None if one.setup_seconds else one.post_dial_delay_seconds,
        "session_disconnect_delay_seconds": lambda one: one.disconnect_seconds,
    }
    for part in (report.calls.whole, *report.calls.by_sbc, *report.calls.by_site):
        assert (part.made, part.ok, part.failed) == (240 * len(part.sbcs), 234 * len(part.sbcs), 6 * len(part.sbcs))
        for name, measure in measures.items():
            values, found = of(measure, part.sbcs), getattr(part, name)
            assert (found.count, found.minimum, found.maximum) == (len(values), values[0], values[-1])
            assert [found.p5, found.p50, found.p95, found.p99] == [rank(values, each) for each in (5, 50, 95, 99)]
            edges = [float("-inf"), *found.bounds, float("inf")]
            spread = [sum(low < value <= high for value in values) for low, high in pairwise(edges)]
            assert list(found.counts) == spread
    assert [one.name for one in report.calls.by_site] == list(SITES)
    assert report.calls.by_site[0].sbcs == ("s1",)


# -- the forms against the model ---------------------------------------------------------------------------------------


def leaves(value, name=""):
    """Every plain value of a JSON document."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, key)
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for one in value:
            yield from leaves(one, name)
    else:
        yield name, value


def test_csv_has_every_fact_once(report, data):
    raw = render(report, "csv")
    assert raw.startswith(b"scope,section,item,field,value\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))

    def cell(value):
        if isinstance(value, list):
            return ";".join(one if isinstance(one, str) else json.dumps(one) for one in value)
        return "" if value is None else value if isinstance(value, str) else json.dumps(value)

    there = sorted((row["field"], row["value"].removeprefix("'")) for row in rows)
    assert there == sorted((name, cell(value)) for name, value in leaves(data))
    assert len({(row["section"], row["item"], row["field"]) for row in rows}) == len(rows)
    spoken = [row["value"] for row in rows if row["field"] == "es"]
    assert "'=2+3 <b>extensión</b> nueva & más" in spoken  # no formula of somebody's making
    hq = [row for row in rows if row["scope"] == "site:hq" and row["section"] == "sites.availability"]
    assert {row["field"]: row["value"] for row in hq}["down_seconds"] == "6900.0"


def sheets(report, language="es"):
    return load_workbook(io.BytesIO(render(report, "xlsx", language=language)))


def table(sheet):
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=4)]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_the_workbook_has_real_numbers_and_durations(report, data):
    book = sheets(report)
    assert book.sheetnames[0] == "Resumen"
    for sheet in book:
        assert sheet["A2"].value == f"SHA-256 {report.data_hash}"
        assert report.data_hash in sheet.oddFooter.left.text
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    summary = {row["Cifra"]: row for row in table(book["Resumen"])}
    figures, sums = data["availability"], data["arithmetic"]
    for name, value in {
        "T · tiempo del mes": figures["total_seconds"], "X · excluido por el contrato": figures["excluded_seconds"],
        "U · desconocido": figures["unknown_seconds"], "D · caída": figures["down_seconds"],
        "b · cota del muestreo": figures["bound_seconds"], "D + b + U": sums["at_worst_seconds"],
        "permitido por el objetivo": sums["allowed_seconds"],
    }.items():  # fmt: skip
        assert summary[name]["segundos"] == value
        length = summary[name]["h:mm:ss"]
        assert round(length.total_seconds() if hasattr(length, "total_seconds") else length * 86400, 6) == value
    for name, key in (("observada", "observed"), ("mínima", "low"), ("máxima", "high"), ("Objetivo", "target")):
        assert summary[name]["exacta"] == figures[key]
        assert 0 <= figures[key] - summary[name]["%"] < 1e-8
    formats = {
        cell.number_format for row in book["Resumen"].iter_rows(min_row=5) for cell in row if cell.value is not None
    }
    assert {"[h]:mm:ss", "0.000000%"} <= formats


def test_the_workbook_agrees_sheet_by_sheet(report, data):
    book = sheets(report)
    outages = table(book["Caídas"])
    listed = [*data["outages"], *(one for site in data["sites"] for one in site["outages"])]
    names = ("Desde (UTC)", "Hasta (UTC)", "Caída (segundos)", "Cota del muestreo (segundos)")
    assert [tuple(row[name] for name in names) for row in outages] == [
        (one["from"], one["to"], one["down_seconds"], one["bound_seconds"]) for one in listed
    ]
    assert outages[1]["Incidentes"] == "7"
    for row, one in zip(table(book["Sedes"]), data["sites"], strict=True):
        figures = one["availability"]
        assert (row["Sede"], row["observada, exacta"], row["Caída (segundos)"]) == (
            one["site"], figures["observed"], figures["down_seconds"],
        )  # fmt: skip
        assert (row["mínima, exacta"], row["máxima, exacta"]) == (figures["low"], figures["high"])
        assert (row["Desconocido (segundos)"], row["Excluido (segundos)"]) == (
            figures["unknown_seconds"], figures["excluded_seconds"],
        )  # fmt: skip
    days = [*data["days"], *(day for site in data["sites"] for day in site["days"])]
    assert [(row["Día"], row["Caída (segundos)"], row["Desconocido (segundos)"]) for row in table(book["Días"])] == [
        (day["date"], day["down_seconds"], day["unknown_seconds"]) for day in days
    ]
    money = [(row["Unidades"], row["Monto"], row["Moneda"]) for row in table(book["Descuentos"])]
    assert money == [(one["units"], one["amount"], one["currency"]) for one in data["compliance"]["credits"]]
    medians = {(row["Por"], row["Medida"]): row["p50"] for row in table(book["Llamadas de prueba"])}
    assert (
        medians["s2", "mos_lq"] == next(one for one in data["calls"]["by_sbc"] if one["name"] == "s2")["mos_lq"]["p50"]
    )


class Cells(HTMLParser):
    """The text of every row of every table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in = False

    def handle_starttag(self, tag, _attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in = True

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._in = False

    def handle_data(self, data):
        if self._in:
            self.rows[-1][-1] += data.replace("\n", " ")


def seconds(text):
    """`13.950,25 s` as Chile writes it."""
    found = re.fullmatch(r"(−?[\d.]+(?:,\d+)?)\xa0s", text)
    assert found, text
    return float(found[1].replace(".", "").replace(",", ".").replace("−", "-"))


def test_the_page_shows_the_same_numbers(report, data):
    page = render(report, "html").decode()
    parser = Cells()
    parser.feed(page)
    by_name = {row[0]: row for row in parser.rows if row}
    figures, sums = data["availability"], data["arithmetic"]
    for begins, value in (
        ("T · ", figures["total_seconds"]), ("X · ", figures["excluded_seconds"]), ("U · ", figures["unknown_seconds"]),
        ("D · ", figures["down_seconds"]), ("b · ", figures["bound_seconds"]), ("T − X · ", sums["counted_seconds"]),
        ("permitido", sums["allowed_seconds"]), ("presupuesto excedido", figures["budget_remaining_seconds"]),
    ):  # fmt: skip
        [row] = [row for name, row in by_name.items() if name.startswith(begins)]
        assert seconds(row[2]) == value
    place = next(n for n, row in enumerate(parser.rows) if "Incidente" in row and "Evidencia" in row)
    listed = parser.rows[place + 1 : place + 1 + len(data["outages"])]
    assert [seconds(row[2]) for row in listed] == [one["down_seconds"] for one in data["outages"]]
    for site in data["sites"]:
        row = next(row for row in parser.rows if row[:1] == [site["site"]] and len(row) == 9)
        assert [seconds(row[5]), seconds(row[7]), seconds(row[8])] == [
            site["availability"][key] for key in ("down_seconds", "unknown_seconds", "excluded_seconds")
        ]
        shown = float(row[2].replace("\xa0%", "").replace(",", ".")) / 100
        assert 0 <= site["availability"]["observed"] - shown < 1.000001e-8
    assert report.data_hash in page
    assert "✕ incumplida" in html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "&lt;b&gt;extensión&lt;/b&gt;" in page
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", page)


def pages(file):
    """The text of each page."""
    out = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, check=True, text=True).stdout
    return out.split("\f")[:-1]


def test_the_paper_is_the_page_and_the_same_bytes_every_time(house, report, tmp_path):
    """Made here, and by the command in a process of its own with another order of its sets."""
    file = tmp_path / "a.pdf"
    asked = ["--customer", "acme", "--month", MONTH, "--data", str(house), "--format", "pdf", "-o", str(file)]
    env = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        [sys.executable, "-m", "sereno", "report", *asked], capture_output=True, cwd=ROOT, env=env, check=False
    )
    assert (made.returncode, made.stderr, made.stdout.decode()) == (0, b"", f"{file}\n")
    assert file.read_bytes() == render(report, "pdf")
    paper = PdfReader(file)
    assert paper.metadata.title == "Ñandú & Cía <S.A.> · septiembre de 2026"
    assert {"/CreationDate", "/ModDate"}.isdisjoint(paper.metadata)
    root = paper.trailer["/Root"]
    assert (root["/Lang"], bool(root["/MarkInfo"]["/Marked"])) == ("es", True)
    assert b"pdfuaid:part" in root["/Metadata"].get_data()
    assert paper.outline[0].title.startswith("Ñandú")
    text = pages(file)
    assert len(text) == len(paper.pages)
    assert all(report.data_hash in page for page in text)
    whole = " ".join(" ".join(text).split())  # blanks that do not break are blanks
    parser = Cells()
    parser.feed(render(report, "html").decode())
    cells = {" ".join(cell.split()) for row in parser.rows for cell in row if re.search(r"\d\xa0[s%]$", cell)}
    assert len(cells) > 25
    assert [cell for cell in cells if cell not in whole] == []


def test_one_page_for_those_who_decide_also_in_english(report):
    for language, word in (("es", "incumplida"), ("en", "missed")):
        paper = PdfReader(io.BytesIO(render(report, "pdf", edition="executive", language=language)))
        assert len(paper.pages) == 1
        assert word in paper.pages[0].extract_text()
        assert paper.trailer["/Root"]["/Lang"] == language


def test_the_hash_can_be_made_again_by_hand(report, data):
    """As docs/reports.md says it."""
    import hashlib

    found = dict(data)
    said_hash = found.pop("data_hash")
    found.pop("version")
    again = json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.sha256(again).hexdigest() == said_hash == report.data_hash
    assert again == canonical(decoded(encoded(report)))
