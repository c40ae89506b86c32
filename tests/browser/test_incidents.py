"""Incidents and maintenance in a browser: from the keyboard, live, on a telephone, and without losing what is typed."""

import re
import time
from pathlib import Path

import pytest
from desk_site import DeskSite
from inbound_site import until

from sereno.store import open_store
from sereno.tokens import ack_url

WAIT = 8_000
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("desk") / "data")
    with DeskSite(store) as made:
        now_us = made.clock.now_us()
        made.seed.all_up()
        made.seed.measured(now_us, 20)
        yield made
    store.dispose()


@pytest.fixture
def opened(browser, site):
    """`opened(name, width=…)`: a page of somebody who is logged in; the test fails on any console error."""
    made, errors = [], []

    def log_in(name="ana", *, width=1920, height=1080, locale="es-CO"):
        context = browser.new_context(
            locale=locale, timezone_id="America/Bogota", viewport={"width": width, "height": height}
        )
        made.append(context)
        if name:
            kept = {"name": "sereno_session", "value": site.session(name), "url": site.page.url}
            context.add_cookies([kept])
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    log_in.errors = errors
    yield log_in
    for context in made:
        context.close()
    assert errors == []


@pytest.fixture
def core(site):
    """The number of core-a's incident, which waits for somebody."""
    if not [one for one in site.records() if one.cause.name == "core-a"]:
        number = site.open_core()
        site.seed.result(
            "options", site.record(number).since_us + 1_000, sbc="sbc-1", core="core-a", outcome="failed",
            reason="timeout", evidence=EVIDENCE,
        )  # fmt: skip
    return next(one.number for one in site.records() if one.cause.name == "core-a")


EVIDENCE = {
    "messages": [
        {"at": "2026-07-01T00:00:00.000000Z", "direction": "sent", "text": "OPTIONS sip:127.0.2.1:5060 SIP/2.0\r\n\r\n"}
    ]
}


def wide(page):
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


def keep(page, name, whole=False):
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)


def test_from_the_list_by_keys_alone_to_the_desk(site, core, opened, axe):
    page = opened()
    page.goto(f"{site.page.url}/incidents")
    row = page.locator(f"#i{core}")
    row.wait_for()
    keep(page, "incidents-list")
    assert axe(page.url, state=page.context.storage_state()) == []
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('[data-row]').id") == f"i{core}"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{core}")
    page.locator("#link.good").wait_for()
    assert page.locator("#next b").first.inner_text() == "L2"
    assert page.locator("#exhibits svg").count() >= 1
    assert page.locator("#guide li").count() >= 1
    keep(page, "incident")
    assert axe(page.url, state=page.context.storage_state()) == []
    assert not wide(page)
    page.keyboard.press("a")
    page.locator("#toast:not([hidden])").wait_for()
    assert page.locator("#toast").inner_text() == "Tomado: es suyo."
    page.locator(".holder").wait_for()
    assert page.locator(".holder").inner_text() == "lo tiene ana"
    assert page.locator("form.take").is_hidden()  # nothing is left to take
    assert (site.record(core).state, site.record(core).assigned) == ("acknowledged", "ana")
    posted: list[str] = []
    page.on("request", lambda asked: posted.append(asked.url) if asked.method == "POST" else None)
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    assert posted == []  # what is taken is not asked for again
    page.locator("#story >> text=reconocido").first.wait_for()


def test_two_who_look_at_it_and_one_who_may_not(site, core, opened):
    ana, vera = opened("ana"), opened("vera")
    number = site.record(core).number
    for page in (ana, vera):
        page.goto(f"{site.page.url}/incidents/{number}")
        page.locator("#link.good").wait_for()
    assert vera.locator("form").count() == vera.locator("dialog form, .kinds").count()
    ana.locator('[data-deed="note"] summary').click()
    ana.locator("#note-note").fill("llamé al proveedor")
    ana.locator('form[data-verb="note"] button').click()
    vera.locator("#story >> text=nota: llamé al proveedor").wait_for()
    ana.locator('[data-hide="people"]').click()
    assert ana.locator(".entry.k-people").first.is_hidden()
    assert "hide=people" in ana.url
    ana.reload()
    assert ana.locator(".entry.k-people").first.is_hidden()
    ana.get_by_text("Lo primero primero").click()
    ana.locator("#link.good").wait_for()
    times = ana.locator("#story time").all_inner_texts()
    assert times == sorted(times)


def test_what_is_typed_outlives_a_server_that_goes_and_comes(site, core, opened):
    page = opened("luis")
    page.goto(f"{site.page.url}/incidents/{core}")
    page.locator("#link.good").wait_for()
    page.locator('[data-deed="note"] summary').click()
    page.locator("#note-note").fill("a medio escri")
    site.page.stop()
    try:
        page.locator("#stale:not([hidden])").wait_for(timeout=15_000)
    finally:
        site.page.start()
    page.locator("#link.good").wait_for(timeout=15_000)
    assert page.locator("#note-note").input_value() == "a medio escri"
    page.locator("#note-note").press_sequentially("r")
    page.reload()
    assert page.locator("#note-note").input_value() == "a medio escrir"
    page.locator('form[data-verb="note"] button').click()
    page.locator("#toast >> text=Anotado.").wait_for()
    assert page.locator("#note-note").input_value() == ""
    assert site.record(core).timeline[-1].what == "nota: a medio escrir"
    opened.errors[:] = [one for one in opened.errors if "net::ERR_" not in one]  # while nobody was there


def test_an_act_that_is_refused_says_so_where_it_was_asked(site, core, opened):
    page = opened("luis")
    page.goto(f"{site.page.url}/incidents/{core}")
    page.locator('[data-deed="resolve"] summary').click()
    page.locator("#resolve-note").fill("ya está")
    page.locator('form[data-verb="resolve"] button').click()
    page.locator('form[data-verb="resolve"] .refused:not([hidden])').wait_for()
    assert "sigue mal" in page.locator('form[data-verb="resolve"] .refused').inner_text()
    assert page.locator("#resolve-note").input_value() == "ya está"
    opened.errors[:] = [one for one in opened.errors if "409" not in one]  # Chromium logs every answer of that kind


def test_on_a_telephone_in_both_languages(site, core, opened, axe):
    page = opened("luis", width=360, height=740)
    for path in (f"/incidents/{core}", "/incidents", "/incidents/new", "/maintenance", "/maintenance/new"):
        for language in ("es", "en"):
            page.goto(f"{site.page.url}{path}?lang={language}")
            assert not wide(page), (path, language)
        name = re.sub(r"\W+", "-", path.strip("/")).replace(f"-{core}", "")
        keep(page, f"phone-{name}", whole=True)
        if path != "/incidents":  # looked at on a wide screen
            assert axe(page.url, width=360, height=740, state=page.context.storage_state()) == [], path
    with page.expect_response("**/maintenance/check?**") as checked:
        page.goto(f"{site.page.url}/maintenance/new?lang=en")
    assert checked.value.url.endswith("&lang=en")  # in the language of the page
    page.goto(f"{site.page.url}/incidents/{core}?lang=en")
    assert page.title().startswith(f"#{core} Core core-a down")
    assert "opened: Core core-a down" in page.locator("#story").inner_text()
    evidence, story = (page.locator(place).bounding_box()["y"] for place in ("#exhibits", "#story-title"))
    assert evidence < story  # a story may be of hundreds of lines


def test_a_link_in_the_dark_leads_to_the_page_by_way_of_the_door(site, core, opened, axe):
    page = opened(None, width=360, height=740)
    url = ack_url(site.settings.links, site.page.url, core, "luis", site.clock.now_us())
    page.goto(url)
    assert not wide(page)
    assert axe(url, width=360, height=740) == []
    keep(page, "phone-ack")
    page.get_by_role("link", name="Todo sobre él").or_(page.locator(f'a[href="/incidents/{core}"]')).first.click()
    page.wait_for_url("**/login?next=**")
    page.locator("input[name=name]").fill("luis")
    page.locator("input[name=password]").fill("tres palabras largas")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{core}")


def test_work_is_announced_with_its_rule_in_sight(site, opened, axe):
    page = opened()
    page.goto(f"{site.page.url}/maintenance")
    page.locator("#link.good").wait_for()
    month = page.locator("caption").inner_text()
    page.keyboard.press("]")
    page.wait_for_url("**/maintenance?month=**")
    assert page.locator("caption").inner_text() != month
    page.keyboard.press("[")
    page.locator(f"caption:has-text('{month.split()[0]}')").wait_for()
    page.get_by_text("Anunciar un trabajo").click()
    page.locator("#new-scope").select_option("site:beta-sjo")
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * 86_400))
    page.locator("#new-from").fill(f"{day}T20:00")
    page.locator("#new-to").fill(f"{day}T22:00")
    page.locator("#check .counts").wait_for()
    assert "faltan" in page.locator("#check").inner_text()
    assert page.locator("form[data-check] button").inner_text() == "Anunciarlo de todos modos"
    keep(page, "maintenance-check")
    same = f"{page.url}?scope=site:beta-sjo&from={day}T20:00&to={day}T22:00"
    assert axe(same, state=page.context.storage_state()) == []
    page.locator("form[data-check] button").click()
    page.wait_for_url("**/maintenance?month=**")
    page.locator("text=Anunciado.").wait_for()
    page.locator(".announced.coming .judged.counts").first.wait_for()
    keep(page, "maintenance")
    page.locator(".announced summary").first.click()
    page.get_by_role("button", name=re.compile("Cancelar la ventana")).click()
    page.locator("text=Cancelado.").first.wait_for()
    until(lambda: page.locator(".announced.cancelled").count() == 1)
