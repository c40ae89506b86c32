"""The Panorama in a real browser: true words, live within a second, loud when cut off, no request leaves the host."""

import re
import threading

import pytest
from playwright.sync_api import expect

from sereno.clock import SECOND_US, SystemClock


@pytest.fixture
def heartbeat(seed):
    """The lease renewed as a collector does, until told to stop."""
    stop = threading.Event()
    clock = SystemClock()

    def beat():
        while not stop.wait(0.5):
            seed.alive(clock.now_us())

    seed.alive(clock.now_us())
    thread = threading.Thread(target=beat)
    thread.start()
    yield stop
    stop.set()
    thread.join()


def test_all_up_with_round_trips_registration_and_mos(page, served, seed, heartbeat, keep):
    seed.all_up()
    seed.measured(seed.now_us + 8 * SECOND_US)  # so that they still speak on a slow machine
    page.goto(served.url)
    expect(page.locator("#banner strong")).to_have_text("Voz arriba por las 4 rutas.")
    expect(page.locator("#matrix td.cell.up")).to_have_count(8)
    expect(page.locator("#matrix")).to_contain_text("4,41 ↓ 4,40 ↑")
    expect(page.locator("#matrix")).to_contain_text("registrado")
    expect(page.locator("#plot-rtt canvas")).to_be_visible()
    expect(page.locator("#plot-mos canvas")).to_be_visible()
    expect(page.locator("#link")).to_have_text("en vivo")
    keep("panorama-up")
    assert page.errors == []


def test_a_change_is_on_the_page_within_a_second_and_needs_no_reload(page, served, seed, heartbeat, keep):
    seed.all_up()
    page.goto(served.url)
    expect(page.locator("#link")).to_have_text("en vivo")
    for path in ("sbc-1/core-a", "sbc-2/core-a"):
        seed.say("path", path, "down", reason="timeout")
    seed.say("core", "core-a", "down", reason="timeout")
    seed.say("site", "acme-bog", "degraded", reason="redundancy_lost")
    number = seed.incident()
    seed.say("service", "acme-voice", "degraded", reason="redundancy_lost")
    banner = page.locator("#banner strong")
    expect(banner).to_have_text("Voz arriba, degradada: núcleo core-a caído.", timeout=1_000)
    expect(page.locator("#incidents")).to_contain_text(f"#{number} Núcleo core-a caído")
    expect(page.locator("#incidents b")).to_have_text(re.compile(r"1 h \d\d min"))
    keep("panorama-core-down")
    page.goto(f"{served.url}/incidents/{number}")
    expect(page.locator("article strong")).to_have_text("Núcleo core-a caído")
    keep("incident")
    assert page.errors == []


def test_an_old_natural_answer_says_nothing_of_now(page, served, seed, heartbeat):
    seed.all_up()
    seed.result("natural", seed.now_us - 30 * SECOND_US, sbc="sbc-1", rtt_seconds=0.0006, code=200)
    seed.result("natural", seed.now_us, sbc="sbc-2", rtt_seconds=0.0006, code=200)
    page.goto(served.url)
    seen = page.locator("#matrix tbody tr td:nth-child(3)")
    expect(seen.nth(0)).to_contain_text("desconocido")
    expect(seen.nth(1)).to_contain_text("responde")


def test_a_dead_service_says_so_first(page, served, seed, heartbeat, keep):
    seed.all_up()
    for core in ("core-a", "core-b"):
        seed.say("core", core, "down", reason="timeout")
        for sbc in ("sbc-1", "sbc-2"):
            seed.say("path", f"{sbc}/{core}", "down", reason="timeout")
    seed.say("site", "acme-bog", "down", reason="timeout")
    seed.say("service", "acme-voice", "down", reason="timeout")
    seed.incident(priority="Urgente", title="Servicio caído: core-a y core-b", cause=("service", "acme-voice"))
    page.goto(served.url)
    expect(page.locator("#banner strong")).to_have_text("Voz caída: núcleos core-a y core-b caídos.")
    keep("panorama-down")
    assert page.errors == []


def test_a_stopped_collector_makes_everything_unknown(page, served, seed, keep):
    seed.all_up()
    seed.alive(seed.now_us - 60 * SECOND_US)
    page.goto(served.url)
    expect(page.locator("#banner strong")).to_contain_text("Nadie está vigilando")
    expect(page.locator(".cell.up")).to_have_count(0)
    keep("panorama-blind")


def test_a_cut_connection_is_loud_and_mends_itself(page, served, seed, heartbeat, keep):
    seed.all_up()
    page.goto(served.url)
    expect(page.locator("#link")).to_have_text("en vivo")
    served.stop()
    expect(page.locator("#stale")).to_be_visible(timeout=10_000)
    expect(page.locator("#link")).to_have_text("sin conexión")
    keep("panorama-cut")
    seed.say("sbc", "sbc-2", "down", reason="timeout")
    served.start()
    expect(page.locator("#stale")).to_be_hidden(timeout=15_000)
    expect(page.locator("#matrix td.cell.down")).to_have_count(1)


def test_security_headers_and_no_foreign_request(page, served, seed, heartbeat):
    seed.all_up()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(served.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    expect(page.locator("#link")).to_have_text("en vivo")
    assert all(url.startswith(served.url) for url in asked)


def test_english_by_key_and_the_help(page, served, seed, heartbeat):
    seed.all_up()
    page.goto(served.url)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("?")
    page.keyboard.press("l")
    expect(page.locator("#banner strong")).to_have_text("Voice is up on all 4 paths.")


def test_a_phone_can_read_it(page, served, seed, heartbeat, keep):
    seed.all_up()
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(served.url)
    expect(page.locator("#banner strong")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    keep("panorama-phone")


def test_an_unknown_incident_and_an_empty_store(page, served, seed):
    answer = page.goto(f"{served.url}/incidents/999")
    assert answer.status == 404
    expect(page.locator("main")).to_contain_text("No existe el incidente 999.")
