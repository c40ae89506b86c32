"""Reports in a browser: a month that fills by itself, turned by keys; the report on the page; issued by who may."""

import time

from dashboards.web.reports.months import present
from sereno.accounts import Act, sessions, users

NOW_US = time.time_ns() // 1_000
MONTH = present(NOW_US, "America/Bogota")


def logged_in(page, served, store, name, role):
    act = Act(who="test", how="cli", at_us=NOW_US)
    with store.write() as connection:
        user = users.add_user(connection, act, name, role, password="x")
        cookie = sessions.begin(connection, act, user, agent=None, lives=sessions.Lives())
    page.context.add_cookies([{"name": "sereno_session", "value": cookie, "url": served.url}])


def test_from_the_list_to_the_report_and_back(page, served, store, axe, keep):
    logged_in(page, served, store, "olga", "operator")
    page.goto(f"{served.url}/reports?month={MONTH.text}")
    page.locator(".figures tbody[aria-busy=false]").first.wait_for(
        timeout=60_000
    )  # no reload: the table came by itself
    assert page.locator(".figures tr[data-row]").count() == 2
    keep("reports-list")
    page.keyboard.press("[")
    page.wait_for_url(f"**/reports?month={MONTH.before.text}")
    page.keyboard.press("]")
    page.wait_for_url(f"**/reports?month={MONTH.text}")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/reports/acme/{MONTH.text}")
    sheet = page.locator("article.sheet")
    sheet.wait_for(timeout=60_000)
    assert sheet.locator("h1").inner_text().startswith("Acme")
    assert sheet.locator(".paper-body").evaluate("one => getComputedStyle(one).maxWidth") != "none"  # its own styles
    keep("reports-show")
    state = page.context.storage_state()
    for address in (f"/reports?month={MONTH.text}", f"/reports/acme/{MONTH.text}"):
        assert axe(f"{served.url}{address}", state=state) == []
    page.set_viewport_size({"width": 360, "height": 740})
    for address in (f"/reports/acme/{MONTH.text}", f"/reports?month={MONTH.text}"):
        page.goto(f"{served.url}{address}")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.select_option("#m-form", "csv")
    with page.expect_download(timeout=60_000) as fetched:
        page.locator("form[data-make] button").click()
    assert fetched.value.suggested_filename == f"acme-{MONTH.text}.csv"
    page.goto(f"{served.url}/reports?month={MONTH.text}")
    assert "olga" in page.locator(".issues").inner_text()
    assert page.errors == []
