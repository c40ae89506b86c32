"""Maintenance on the page: the contracts' rule before a window is announced, and the same rule after."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from desk_site import DeskSite

from sereno.answers.works import PROPOSED
from sereno.cli._answers import answers_of
from sereno.store import open_store
from sereno.store.desk import windows
from sereno.store.tables import isolations
from sereno.verdict import MaintenanceWindow

ZONE = ZoneInfo("America/Costa_Rica")


def local(days, hour):
    """A local time so many days from today, as a browser writes it."""
    day = datetime.now(ZONE).date() + timedelta(days=days)
    return f"{day}T{hour:02d}:00"


def window(scope="site:beta-sjo", days=12, hour=20, hours=4, **more):
    ends = datetime.fromisoformat(local(days, hour)) + timedelta(hours=hours)
    return {"scope": scope, "from": local(days, hour), "to": ends.isoformat(timespec="minutes"), "told": "now", **more}


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("works") / "data")
    with DeskSite(store) as made:
        made.seed.all_up()
        yield made
    store.dispose()


@pytest.fixture
def ana(site):
    with site.browser("ana") as opened:
        yield opened


def checked(browser, **asked):
    answer = browser.get("/maintenance/check", params=window(**asked))
    assert answer.status_code == 200
    return text(answer.text), re.search(r'data-seen="(\w*)"', answer.text)[1]


def test_announced_looked_at_and_called_off(any_store):
    with DeskSite(any_store) as site, site.browser("ana") as ana:
        asked = window(days=2, what="cambio de tarjeta")
        shown = site.post(ana, "/maintenance/new", **asked)
        assert shown.status_code == 409  # without scripts: first one sees what it means
        assert "faltan" in shown.text
        assert 'value="cambio de tarjeta"' in shown.text
        assert "Anunciarlo de todos modos" in shown.text
        with any_store.read() as connection:
            assert windows(connection) == []
        seen = re.search(r'name="seen" value="(\w+)"', shown.text)[1]
        done = site.post(ana, "/maintenance/new", seen=seen, **asked)
        assert done.status_code == 303
        page = ana.get(done.headers["location"]).text
        assert "Anunciado." in page
        assert "cuenta contra la disponibilidad" in page
        with any_store.read() as connection:
            made = windows(connection)[0]
        assert (made.kind, made.name, made.who, made.cancelled_us) == ("site", "beta-sjo", "ana", None)
        assert answers_of(any_store).works.announced(made.from_us, made.to_us)[made.id][0].customer == "beta"
        assert site.post(ana, f"/maintenance/{made.id}/cancel").status_code == 303
        assert site.post(ana, f"/maintenance/{made.id}/cancel", once="2").status_code == 409
        assert site.post(ana, "/maintenance/isolate", sbc="sbc-1").status_code == 303
        assert "Devolver sbc-1 al servicio" in ana.get("/maintenance").text
        assert site.post(ana, "/maintenance/return", sbc="sbc-1").status_code == 303
        with any_store.read() as connection:
            assert windows(connection)[0].cancelled_us is not None
            assert [row.to_us is not None for row in connection.execute(isolations.select())] == [True]


def test_the_notice_rule_as_one_types(site, ana):
    good, seen = checked(ana)
    assert "✓ Beta Ltda. wekall : no cuenta contra la disponibilidad" in good
    assert "anunciado 12 días antes; pide de 10 a 15" in good
    assert "21:00 – " in good  # what is 20:00 here is 21:00 where their contract reads the clock
    assert "01:00 (hora de Colombia, −05:00)" in good
    short, other = checked(ana, days=9)
    assert "✕ Beta Ltda. wekall : cuenta contra la disponibilidad" in short
    assert "faltan" in short
    assert "pide 10 días" in short
    assert seen != other
    assert "se anuncia demasiado pronto: a lo sumo 15 días antes" in checked(ana, days=16)[0]
    partly = checked(ana, hour=17, hours=4)[0]  # 18:00 to 22:00 in Bogotá; the window opens at 19:00
    assert "cuenta en parte contra la disponibilidad" in partly
    assert "solo se descuenta 19:00–05:00 (hora de Colombia, −05:00): 3 h 00 min de 4 h 00 min" in partly
    assert "su contrato no descuenta ningún trabajo anunciado" in checked(ana, scope="site:acme-bog")[0]
    fixed = checked(ana, days=-1, hour=21, hours=1, critical="1", told="before", announced=local(-1, 1))[0]
    assert "una corrección crítica puede anunciarse y hacerse el mismo día" in fixed
    unwhole = text(ana.get("/maintenance/check", params={"scope": "sbc:sbc-2"}).text)
    assert "Se dice aquí en cuanto el formulario esté completo" in unwhole
    assert text(ana.get("/maintenance/check").text) == ""
    english = text(ana.get("/maintenance/check", params={**window(), "lang": "en"}).text)
    assert "does not count against the availability" in english


def test_what_else_would_be_lost(site, ana):
    alone = checked(ana, scope="core:core-b")[0]
    assert "la sede acme-bog se queda con un solo núcleo" in alone
    assert "se queda sin ninguna ruta" not in alone
    assert "la sede beta-sjo se queda sin ninguna ruta" in checked(ana, scope="sbc:sbc-2")[0]
    seen = checked(ana, scope="core:core-a")[1]
    answer = site.post(ana, "/maintenance/new", json=True, **window(scope="core:core-a", seen=seen))
    assert answer.json()["ok"] is True, answer.text
    both = checked(ana, scope="core:core-b")[0]
    assert "junto con la ventana 1, la sede acme-bog se queda sin ninguna ruta" in both
    assert "coincide con la ventana 1" in both
    site.seed.say("core", "core-a", "down", reason="timeout")
    number = site.open_core()
    down = checked(ana, scope="core:core-b", days=13)[0]
    assert "ahora no funciona core-a: con este trabajo a la sede acme-bog no le queda ninguna ruta" in down
    assert f"allí está abierto el incidente {number}" not in down  # it is about the other core
    assert f"allí está abierto el incidente {number}" in checked(ana, scope="core:core-a", days=13)[0]


def test_what_makes_no_window(site, ana):
    for wrong, field in (
        (window(scope="core:nobody"), "scope"), (window() | {"to": "x"}, "to"), (window(hours=0), "to"),
        (window(told="before", announced=local(1, 3)), "announced"), (window() | {"from": ""}, "from"),
    ):  # fmt: skip
        answer = site.post(ana, "/maintenance/new", json=True, **wrong)
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == [field]
    with site.browser("vera") as vera:
        page = vera.get("/maintenance?month=2026-12")
        assert page.status_code == 200
        assert "data-act" not in page.text
        assert vera.get("/maintenance/check").status_code == 403
        assert site.post(vera, "/maintenance/1/cancel").status_code == 403
        assert site.post(vera, "/maintenance/isolate", sbc="sbc-1").status_code == 403
    with site.browser("mateo") as mateo:
        assert mateo.get("/maintenance").status_code == 403


def test_a_proposed_window_is_judged_as_it_is_once_it_is_announced(site):
    """The rule before and after is one: the ledger's."""
    works = answers_of(site.store).works
    with site.store.read() as connection:
        made = windows(connection)[0]
    same = MaintenanceWindow(
        scope_kind=made.kind, scope_name=made.name, from_us=made.from_us, to_us=made.to_us,
        announced_us=made.announced_us, critical_fix=made.critical_fix,
    )  # fmt: skip
    proposed = works.judge(same, [], site.clock.now_us(), but=made.id)
    announced = works.announced(made.from_us, made.to_us)[made.id]
    assert [one.notice.number for one in proposed.customers] == [PROPOSED] * len(announced)
    strip = [(one.customer, one.notice.refused, one.notice.excluded_us, one.kept) for one in proposed.customers]
    assert strip == [(one.customer, one.notice.refused, one.notice.excluded_us, one.kept) for one in announced]
