"""Accounts in a browser: the link, the login, the pages of an administrator; axe, 360 px, no script needed."""

import pytest
from people import PASSWORD, account, act
from playwright.sync_api import expect

from sereno.accounts import invitations

SMALL = """() => [...document.querySelectorAll('main .button, main input:not([type=hidden]), main select')]
  .filter((one) => one.getBoundingClientRect().height < 18).map((one) => one.outerHTML)"""
PAGES = ("/account", "/users", "/users/ana", "/tokens", "/audit")


@pytest.fixture
def inside(served, store, page):
    """An administrator's page, logged in by the form and the keyboard alone."""
    account(store, "ana", "admin")
    page.goto(f"{served.url}/incidents")
    assert page.url == f"{served.url}/login?next=/incidents"
    page.keyboard.press("Tab")  # the skip link comes first
    page.get_by_label("Nombre").focus()
    page.keyboard.type("ana")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/incidents")
    return page


def test_every_page_of_accounts_is_clean_by_axe_and_fits_a_phone(served, inside, store, axe, keep):
    with store.write() as connection:
        token = invitations.invite(connection, act("ana"), "operator")
    state = inside.context.storage_state()
    for path in PAGES:
        assert axe(f"{served.url}{path}", state=state) == [], path
    for path in ("/login", f"/invite/{token}", "/invite/used"):
        assert axe(f"{served.url}{path}?lang=en", width=360, height=740) == [], path
    for path in (*PAGES, "/login", f"/invite/{token}"):
        inside.set_viewport_size({"width": 360, "height": 740})
        inside.goto(f"{served.url}{path}")
        assert inside.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert inside.evaluate(SMALL) == [], path  # WCAG 2.2, 2.5.8
    inside.set_viewport_size({"width": 1920, "height": 1080})
    for path in ("/users", "/tokens", "/audit", "/account"):
        inside.goto(f"{served.url}{path}")
        keep(f"accounts{path.replace('/', '-')}")
    assert inside.errors == []


def test_somebody_is_invited_and_comes_in_without_any_script(served, inside, browser, keep):
    inside.goto(f"{served.url}/users")
    inside.get_by_label("Nombre").fill("luis")
    inside.get_by_label("Rol", exact=True).select_option("manager")
    inside.get_by_label("acme").check()
    inside.get_by_role("button", name="Hacer un enlace de un solo uso").click()
    link = inside.locator(".secret").inner_text()
    assert link.startswith(f"{served.url}/invite/")
    keep("accounts-link")
    context = browser.new_context(java_script_enabled=False, locale="es-CR", viewport={"width": 360, "height": 740})
    other = context.new_page()
    other.goto(link)
    expect(other.get_by_role("heading", level=1)).to_have_text("Una contraseña para luis")
    other.get_by_label("Contraseña", exact=True).fill(PASSWORD)
    other.get_by_label("La contraseña otra vez").fill(PASSWORD)
    other.get_by_role("button", name="Guardar y entrar").click()
    other.wait_for_url(f"{served.url}/reports*")
    assert other.get_by_role("link", name="Usuarios").count() == 0
    other.goto(f"{served.url}/users")
    expect(other.get_by_text("Su rol no permite esto")).to_be_visible()
    other.goto(f"{served.url}/account")
    other.get_by_role("button", name="Salir").click()
    other.wait_for_url(f"{served.url}/login")
    context.close()
    inside.goto(f"{served.url}/audit?who=luis")
    assert "logout" in inside.locator("main").inner_text()
    assert inside.errors == []


def test_a_live_page_asks_to_log_in_when_its_session_ends(served, inside, browser):
    context = browser.new_context(storage_state=inside.context.storage_state())
    wall = context.new_page()
    wall.goto(served.url)
    expect(wall.locator("#banner")).to_be_visible()
    inside.goto(f"{served.url}/account")
    inside.get_by_role("button", name="Salir").click()
    wall.wait_for_url(f"{served.url}/login**", timeout=15_000)
    context.close()
