"""Acknowledgement links and the API, on a served page and a desk at work."""

import hashlib
import time

import httpx
import pytest
from inbound_site import LINKS, InboundSite, until

from dashboards.web.inbound import Client, Settings
from sereno.clock import SECOND_US
from sereno.store import open_store
from sereno.store.tables import commands
from sereno.tokens import Grant, Keyring, ack_url, key_of

TOKEN = "a-token-of-twenty-letters-or-more"
BOT = Client(name="bot", digest=hashlib.sha256(TOKEN.encode()).digest(), may=frozenset({"incidents"}))


def orders(store):
    with store.read() as connection:
        return [row.verb for row in connection.execute(commands.select().order_by(commands.c.id))]


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    yield opened
    opened.dispose()


@pytest.fixture
def site(store):
    with InboundSite(store) as made:
        yield made


@pytest.fixture
def web(site):
    with httpx.Client(base_url=site.page.url, timeout=10) as client:
        yield client


def link(site, number, person="ana", at_us=None):
    return ack_url(LINKS, site.page.url, number, person, site.clock.now_us() if at_us is None else at_us)


def test_looking_changes_nothing_and_the_button_acknowledges_once(any_store):
    with InboundSite(any_store) as site, httpx.Client(base_url=site.page.url, timeout=10) as web:
        look_and_press(site, web)


def look_and_press(site, web):
    number = site.open_core()
    url = link(site, number)
    for method in ("GET", "HEAD", "GET"):
        seen = web.request(method, url)
        assert seen.status_code == 200
    assert orders(site.store) == []
    assert "core-a" in seen.text
    assert "Lo tengo (ana)" in seen.text
    assert "I have it (ana)" in (english := web.get(url + "?lang=en").text)
    assert "Core core-a down" in english
    assert "caído" not in english
    assert 'form method="post"' in seen.text
    assert "form-action 'self'" in seen.headers["content-security-policy"]
    assert seen.headers["cache-control"] == "no-store"
    done = web.post(url)
    assert done.status_code == 200
    assert "Lo tiene usted desde" in done.text
    record = site.record(number)
    assert (record.state, record.assigned) == ("acknowledged", "ana")
    again = web.post(link(site, number, "luis"))
    assert again.status_code == 200
    assert "Ya lo tiene ana desde" in again.text
    assert web.post(url).status_code == 200
    assert orders(site.store) == ["incident.ack"]
    assert site.record(number).acknowledged_us == record.acknowledged_us


def test_a_link_that_opens_nothing_says_why(site, web):
    number = site.open_core()
    old = link(site, number, at_us=site.clock.now_us() - 8 * 86_400 * SECOND_US)
    strange = Keyring([key_of("somebody else's secret, long enough")])
    survey = LINKS.issue(Grant(number, "ana", "survey", site.clock.now_us() + SECOND_US * 60))
    for url, status, words in (
        (old, 410, "ya venció"),
        (ack_url(strange, site.page.url, number, "ana", site.clock.now_us()), 403, "no es nuestro"),
        (link(site, number)[:-1], 403, "no es nuestro"),
        (f"{site.page.url}/ack/{survey}", 403, "de otro incidente"),
        (link(site, 4711), 404, "ya no existe"),
    ):
        for method in ("GET", "POST"):
            answer = web.request(method, url)
            assert answer.status_code == status, url
            assert words in answer.text
    assert orders(site.store) == []
    assert site.record(number).state == "open"


def test_with_nobody_active_the_link_says_so_and_works_later(site, web):
    number = site.open_core()
    url = link(site, number)
    site.stop()
    answer = web.post(url)
    assert answer.status_code == 503
    assert "colector activo" in answer.text
    assert web.get(url).status_code == 200
    site.start()
    assert "Lo tiene usted" in web.post(url).text


def test_the_api_acts_as_the_command_line_does(site, web):
    number = site.open_core()
    base = f"/api/v1/incidents/{number}"
    json = {"Content-Type": "application/json"}
    assert web.post(f"{base}/ack", headers=json).json()["incident"]["state"] == "acknowledged"
    refused = web.post(f"{base}/ack", headers=json)
    assert refused.status_code == 409
    assert "\n" not in refused.json()["error"]
    answer = web.post(f"{base}/note", json={"note": "llamé al proveedor", "by": "luis"})
    noted = answer.json()["incident"]["timeline"][-1]
    assert noted["what"].endswith("llamé al proveedor")
    assert noted["who"] == "luis (api)"
    assert web.post(f"{base}/start", headers=json).json()["incident"]["state"] == "in_progress"
    assert "sigue mal" in web.post(f"{base}/resolve", headers=json).json()["error"]
    assert web.get(base).json()["number"] == number
    assert [one["number"] for one in web.get("/api/v1/incidents?state=in_progress").json()["incidents"]] == [number]
    opened = web.post("/api/v1/incidents", json={"title": "Piden otra línea", "kind": "request"})
    assert opened.status_code == 201
    assert site.record(opened.json()["number"]).kind == "request"
    mine = f"/api/v1/incidents/{opened.json()['number']}"
    graded = web.post(f"{mine}/priority", json={"priority": "Alta", "note": "es de todos"}).json()
    assert graded["incident"]["priority"] == "Alta"
    for path, body, status in (
        (f"{base}/merge", {"into": "2"}, 400),
        (f"{base}/redate", {"due": "2027-01-01T00:00Z"}, 400),
        (f"{base}/explode", {}, 404),
        ("/api/v1/incidents/99999999999999999999/ack", {}, 404),
        (f"{base}/note", {}, 400),
        (f"{base}/note", {"note": 1}, 400),
        (f"{base}/note", ["note"], 400),
        (f"{base}/note", {"note": "x", "colour": "red"}, 400),
        (f"{base}/note", {"note": "x" * 70_000}, 413),
    ):
        answer = web.post(path, json=body)
        assert answer.status_code == status, path
        assert set(answer.json()) == {"error"}
        assert "\n" not in answer.json()["error"]
    assert web.post(f"{base}/note", content=b'{"note": "x"}').status_code == 415
    assert web.post(f"{base}/note", content=b"\xff\x00{", headers=json).status_code == 400


def test_the_same_idempotency_key_is_one_act(site, web):
    number = site.open_core()
    path, once = f"/api/v1/incidents/{number}/note", {"Idempotency-Key": "k1"}
    for _ in range(3):
        assert web.post(path, json={"note": "una vez"}, headers=once).status_code == 200
    assert orders(site.store) == ["incident.note"]


def test_a_foreign_page_in_a_browser_of_this_machine_cannot_act(site, web):
    number = site.open_core()
    path = f"/api/v1/incidents/{number}/ack"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},
        {"Content-Type": "text/plain"},
    ):
        answer = web.post(path, headers={"Content-Type": "application/json", **headers}, content=b"{}")
        assert answer.status_code in (403, 415), headers
    assert site.record(number).state == "open"


def test_with_clients_only_their_tokens_open(store):
    settings = Settings(links=LINKS, clients=(BOT,), strict=True)
    with InboundSite(store, settings=settings) as site, httpx.Client(base_url=site.page.url) as web:
        number = site.open_core()
        path = f"/api/v1/incidents/{number}/note"
        for headers in (
            {},
            {"Authorization": "Bearer wrong-token-of-twenty-letters"},
            {"Authorization": "Bearer"},
            {"Authorization": "Basic !!"},
            {"Authorization": f"Digest {TOKEN}"},
        ):
            answer = web.post(path, json={"note": "x"}, headers=headers)
            assert answer.status_code == 401
            assert "Bearer" in answer.headers["www-authenticate"]
        assert web.post(path, json={"note": "x"}, auth=("other", TOKEN)).status_code == 401
        assert web.post(path, json={"note": "x"}, auth=("bot", TOKEN)).status_code == 200
        assert web.post(path, json={"note": "y"}, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert site.record(number).timeline[-1].who == "bot"
        answer = web.post("/api/v1/alertmanager", json={}, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 403
        assert "alerts" in answer.json()["error"]


def test_beyond_loopback_and_without_secrets_nothing_exists(store):
    with InboundSite(store, settings=Settings(loopback=False)) as site, httpx.Client(base_url=site.page.url) as web:
        for path in ("/ack/x", "/api/v1/incidents/1/ack", "/api/v1/alertmanager"):
            assert web.post(path, json={}).status_code == 404


def test_what_nobody_answers_is_said_within_seconds(site, web, monkeypatch):
    number = site.open_core()
    site._stop.set()  # the leader hangs: alive by its lease, and it applies nothing
    site._thread.join()
    site.seed.alive(site.clock.now_us() + 60 * SECOND_US)
    monkeypatch.setattr("dashboards.web.inbound.asking.ANSWER_SECONDS", 0.2)
    begun = time.monotonic()
    answer = web.post(f"/api/v1/incidents/{number}/note", json={"note": "x"})
    assert answer.status_code == 202
    assert "inbox" in answer.json()["error"]
    page = web.post(link(site, number))
    assert page.status_code == 202
    assert "bandeja" in page.text
    assert time.monotonic() - begun < 5
    site.start()
    until(lambda: site.record(number).state == "acknowledged")
