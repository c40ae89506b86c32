"""The explorer as an engineer uses it: by keyboard, back and forth, on a phone, from a link in a ticket."""

import re

import pytest
from forensic_store import DOWN, T0, S, messages_of_call, put, result, story
from playwright.sync_api import expect
from web_server import Served

from dashboards.web.app import create_app
from sereno.cli._answers import answers_of
from sereno.clock import iso
from sereno.store import open_store

WINDOW = f"from={iso(T0)}&to={iso(T0 + 120 * S)}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The story of a core that freezes, with one poor call in it."""
    store = open_store(tmp_path_factory.mktemp("forensics"))
    story(store)
    put(store, [poor_call()])
    server = Served(lambda: create_app(store, answers=answers_of(store)))
    server.start()
    yield f"{server.url}/forensics"
    server.stop()
    store.dispose()


def poor_call():
    seconds = {
        "second": [0, 1, 2, 3],
        "packets": [50, 30, 45, 50],
        "lost": [0, 20, 5, 0],
        "mos_lq": [4.4, 1.3, 3.0, 4.4],
    }
    evidence = {"messages": messages_of_call(T0 + 30 * S), "rtp_seconds": {"rx": seconds}}
    return result(
        "sbc-1/core-a", "bog-1", T0 + 30 * S, 90_001, check="call", code=200, answered_by="core", evidence=evidence,
        media={"rx": {"codec": "PCMA", "packets": 175, "loss_ratio": 0.125, "mos_lq": 2.9}},
    )  # fmt: skip


def chosen(page):
    return page.locator("#result")


def test_a_result_opens_beside_the_timeline_and_the_address_says_so(page, site, keep):
    page.goto(f"{site}?{WINDOW}&show=all")
    first = page.locator(".line.said-failed [data-open]").first
    first.click()
    expect(chosen(page).locator("svg")).to_be_visible()
    expect(chosen(page)).to_contain_text("sin respuesta a OPTIONS")
    assert re.search(r"&result=bog-[12]/b[12]00d/\d+#result$", page.url)
    expect(page.locator(".line.chosen")).to_have_count(1)
    keep("forensics-result")
    shared = page.url
    page.go_back()
    expect(chosen(page)).to_be_hidden()
    page.go_forward()
    expect(chosen(page).locator("svg")).to_be_visible()
    page.reload()
    expect(chosen(page).locator("svg")).to_be_visible()
    assert page.url == shared
    page.keyboard.press("Escape")
    expect(chosen(page)).to_be_hidden()
    assert "result=" not in page.url
    assert page.errors == []


def test_by_keyboard_alone(page, site):
    page.goto(f"{site}?{WINDOW}&show=changes")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    line = page.locator(".line").first.locator("a, [tabindex]").first
    expect(line).to_be_focused()
    page.locator(".line.said-failed [data-open]").first.focus()
    page.keyboard.press("Enter")
    expect(chosen(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".line.said-failed [data-open]").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("voy")
    page.keyboard.press("Enter")
    expect(page.locator(".line")).to_have_count(1)
    assert "q=voy" in page.url
    page.keyboard.press("[")
    page.wait_for_url(f"**/forensics?from={iso(T0 - 120 * S)}&to={iso(T0)}*")
    expect(page.locator(".unknown-window")).to_contain_text("Desconocido")
    page.keyboard.press("]")
    page.wait_for_url(f"**/forensics?{WINDOW}*")
    assert page.errors == []


def test_the_picture_zooms_by_its_columns_and_by_dragging(page, site, keep):
    page.goto(f"{site}?{WINDOW}")
    keep("forensics")
    box = page.locator(".strip").bounding_box()
    scale = box["width"] / 1180
    y = box["y"] + 80
    page.mouse.move(box["x"] + (168 + 480) * scale, y)
    page.mouse.down()
    page.mouse.move(box["x"] + (168 + 700) * scale, y, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=2026-11-21T15%3A00%3A5*")
    expect(page.locator("#from")).to_have_value(re.compile("2026-11-21 09:00:5"))
    page.goto(f"{site}?{WINDOW}")
    page.locator(".strip a").nth(6).press("Enter")
    page.wait_for_url(f"**/forensics?from={iso(T0 + DOWN[0] * S)}&to={iso(T0 + 70 * S)}")
    assert page.errors == []


def test_a_poor_call_shows_its_seconds(page, site, keep):
    page.goto(f"{site}/result/bog-1/b100d/90001")
    expect(page.locator(".seconds figcaption")).to_contain_text("pérdida 12,5 %, peor segundo 40,0 %")
    expect(page.locator(".seconds svg")).to_be_visible()
    keep("forensics-call")
    page.locator(".seconds summary").click()
    expect(page.locator(".seconds tbody tr")).to_have_count(4)
    assert page.errors == []


def test_without_scripts_everything_is_there(browser, site):
    context = browser.new_context(java_script_enabled=False, locale="es-CO")
    page = context.new_page()
    page.goto(f"{site}?{WINDOW}&show=all")
    page.locator(".line.said-failed [data-open]").first.click()
    expect(page.locator("#result svg")).to_be_visible()
    page.locator(".line.of-fold a").first.click()
    expect(page.locator(".line.said-ok").nth(5)).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    ("query", "width"),
    [
        (f"{WINDOW}&show=all", 1920),
        (f"{WINDOW}&path=sbc-1/core-a", 360),
        ("from=tarde", 360),
        (f"from={iso(T0 - 900 * S)}&to={iso(T0)}", 1920),
    ],
)
def test_nobody_is_kept_out(site, axe, query, width):
    assert axe(f"{site}?{query}", width=width) == []


def test_an_open_result_keeps_nobody_out(site, axe):
    assert axe(f"{site}?{WINDOW}&show=all&result=bog-1/b100d/90001", width=360, locale="en-US") == []


def test_a_phone_scrolls_in_one_direction(page, site, keep):
    page.set_viewport_size({"width": 360, "height": 740})
    for query in (f"{WINDOW}&show=all", f"{WINDOW}&show=all&result=bog-1/b100d/90001"):
        page.goto(f"{site}?{query}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    keep("forensics-phone")
    page.goto(f"{site}?{WINDOW}&lang=en")
    expect(page.locator("h1")).to_have_text("Forensics: service voz")
    assert page.errors == []
