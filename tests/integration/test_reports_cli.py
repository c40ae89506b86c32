"""`sereno report` as people call it: figures by hand, months under way, promises of every kind, errors in one line."""

import importlib.abc
import io
import json
import sys
import zipfile

import pytest
from ledger_month import DAY, HOUR, S, commit, empty_store, put_topology, samples, settings
from msgspec.structs import replace
from pypdf import PdfReader
from sqlalchemy import select, text
from typer.testing import CliRunner

from collector.account import LedgerAvailability
from dashboards.reports.build import build
from dashboards.reports.canonical import decoded, encoded
from dashboards.reports.render import FORMATS, filename, render
from dashboards.reports.table import csv_of
from sereno.cli.report import app
from sereno.clock import parse_instant
from sereno.store import reports
from sereno.store.tables import audit, report_issues

BEGIN, END = parse_instant("2026-10-01T00:00-06:00"), parse_instant("2026-11-01T00:00-06:00")
EVERY = 300 * S
GIVEN = settings(
    checks={"options": {"every": "300s", "timeout": "900ms"}},
    customers={
        "acme": {"name": "Acme S.A.", "contract": "callmyway", "locale": "es_CR"},
        "beta": {"name": "=Beta & hijos", "contract": "wekall", "locale": "en_US"},
        "vacio": {"name": "Sin sedes", "contract": "callmyway"},
    },
    sites={"hq": {"customer": "acme", "sbcs": ["sbc-1"]}, "b1": {"customer": "beta", "sbcs": ["sbc-1"]}},
)
BAD = [(BEGIN + DAY, BEGIN + DAY + 600 * S)]
GONE = [(BEGIN + 3 * DAY, BEGIN + 3 * DAY + HOUR)]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    store = empty_store(folder / "data")
    put_topology(store, GIVEN)
    commit(store, samples(BEGIN - DAY, END + DAY, EVERY, bad=BAD, gone=GONE))
    store.dispose()
    return folder / "data"


@pytest.fixture
def store(house):
    from sereno.store import open_store

    opened = open_store(house)
    yield opened
    opened.dispose()


def of(store, now_us=END + 9 * DAY, **who):
    return build(store, LedgerAvailability(store), "2026-10", now_us, **(who or {"customer": "acme"}))


def run(house, *words, month="2026-10"):
    return CliRunner().invoke(app, [*words, "--month", month, "--data", str(house)])


def line(found):
    """What a person who did something wrong reads: one line, in the exception that main() prints."""
    assert found.exit_code != 0
    said = str(found.exception)
    assert "\n" not in said
    return said


def test_a_small_month_by_hand(store):
    """31 days; ten minutes down; an hour without samples, of which the last one before it covers 12 min 30 s."""
    found = of(store).availability
    assert found.total_seconds == 31 * 86_400
    assert (found.down_seconds, found.excluded_seconds, found.bound_seconds, found.outages) == (600, 0, 300, 1)
    assert found.unknown_seconds == 3600 + 300 - 750
    assert found.budget_seconds == 267.84  # 0.01 % of 2 678 400 s
    assert found.budget_remaining_seconds == 267.84 - 600
    assert found.observed == 1 - 600 / (2_678_400 - 3150)
    sums = of(store).arithmetic
    assert (sums.at_worst_seconds, sums.at_least_seconds, sums.allowed_seconds) == (4050, 300, 267.84)
    assert found.verdict == "missed"  # 600 − 300 > 267.84


def test_a_month_under_way_says_so_loudly_on_every_page(store):
    found = of(store, BEGIN + 20 * DAY)
    assert (found.over, found.to, found.ends) == (False, "2026-10-21T06:00:00.000000Z", "2026-11-01T06:00:00.000000Z")
    assert (found.availability.total_seconds, found.availability.budget_seconds) == (20 * 86_400, 267.84)
    assert "MES EN CURSO" in render(found, "html").decode()
    paper = PdfReader(io.BytesIO(render(found, "pdf")))
    assert all("MES EN CURSO" in page.extract_text() for page in paper.pages)
    book = zipfile.ZipFile(io.BytesIO(render(found, "xlsx")))
    assert "MES EN CURSO" in book.read("xl/sharedStrings.xml").decode()
    assert "MONTH UNDER WAY" not in render(of(store), "html", language="en").decode()


def test_figures_without_a_promise_have_no_verdict(store):
    found = of(store, customer="beta")
    assert (found.availability.verdict, found.arithmetic.met, found.availability.budget_seconds) == (None, None, None)
    page = render(found, "html").decode()
    assert "no target" in page  # in the customer's own language
    assert "The contract promises no availability" in page
    assert render(found, "pdf", edition="executive")


def test_who_has_no_sites_proves_nothing(store):
    found = of(store, customer="vacio").availability
    assert (found.verdict, found.low, found.observed, found.high) == ("not_provable", 0.0, None, 1.0)
    assert found.unknown_seconds == found.total_seconds
    for form in FORMATS:
        assert render(of(store, customer="vacio"), form)


def test_one_report_in_every_form_is_one_issue(house, store, tmp_path):
    for form in FORMATS:
        found = run(house, "--customer", "acme", "--format", form, "-o", str(tmp_path / f"a.{form}"), "--by", "ana")
        assert (found.exit_code, found.stdout) == (0, f"{tmp_path}/a.{form}\n"), found.output
        if form != "pdf":  # below
            assert (tmp_path / f"a.{form}").read_bytes() == render(of(store), form)
    with store.read() as connection:
        [one] = [one for one in reports.issued(connection, "acme") if one.who == "ana"]
        kept = reports.model_of(connection, one.id)
        lines = connection.execute(select(audit).where(audit.c.what == "report.issue", audit.c.who == "ana")).all()
    assert decoded(kept) == of(store)
    assert render(decoded(kept), "pdf") == (tmp_path / "a.pdf").read_bytes()  # made again without the results
    assert [(line.about, line.how, line.outcome) for line in lines] == [(one.key, "cli", "done")]
    assert json.loads((tmp_path / "a.json").read_bytes())["data_hash"] == one.data_hash


def test_standard_output_a_site_a_language_and_everybody(house, store, tmp_path):
    said = run(house, "--site", "hq", "--format", "csv", "-o", "-")
    assert said.stdout_bytes == render(of(store, site="hq"), "csv")
    every = run(house, "--all", str(tmp_path / "new"), "--format", "html", "--edition", "executive", "--json")
    written = json.loads(every.stdout)["written"]
    assert [(one["customer"], one["verdict"]) for one in written] == [
        ("acme", "missed"), ("beta", None), ("vacio", "not_provable"),
    ]  # fmt: skip
    assert (tmp_path / "new" / "acme-2026-10-executive.html").read_bytes() == render(
        of(store), "html", edition="executive"
    )
    assert filename(of(store, site="hq"), "pdf", "full", "en") == "acme-hq-2026-10-en.pdf"


_WRONG = {
    "--customer acmee": "is not in the topology; they are acme, beta, vacio (did you mean acme?)",
    "--customer acme --site b1": "--site 'b1': is not of acme; they are hq",
    "--site hqq": "--site 'hqq': is not in the topology; they are b1, hq (did you mean hq?)",
    "--customer acme --format pfd": "is not known; write pdf, html, xlsx, csv, json (did you mean pdf?)",
    "--customer acme --edition x": "--edition 'x': is not known; write full, executive",
    "--customer acme --language fr": "--language 'fr': is not known; write es, en",
    "--customer acme --format csv -o /proc/no/a": "/proc/no/a: No such file or directory; give a file that can be",
    "--customer acme --all d": "--all DIR is every customer's report, into DIR; leave out --customer, --site and -o",
    "": "whose month? give --customer NAME, --site NAME or --all DIR",
    "--customer acme -o - --json": "-o - puts the report on standard output, where --json would stand; give a file",
}


@pytest.mark.parametrize("words", _WRONG)
def test_what_is_wrong_is_said_in_one_line(house, words):
    assert _WRONG[words] in line(run(house, *words.split()))


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("2026-13", "--month '2026-13': is not a month; write one such as 2026-10"),
        ("octubre", "--month 'octubre': is not a month; write one such as 2026-10"),
        ("2198-01", "--month 2198-01 has not begun; ask for one that has"),
    ],
)
def test_months_that_are_none(house, month, said):
    assert line(run(house, "--customer", "acme", "--format", "json", month=month)) == said


def test_a_store_that_takes_no_issue_does_not_keep_the_report(house, store, tmp_path):
    with store.write() as connection:
        connection.execute(text(
            "CREATE TRIGGER full BEFORE INSERT ON report_issues WHEN NEW.who = 'luz' "
            "BEGIN SELECT RAISE(ABORT, 'no room'); END"
        ))  # fmt: skip
    found = run(house, "--customer", "acme", "--format", "json", "-o", str(tmp_path / "a.json"), "--by", "luz")
    assert found.exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == encoded(of(store))
    assert "the report is made, and could not be recorded as issued" in found.stderr
    assert found.stderr.count("\n") == 1


class _NoPango(importlib.abc.MetaPathFinder):
    def find_spec(self, name, _path=None, _target=None):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")


def test_without_pango_there_is_everything_but_paper(house, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_NoPango(), *sys.meta_path])
    said = line(run(house, "--customer", "acme", "-o", str(tmp_path / "a.pdf")))
    assert said.startswith("PDF needs Pango, which is not installed here: `apt install libpango")
    assert run(house, "--customer", "acme", "--format", "html", "-o", str(tmp_path / "a.html")).exit_code == 0


def test_a_workbook_has_no_time_of_its_own(store):
    book = zipfile.ZipFile(io.BytesIO(render(of(store), "xlsx")))
    assert {one.date_time for one in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert "2026-11-01T06:00:00Z</dcterms:created>" in book.read("docProps/core.xml").decode()


def test_no_cell_of_a_table_is_a_formula(store):
    """Names are the operator's; a spreadsheet that opens the table must run none of them."""
    cells = [cell for row in csv_of(of(store, customer="beta")).decode().split("\r\n") for cell in row.split(",")]
    assert "'=Beta & hijos" in cells
    assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell]


# -- the store ---------------------------------------------------------------------------------------------------------


def test_issues_on_both_databases(any_store):
    one = reports.Issue("acme", None, "2026-10", "full", "es", "a" * 64, 5, "ana")
    with any_store.write() as connection:
        first = reports.issue(connection, one, b'{"x":1}')
        again = reports.issue(connection, one._replace(made_us=9, who="eva"), b'{"x":1}')
        other = reports.issue(connection, one._replace(site="hq", data_hash="b" * 64), b"{}")
    assert (first, first.made_us, first.who) == (again, 5, "ana")
    with any_store.read() as connection:
        assert [found.id for found in reports.issued(connection)] == [other.id, first.id]
        assert reports.issued(connection, "acme", "2026-09") == []
        assert reports.issue_of(connection, other.id) == other
        assert reports.model_of(connection, first.id) == b'{"x":1}'
        assert reports.model_of(connection, 99) is None
        assert connection.execute(select(report_issues.c.key)).scalars().all() == [first.key, other.key]


def test_a_month_from_either_database(any_store):
    """Three days of samples and one call; what is not there is unknown."""
    put_topology(any_store, GIVEN)
    call = samples(BEGIN + HOUR, BEGIN + HOUR + S, S, seq=90_000)[0]
    said = {"check": "call", "setup_seconds": 0.5, "media": {"rx": {"mos_lq": 4.25}}}
    commit(any_store, [*samples(BEGIN - DAY, BEGIN + 2 * DAY, EVERY, bad=BAD), replace(call, **said)])
    found = of(any_store)
    assert (found.availability.down_seconds, found.availability.outages) == (600, 1)
    assert found.availability.unknown_seconds == 29 * 86_400 - 450  # the last sample speaks 750 s, 300 of them before
    assert (found.calls.whole.made, found.calls.whole.mos_lq.p50, found.calls.whole.setup_seconds.p95) == (1, 4.25, 0.5)
