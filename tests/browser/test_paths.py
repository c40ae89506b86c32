"""The page of a path: how it is, how it was, why it failed last; the list of paths; the monitor's health."""

import pytest
from playwright.sync_api import expect
from web_server import Served

from dashboards.web.app import create_app
from sereno.cli._answers import answers_of
from sereno.clock import SECOND_US, SystemClock

EVIDENCE = {
    "messages": [
        {"at": "2026-11-21T10:00:00.000000Z", "direction": "sent", "text": "OPTIONS sip:127.0.2.1 SIP/2.0\r\n\r\n"}
    ]
}


@pytest.fixture
def told(store, seed):
    """Both SBCs measured, and a failure with its evidence."""
    seed.all_up()
    seed.measured(seed.now_us, seconds=40)
    at_us = seed.now_us - 50 * SECOND_US
    seed.result(
        "options", at_us, sbc="sbc-1", core="core-a", outcome="failed", reason="sip_408", code=408,
        phrase="Request Timeout", answered_by="sbc", evidence=EVIDENCE,
    )  # fmt: skip
    seed.alive(SystemClock().now_us() + 3_600 * SECOND_US)
    server = Served(lambda: create_app(store, answers=answers_of(store)))
    server.start()
    yield server
    server.stop()


def test_a_path_with_its_last_failure_by_keyboard(page, told, seed, keep, axe):
    page.goto(told.url)
    page.keyboard.press("j")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/paths/sbc-1/core-a")
    expect(page.locator("#verdict strong")).to_have_text("ruta sbc-1/core-a: arriba")
    failure = page.locator("#failure")
    expect(failure).to_contain_text("408 de la plataforma")
    expect(failure).to_contain_text("calla el núcleo detrás")
    expect(failure.locator("svg")).not_to_have_count(0)
    assert "path=sbc-1" in failure.get_by_role("link", name="Verla en forense").get_attribute("href")
    for plot in ("rtt", "mos", "register", "failing"):
        expect(page.locator(f"#plot-{plot} canvas")).to_be_visible()
    expect(page.locator("#newest tr.ok").first).to_contain_text("200")
    keep("path")
    page.keyboard.press("[")
    page.wait_for_url("**?window=1h")
    expect(page.locator("#plot-rtt canvas")).to_be_visible()
    seed.say("path", "sbc-1/core-a", "down", reason="timeout")
    expect(page.locator("#verdict strong")).to_have_text("ruta sbc-1/core-a: caído", timeout=1_000)
    page.keyboard.press("]")
    page.wait_for_url("**?window=10m")
    assert page.errors == []
    assert axe(f"{told.url}/paths/sbc-1/core-a", ready="#plot-rtt canvas") == []
    assert axe(f"{told.url}/paths/sbc-1/core-a?lang=en", width=360, height=740, ready="#plot-rtt canvas") == []


def test_an_sbc_the_list_of_paths_and_what_there_is_not(page, told, axe):
    page.goto(f"{told.url}/sbcs/sbc-2")
    expect(page.locator("#verdict strong")).to_have_text("SBC sbc-2: arriba")
    expect(page.locator("#plot-rtt canvas")).to_be_visible()
    page.goto(f"{told.url}/paths?q=core-b")
    expect(page.locator("#list tbody tr")).to_have_count(2)
    assert page.errors == []
    for address in ("/sbcs/sbc-2", "/paths", "/health"):
        assert axe(told.url + address, ready="main b") == [], address
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(told.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    for address in ("/paths/sbc-9/core-a", "/paths/sbc-1/core-z", "/sbcs/x%22y"):
        assert page.goto(told.url + address).status == 404


def test_health_says_what_it_does_not_know(page, told, seed, keep):
    page.goto(f"{told.url}/health")
    expect(page.locator("#signs strong")).to_be_visible()
    expect(page.locator("#signs")).to_contain_text("nadie afuera notaría si el monitor muriera")
    expect(page.locator("#probes")).to_contain_text("lab-1")
    seed.alive(SystemClock().now_us() - 60 * SECOND_US)
    expect(page.locator("#signs strong")).to_have_text("Ahora no se puede confiar en el monitor.", timeout=4_000)
    expect(page.locator("#signs")).to_contain_text("nadie vigila")
    keep("health")
    assert page.errors == []
