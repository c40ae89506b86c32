"""The wall and the desk: one screen at twenty SBCs, readable at two hundred, loud when it must not be believed."""

import re
import time

import pytest
from playwright.sync_api import expect
from web_seed import Seed, large
from web_server import Served

from dashboards.web import site as site_module
from dashboards.web.app import create_app
from sereno.cli._answers import answers_of
from sereno.clock import SECOND_US
from sereno.store import open_store

TWENTY, MANY = 20, 200


def now_us():
    return time.time_ns() // 1_000


def served_of(store):
    return Served(lambda: create_app(store, answers=answers_of(store)))


@pytest.fixture
def system(tmp_path):
    """A served system of so many SBCs with results of the last seconds and a ledger; stopped and removed at the end."""
    opened = []

    def build(sbcs, ledger=True, ages=(9, 6, 3, 0)):
        store = open_store(tmp_path / "data")
        seed = Seed(store, now_us(), large(sbcs))
        seed.everything_up()
        for back in ages:
            seed.second(now_us() - back * SECOND_US, calls=back == 9)
        if ledger:
            seed.ledger_days(30, down=(3,), missing=(10, 11))
        seed.alive(now_us() + 3_600 * SECOND_US)  # renewed for as long as the test takes
        server = served_of(store)
        server.start()
        opened.append((server, store))
        seed.url, seed.server = server.url, server
        return seed

    yield build
    for server, store in opened:
        server.stop()
        store.dispose()


def overflow(page):
    return page.evaluate(
        "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
    )


def core_down(seed):
    for path in seed.topology.paths():
        if path.core == "core-a":
            seed.say("path", path.name, "down", reason="timeout")
    seed.say("core", "core-a", "down", reason="timeout")
    seed.say("service", "acme-voice", "degraded", reason="redundancy_lost")
    seed.incident()


def test_twenty_sbcs_stand_on_one_screen_well_and_ill(page, system, keep, axe):
    seed = system(TWENTY)
    page.goto(seed.url)
    expect(page.locator("#link")).to_have_text("en vivo")
    expect(page.locator("#days .bars")).to_have_count(5)
    expect(page.locator("#plot-mos canvas")).to_be_visible()
    assert overflow(page) == [0, 0]
    days = page.locator("#days li").first
    expect(days).to_contain_text("hoy hasta ahora hasta las")
    expect(days.locator("rect.unknown").first).to_have_attribute("fill", "url(#hatch)")
    expect(days.locator("rect.down")).to_have_count(1)
    # Nobody measured those days: none of them is drawn as a good one.
    drawn = days.locator(".bars rect.up").count() + days.locator(".bars rect.down").count()
    assert drawn <= 32
    core_down(seed)
    expect(page.locator("#matrix td.cell.down")).to_have_count(20, timeout=2_000)
    assert overflow(page) == [0, 0]
    keep("panorama-20")
    assert page.errors == []
    assert axe(seed.url, ready="#matrix td") == []
    assert axe(f"{seed.url}/?lang=en", width=360, height=740, ready="#matrix td") == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert overflow(page)[0] == 0


def test_two_hundred_are_readable_and_searched_by_address(page, system, keep, axe):
    seed = system(MANY)
    seed.say("sbc", "sbc-150", "down", reason="timeout")
    core_down(seed)
    page.goto(seed.url)
    expect(page.locator("#link")).to_have_text("en vivo")
    expect(page.locator("#matrix tbody tr")).to_have_count(11)  # the broken one, and ten places
    expect(page.locator("#matrix tbody tr").first).to_contain_text("sbc-150")
    assert overflow(page)[1] <= 0
    keep("panorama-200")
    page.keyboard.press("/")
    page.keyboard.type("sbc-77")
    page.keyboard.press("Enter")
    expect(page.locator("#matrix tbody tr")).to_have_count(1)
    assert "q=sbc-77" in page.url
    expect(page.locator("#matrix tbody tr")).to_contain_text("sbc-77")
    page.goto(f"{seed.url}/?open=Lima")
    expect(page.locator("#matrix tbody tr")).to_have_count(30)
    seed.say("path", "sbc-3/core-b", "down", reason="timeout")
    expect(page.locator("#matrix tbody tr").nth(1)).to_contain_text("sbc-3", timeout=2_000)
    assert page.errors == []
    assert axe(seed.url, ready="#matrix td") == []


def test_a_wall_fits_by_itself_and_is_loud(page, system, keep):
    seed = system(TWENTY, ledger=False)
    page.goto(f"{seed.url}/?wall=1")
    expect(page.locator("#link")).to_have_text("en vivo")
    for gone in (".places", ".foot", ".search"):
        expect(page.locator(gone)).to_be_hidden()
    page.wait_for_function("parseFloat(document.documentElement.style.fontSize) > 12")
    assert overflow(page) == [0, 0]
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_function("document.documentElement.scrollHeight <= innerHeight")
    seed.alive(now_us() - 60 * SECOND_US)
    expect(page.locator("#banner .blind strong")).to_contain_text("Nadie está vigilando")
    expect(page.locator(".cell.up")).to_have_count(0)
    keep("wall-blind")
    seed.server.stop()
    expect(page.locator("#stale")).to_be_visible(timeout=10_000)
    assert page.locator("#stale").bounding_box()["width"] == 1280
    keep("wall-cut")


def test_a_restart_leaves_nothing_stale_and_a_new_build_loads_itself(page, system, monkeypatch):
    seed = system(TWENTY)
    page.goto(seed.url)
    expect(page.locator("#link")).to_have_text("en vivo")
    seed.server.stop()
    core_down(seed)
    seed.say("site", "site-2", "down", reason="timeout")
    monkeypatch.setattr(site_module, "_made", lambda: "another")
    expect(page.locator("#stale")).to_be_visible(timeout=10_000)
    with page.expect_navigation(timeout=15_000):  # by itself: what is deployed is another build
        seed.server.start()
    expect(page.locator("body")).to_have_attribute("data-build", re.compile("^another/"))
    expect(page.locator("#link")).to_have_text("en vivo")
    seed.server.stop()
    seed.say("sbc", "sbc-9", "down", reason="timeout")
    with seed.store.write() as connection:
        connection.exec_driver_sql("DELETE FROM incidents")
    seed.server.start()
    expect(page.locator("#stale")).to_be_hidden(timeout=15_000)
    expect(page.locator("#matrix tbody tr").first).to_contain_text("sbc-9")
    fresh = page.context.new_page()
    fresh.goto(seed.url)
    for part in ("#banner strong", "#incidents", "#matrix tbody th", "#matrix tbody b", ".sites"):
        expect(fresh.locator(part).first).to_be_visible()
        assert page.locator(part).all_inner_texts() == fresh.locator(part).all_inner_texts(), part


def test_without_scripts_it_says_that_it_does_not_renew_itself(page, system):
    seed = system(TWENTY, ledger=False)
    page.route("**/static/js/**", lambda route: route.abort())
    page.goto(seed.url)
    expect(page.locator("#matrix tbody tr")).to_have_count(20)
    expect(page.locator("#stale")).to_contain_text("Esta página no se actualiza sola")
    expect(page.locator("#stale")).to_be_visible(timeout=8_000)


def test_a_silent_probe_is_said_in_the_first_lines(page, system):
    seed = system(2, ledger=False, ages=(120, 60))
    page.goto(seed.url)
    expect(page.locator("#banner .quiet")).to_contain_text("Datos viejos: no llega nada de ninguna sonda")
    expect(page.locator("#age")).to_have_class(re.compile("bad"))
    expect(page.locator("#banner strong")).to_contain_text("Voz arriba")
