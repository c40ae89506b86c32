"""The reports page on a real store: what is shown to whom, what is recorded, and that forms are the same for ever."""

import time
from contextlib import contextmanager

import httpx
import pytest
from web_seed import Seed
from web_server import Served

from dashboards.web.app import create_app
from dashboards.web.reports.months import Month, parsed, present
from sereno.accounts import Act, sessions, users
from sereno.accounts.secret import form_key
from sereno.clock import SECOND_US
from sereno.store import open_store
from sereno.store.tables import audit, outbox, report_issues

NOW_US = time.time_ns() // 1_000
MONTH = present(NOW_US, "America/Bogota")
ACT = Act(who="test", how="cli", at_us=NOW_US)


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    Seed(opened, NOW_US)
    yield opened
    opened.dispose()


@contextmanager
def visiting(store, cookie=None):
    """A browser without a screen at the served pages."""
    server = Served(lambda: create_app(store))
    server.start()
    cookies = {"sereno_session": cookie} if cookie is not None else {}
    try:
        with httpx.Client(base_url=server.url, cookies=cookies, timeout=60) as client:
            yield client
    finally:
        server.stop()


def person(store, name, role, customers=None):
    """Somebody who is logged in: the cookie, and the key of his forms."""
    with store.write() as connection:
        user = users.add_user(connection, ACT, name, role, customers=customers, password="x")
        cookie = sessions.begin(connection, ACT, user, agent=None, lives=sessions.Lives())
    return cookie, form_key(cookie)


def until(client, address, words, seconds=60.0):
    """The page, once the words stand in it."""
    end = time.monotonic() + seconds
    while words not in (page := client.get(address).text):
        assert time.monotonic() < end, page
        time.sleep(0.1)
    return page


def issues(store):
    with store.read() as connection:
        return connection.execute(report_issues.select()).all()


def test_an_operator_reads_copies_and_issues(store):
    cookie, key = person(store, "olga", "operator")
    with visiting(store, cookie) as client:
        page = client.get(f"/reports?month={MONTH.text}").text
        assert "Acme" in page
        assert "acme-bog" in page
        assert "preparándose" in page  # nobody waits for it
        shown = until(client, f"/reports/acme/{MONTH.text}", "shadowrootmode")
        assert "SHA-256" in shown
        assert "preparándose" not in client.get(f"/reports/rows?month={MONTH.text}").text
        assert issues(store) == []  # looking records nothing
        copy = client.get(f"/reports/acme/{MONTH.text}/x.csv", params={"language": "en"})
        assert copy.headers["content-disposition"] == f'attachment; filename="acme-{MONTH.text}-en.csv"'
        assert issues(store) == []
        asked = {"about": "acme/", "month": MONTH.text, "edition": "executive", "language": "es", "form": "json"}
        assert client.post("/reports/issue", data=asked).status_code == 403  # of no form of ours
        made = client.post("/reports/issue", data=asked | {"csrf": key}, follow_redirects=True)
        assert made.headers["content-type"].startswith("application/json")
        (row,) = issues(store)
        assert (row.who, row.edition, row.data_hash) == ("olga", "executive", made.json()["data_hash"])
        again = client.get(f"/reports/issues/{row.id}/any-name.json")
        assert again.content == made.content
        assert f'id="issue-{row.id}"' in client.get(f"/reports?month={MONTH.text}").text
    with store.read() as connection:
        (noted,) = connection.execute(audit.select().where(audit.c.what == "report.issue")).all()
    assert (noted.who, noted.how) == ("olga", "web")


def test_a_manager_sees_his_customers_alone(store):
    cookie, key = person(store, "marta", "manager", ["beta"])
    with visiting(store, cookie) as client:
        assert "Acme" not in client.get(f"/reports?month={MONTH.text}").text
        for address in (f"/reports/acme/{MONTH.text}", f"/reports/acme/{MONTH.text}/x.csv", "/reports/issues/1/x.csv"):
            assert client.get(address).status_code == 404
        asked = {"about": "acme/", "month": MONTH.text, "edition": "full", "language": "es", "csrf": key}
        assert client.post("/reports/issue", data=asked).status_code == 404
    assert issues(store) == []


def test_who_may_not_is_refused(store):
    cookie, _ = person(store, "vera", "viewer")
    with visiting(store, cookie) as client:
        for address in ("/reports", f"/reports/acme/{MONTH.text}", "/reports/issues/1/x.pdf"):
            assert client.get(address).status_code == 403
        client.cookies.clear()
        assert client.get("/reports").headers["location"].startswith("/login")


def test_in_an_open_house_everybody_reads_and_nobody_issues(store):
    with visiting(store) as client:
        page = client.get(f"/reports?month={MONTH.text}")
        assert page.status_code == 200
        assert "/login?next=/reports" in page.text
        assert client.post("/reports/issue", data={"about": "acme/"}).status_code in {401, 403}


def test_what_is_no_month_is_not_found(store):
    with visiting(store) as client:
        for month in ("2026-13", "9999-01", "soon", "", "2026-1", "2026-10'--"):
            assert client.get("/reports", params={"month": month}).status_code == 404, month
            assert client.get(f"/reports/acme/{month or '-'}").status_code == 404, month


def test_what_was_sent_is_shown(store):
    row = {
        "key": f"report/acme/-/{MONTH.text}/full/es/pdf/noc@acme.example", "channel": "mail", "recipient": "acme",
        "created_us": NOW_US, "due_us": NOW_US, "message": "{}", "state": "failed", "error": "550 no such user",
        "what": "customer_report",
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(outbox.insert().values(**row))
        connection.execute(
            outbox.insert().values(**row | {"key": "report/acme/-/2001-01/full/es/pdf/x@y", "error": "?"})
        )
    with visiting(store) as client:
        page = client.get(f"/reports?month={MONTH.text}").text
    assert "noc@acme.example" in page
    assert "550 no such user" in page
    assert "x@y" not in page


def test_months_are_turned():
    assert Month(2026, 1).before == Month(2025, 12)
    assert Month(2026, 12).after == Month(2027, 1)
    assert parsed("2026-10") == Month(2026, 10)
    assert Month(2026, 10).named("es") == "octubre de 2026"
    assert present(1_793_505_600 * SECOND_US, "America/Bogota").text == "2026-10"  # in UTC it is November
