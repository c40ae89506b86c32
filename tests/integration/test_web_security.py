"""The web as somebody attacks it: every page and answer, with what outside systems can write, and with what browsers of
other sites can be made to send."""

import json
import re
import socket
import threading
import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest
from api_site import ApiSite

from sereno.accounts import Act, passwords, sessions, users
from sereno.accounts.secret import form_key
from sereno.clock import SECOND_US
from sereno.store import open_store

EVIL = "</script></style></title><xss-tag onerror=alert(1)>\"'><img src=x onerror=alert(2)>{{7*7}}"
PASSWORD = "cuatro palabras bien largas"
PAGES = (
    "/", "/?wall=1", "/paths", "/paths/sbc-1/core-a", "/sbcs/sbc-1", "/health", "/incidents", "/incidents/1",
    "/incidents/new", "/maintenance", "/maintenance?view=list", "/maintenance/new", "/forensics", "/reports", "/users",
    "/users/admin", "/tokens", "/audit", "/account", "/api/v1/docs", "/login",
)  # fmt: skip


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.faults = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        if tag == "xss-tag" or (tag == "img" and names.get("src") == "x"):
            self.faults.append(f"injected <{tag}>")
        if tag in {"script", "iframe", "object", "embed"} and not (names.get("src") or "").startswith("/static/"):
            self.faults.append(f"<{tag}> without a source of ours: {names}")
        for name, value in attributes:
            if name.startswith("on") or name == "style":
                self.faults.append(f"<{tag} {name}>")
            if name in {"href", "src", "action"} and urlsplit(value or "").scheme not in {"", "http", "https"}:
                self.faults.append(f"<{tag} {name}={value}>")
            if name in {"src", "action"} and urlsplit(value or "").netloc:
                self.faults.append(f"<{tag} {name}={value}> leaves this host")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("data"))
    with ApiSite(store) as made:
        poison(made)
        yield made
    store.dispose()


def poison(site):
    """Everything that outside systems can write, with something to run in it."""
    now_us = site.clock.now_us()
    sip = f"SIP/2.0 503 {EVIL}\r\nServer: {EVIL}\r\nUser-Agent: {EVIL}\r\nCall-ID: {EVIL}\r\n\r\n{EVIL}"
    at = "2026-11-21T00:00:00.000000Z"
    evidence = {
        "messages": [{"at": at, "direction": "sent", "text": sip}, {"at": at, "direction": "received", "text": sip}]
    }
    for second in range(20, 0, -2):
        site.seed.result(
            "options", now_us - second * SECOND_US, sbc="sbc-1", core="core-a", outcome="failed", reason="sip_5xx",
            code=503, phrase=EVIL, address=EVIL, evidence=evidence, facts={"server": EVIL, EVIL: EVIL},
        )  # fmt: skip
    site.seed.say("core", "core-b", "down", reason=EVIL, since_us=now_us - 5 * SECOND_US)
    site.seed.say("probe", EVIL[:60], "down", reason=EVIL)
    with httpx.Client(base_url=f"{site.page.url}/api/v1", headers=site.headers(), timeout=30) as web:
        one = {"title": EVIL[:120], "description": EVIL, "customer": "acme", "by": EVIL[:60]}
        assert web.post("/incidents", json=one).status_code == 201
        number = web.get("/incidents").json()["incidents"][0]["number"]
        assert web.post(f"/incidents/{number}/note", json={"note": EVIL, "by": EVIL[:60]}).status_code == 200
        labels = {"alertname": EVIL, "severity": EVIL, EVIL: EVIL}
        notes = {"summary": EVIL, "runbook_url": "javascript:alert(3)"}
        alert = {
            "status": "firing", "labels": labels, "annotations": notes,
            "startsAt": "2026-11-21T00:00:00Z", "fingerprint": "abc", "generatorURL": "javascript:alert(4)",
        }  # fmt: skip
        message = {
            "version": "4", "groupKey": EVIL, "status": "firing", "receiver": EVIL, "alerts": [alert],
            "groupLabels": labels,
        }  # fmt: skip
        assert web.post("/alertmanager", json=message).status_code == 200
        assert web.post("/tokens", json={"name": "<xss-tag>", "scopes": ["read"]}).status_code == 201
        window = {
            "scope": {"kind": "sbc", "name": "sbc-2"}, "from": "2026-12-01T03:00Z", "to": "2026-12-01T04:00Z",
            "by": EVIL[:60], "what": EVIL,
        }  # fmt: skip
        assert web.post("/maintenance", json=window).status_code == 201
        hush = {"alarm": "core_down", "to": "2026-12-01T03:00Z", "why": EVIL, "by": EVIL[:60]}
        assert web.post("/alarms/silences", json=hush).status_code == 201


@pytest.fixture(scope="module")
def admin(site):
    with site.store.write() as connection:
        act = Act(who="test", how="cli", at_us=site.clock.now_us(), address="192.0.2.1")
        cookie = sessions.begin(connection, act, users.needed(connection, "admin"), agent=EVIL, lives=sessions.Lives())
    with httpx.Client(base_url=site.page.url, timeout=30, cookies={"sereno_session": cookie}) as client:
        client.form_key = form_key(cookie)
        yield client


@pytest.fixture
def nobody(site):
    with httpx.Client(base_url=site.page.url, timeout=30) as client:
        yield client


def wire(site, raw, seconds=5.0):
    """What comes back for bytes that no client library would send."""
    host, port = urlsplit(site.page.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as plug:
        plug.sendall(raw)
        found = b""
        try:
            while part := plug.recv(65_536):
                found += part
        except TimeoutError:
            pass
    return found


# -- what is shown -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["es", "en"])
def test_nothing_that_outside_systems_wrote_becomes_markup(site, admin, language):
    numbers = [f"/incidents/{one.number}" for one in site.records()]
    exact = admin.get("/api/v1/forensics?only=failures&limit=3").json()["entries"]
    sources = [one["source"] for one in exact if one["kind"] == "result"]
    results = [f"/forensics/result/{one['probe']}/{one['boot']}/{one['seq']}" for one in sources]
    assert results
    for url in (*PAGES, *numbers, *results):
        cookies = f"lang={language}; sereno_session={admin.cookies['sereno_session']}"
        answer = admin.get(url, headers={"Cookie": cookies}, follow_redirects=True)
        assert answer.status_code == 200, (url, answer.status_code)
        assert Seen(answer.text).faults == [], url
        assert "49" not in re.findall(r"alert\(2\)&gt;(\d+)", answer.text), "a template rendered what was written"
    assert "&lt;xss-tag" in admin.get(results[0]).text, "the SIP messages are shown"
    shown = admin.get(numbers[0]).text
    assert "&lt;xss-tag" in shown or "&lt;/script&gt;" in shown, "what was written is shown as text"


def test_live_fragments_are_as_safe_as_the_page(site, admin):
    with admin.stream("GET", "/events?topic=panorama") as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data: ["):
                fragments = json.loads(line.removeprefix("data: "))
                for _, html in (one for one in fragments if len(one) == 2 and isinstance(one[1], str)):
                    assert Seen(html).faults == []
                break


def test_every_answer_has_its_headers(site, admin, nobody):
    missing = (
        "/nothing",
        "/api/v1/nothing",
        "/static/nothing",
        "/incidents/4711",
        "/ack/x",
        "/invite/x",
        "/events?topic=x",
    )
    for client in (admin, nobody):
        for url in (*PAGES, *missing, "/static/css/sereno.css", "/static/js/core.js", "/healthz", "/metrics",
                    "/api/v1/openapi.json", "/api/v1/verdicts"):  # fmt: skip
            answer = client.get(url)
            assert answer.status_code < 500 or url == "/metrics", url
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            if not url.startswith("/static/"):
                assert re.search("no-store|no-cache", answer.headers.get("cache-control", "")), url
    for method in ("PUT", "TRACE", "BREW"):
        assert "content-security-policy" in admin.request(method, "/").headers


# -- what is asked -----------------------------------------------------------------------------------------------------


def test_no_path_leads_out_of_the_house(site):
    for path in (
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%5c..%5capp.py", "/static/css/../../app.py", "/../../etc/passwd", "/static/%00", "/static/css",
        "/forensics/exports/..%2f..%2fetc", "/reports/acme/2026-10/..%2f..%2fx.pdf", "/reports/..%2f/2026-10",
    ):  # fmt: skip
        answer = wire(site, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        status = int(answer.split()[1])
        assert status in {303, 400, 401, 403, 404, 405}, (path, status)
        assert b"import" not in answer
        assert b"root:" not in answer


def test_no_header_is_injected(site, admin):
    for url in (
        "/?lang=es%0d%0aX-Evil:%201", "/login?next=%0d%0aX-Evil:%201", "/login?next=/%0d%0aX-Evil:1",
        "/api/v1/incidents?limit=1&cursor=1%0d%0aX-Evil:%201", "/forensics?path=%0d%0aX-Evil:%201",
        "/reports/acme%0d%0aX-Evil:%201/2026-10", "/incidents?text=%0d%0aX-Evil:%201",
        "/maintenance?month=%0d%0aX-Evil:1",
    ):  # fmt: skip
        answer = admin.get(url)
        assert answer.status_code < 500, (url, answer.status_code)
        assert "x-evil" not in answer.headers, url
        assert "x-evil" not in answer.headers.get("set-cookie", "").casefold()


def test_no_way_in_leads_to_another_site(site, nobody):
    for wanted in (
        "//evil.example", "/\\evil.example", "https://evil.example", "/%09/evil.example", "/%2f/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)", "///evil.example/..", "/login?next=//evil.example", "http:evil.example",
    ):  # fmt: skip
        with httpx.Client(base_url=site.page.url, timeout=30) as fresh:
            page = fresh.get("/login", params={"next": wanted})
            key = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
            form = {"name": "admin", "password": "tres palabras largas", "csrf": key, "next": wanted}
            answer = fresh.post("/login", data=form)
            assert answer.status_code == 303, answer.text
            where = urlsplit(answer.headers["location"])
            assert (where.scheme, where.netloc) == ("", ""), wanted
            assert not re.match(r"[/\\]{2}", answer.headers["location"]), wanted
    for url in ("//evil.example/", "/incidents/", "/api/v1/incidents/", "//evil.example/%2e%2e", "/users//"):
        answer = wire(site, f"GET {url} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
        where = re.search(rb"(?i)\r\nlocation: ([^\r]*)", answer)
        assert where is None or where[1].startswith(b"/login"), (url, where)


def test_a_cookie_that_somebody_else_set_opens_nothing(site):
    planted = "A" * 43
    with httpx.Client(
        base_url=site.page.url, timeout=30, cookies={"sereno_session": planted, "sereno_form": planted}
    ) as web:
        page = web.get("/login")
        key = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
        answer = web.post("/login", data={"name": "admin", "password": "tres palabras largas", "csrf": key})
        assert answer.status_code == 303
        given = [one for one in answer.headers.get_list("set-cookie") if one.startswith("sereno_session=")]
        assert len(given) == 1
        assert planted not in given[0]
        for flag in ("HttpOnly", "SameSite=lax", "Path=/"):
            assert flag.casefold() in given[0].casefold()
    for cookie in (planted, "x", "", "a" * 5_000, '"; drop'):
        with httpx.Client(base_url=site.page.url) as web:
            answer = web.get("/users", headers={"Cookie": f"sereno_session={cookie}"})
            assert answer.status_code == 303


def test_another_site_makes_no_browser_act(site, admin):
    number = site.records()[0].number
    before = len(site.record(number).timeline)
    note = json.dumps({"note": "evil"})
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"}, {"X-CSRF": "guess"},
    ):  # fmt: skip
        answer = admin.post(
            f"/api/v1/incidents/{number}/note", content=note, headers={"Content-Type": "application/json", **headers}
        )
        assert answer.status_code in {403, 415}, headers
        for url in (
            f"/incidents/{number}/note",
            "/users",
            "/tokens",
            "/maintenance/new",
            "/account/password",
        ):
            answer = admin.post(url, data={"note": "evil", "name": "eve", "role": "admin"}, headers={
                name: value for name, value in headers.items() if name != "Content-Type"
            })  # fmt: skip
            assert answer.status_code == 403, (url, headers, answer.status_code)
    assert len(site.record(number).timeline) == before
    assert admin.get("/api/v1/whoami").json()["name"] == "admin"


def test_a_name_that_leads_here_is_not_this_house(tmp_path):
    """DNS rebinding: a page of evil.example whose name was changed to 127.0.0.1 meanwhile."""
    store = open_store(tmp_path / "data")
    with ApiSite(store, open_house=True) as site, httpx.Client(base_url=site.page.url) as web:
        assert web.get("/").status_code == 200
        for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"X-Forwarded-For": "192.0.2.1"}):
            for url in ("/", "/incidents", "/events?topic=panorama", "/api/v1/incidents", "/forensics"):
                answer = web.get(url, headers=headers)
                assert answer.status_code in {303, 401, 403}, (url, headers)
            answer = web.post("/api/v1/incidents", json={"title": "x"}, headers=headers)
            assert answer.status_code in {401, 403}
    store.dispose()


def test_a_link_that_opens_is_told_to_nobody(site, admin, caplog):
    """Neither in a log, nor to the next site by Referer, nor in a cache."""
    secret = "S" * 43
    for url in (f"/invite/{secret}", f"/ack/v1.x.{secret}", f"/api/v1/incidents?access_token={secret}"):
        answer = admin.get(url)
        assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer"}
        assert re.search("no-store|no-cache", answer.headers["cache-control"])
    assert secret not in caplog.text


# -- how much ----------------------------------------------------------------------------------------------------------


def test_no_body_is_larger_than_it_may_be(site, admin):
    host = f"Host: {urlsplit(site.page.url).netloc}"
    for url in ("/login", "/users", "/incidents/1/note", "/maintenance/new", "/api/v1/incidents"):
        announced = (
            f"POST {url} HTTP/1.1\r\n{host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 99999999999\r\nConnection: close\r\n\r\nname=x"
        )
        status = int(wire(site, announced.encode()).split()[1])
        assert status in {400, 401, 403, 413}, (url, status)
        answer = admin.post(url, content=(b"a=b&" * 65_536 for _ in range(64)), headers={
            "Content-Type": "application/x-www-form-urlencoded",
        })  # fmt: skip
        assert answer.status_code in {400, 403, 413, 415}, (url, answer.status_code)


def test_a_sender_of_drops_is_sent_away(site, monkeypatch):
    monkeypatch.setattr("dashboards.web.bounded.BODY_SECONDS", 0.3)
    host = f"Host: {urlsplit(site.page.url).netloc}\r\nAuthorization: {site.headers()['Authorization']}"
    for url, kind in (("/api/v1/incidents", "application/json"), ("/login", "application/x-www-form-urlencoded")):
        begun = time.monotonic()
        raw = f"POST {url} HTTP/1.1\r\n{host}\r\nContent-Type: {kind}\r\nContent-Length: 50\r\n\r\nname"
        answer = wire(site, raw.encode(), 10.0)
        assert int(answer.split()[1]) == 408, (url, answer[:80])
        assert time.monotonic() - begun < 8


def test_streams_of_one_address_are_bounded(site, admin, monkeypatch):
    monkeypatch.setattr("dashboards.web.seats.MOST_OF_ADDRESS", 3)
    opened, enough = [], threading.Event()

    def watch():
        with (
            httpx.Client(base_url=site.page.url, cookies=dict(admin.cookies), timeout=30) as web,
            web.stream("GET", "/events?topic=panorama") as answer,
        ):
            opened.append(answer.status_code)
            enough.wait(10)

    watchers = [threading.Thread(target=watch) for _ in range(5)]
    for each in watchers:
        each.start()
    deadline = time.monotonic() + 10
    while len(opened) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    enough.set()
    for each in watchers:
        each.join()
    assert sorted(opened) == [200, 200, 200, 503, 503]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with admin.stream("GET", "/events?topic=panorama") as answer:
            if answer.status_code == 200:
                break
        time.sleep(0.05)
    assert answer.status_code == 200, "who left makes room"


def test_a_password_is_not_guessed_by_trying(site):
    with site.store.write() as connection:
        act = Act(who="test", how="cli", at_us=site.clock.now_us())
        if users.user_named(connection, "eva") is None:
            users.add_user(connection, act, "eva", "viewer", password=passwords.hashed(PASSWORD))
    with httpx.Client(base_url=site.page.url, timeout=30) as web:
        page = web.get("/login")
        key = re.search(r'name="csrf" value="([^"]*)"', page.text)[1]
        statuses = []
        for _ in range(8):
            answer = web.post("/login", data={"name": "eva", "password": "not this one", "csrf": key})
            statuses.append(answer.status_code)
        assert 429 in statuses
        assert "retry-after" in answer.headers
