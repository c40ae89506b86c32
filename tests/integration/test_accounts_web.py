"""The door, on a served page: coming in, staying, being sent away; the open house and its closing."""

import re
import threading
import time

import httpx
import pytest
from people import PASSWORD, Browsers, account, act, cookie, eventually, hashed
from web_seed import Seed
from web_server import Served

from dashboards.web.accounts import Access
from dashboards.web.accounts.vault import MOST_WAITING
from dashboards.web.app import create_app
from sereno.accounts import invitations, passwords, sessions, tokens, users
from sereno.accounts.log import Asked, lines
from sereno.clock import SECOND_US, FakeClock
from sereno.store import open_store
from sereno.store.tables import login_failures


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    Seed(opened, time.time_ns() // 1_000).all_up()
    yield opened
    opened.dispose()


@pytest.fixture
def clock():
    """The wall clock of pages; what is monotonic goes on by itself."""
    return Wall()


class Wall(FakeClock):
    def __init__(self):
        super().__init__(time.time_ns() // 1_000)

    def monotonic(self):
        return time.monotonic()


def serving(store, clock=None, **access):
    return Served(lambda: create_app(store, clock, access=Access(**access)))


@pytest.fixture
def browse(store, clock):
    server = serving(store, clock)
    server.start()
    with Browsers(server.url) as made:
        yield made
    server.stop()


def audited(store, what=""):
    with store.read() as connection:
        return [(line.who, line.what, line.outcome) for line in lines(connection, Asked(what=what), 50)]


class Stream:
    """A live page: whether it still comes."""

    def __init__(self, url, session=None):
        cookies = {"sereno_session": session} if session else {}
        self.status, self.events, self.over = None, 0, threading.Event()
        self._thread = threading.Thread(target=self._read, args=(f"{url}/events", cookies))
        self._thread.start()

    def _read(self, url, cookies):
        with httpx.Client(cookies=cookies, timeout=10) as client, client.stream("GET", url) as answer:
            self.status = answer.status_code
            for line in answer.iter_lines():
                self.events += line.startswith("event:")
        self.over.set()

    def ends_within(self, seconds):
        ended = self.over.wait(seconds)
        if ended:
            self._thread.join()
        return ended


def test_the_first_administrator_comes_by_a_link_that_works_once(browse, store, clock):
    with store.write() as connection:
        token = invitations.invite_first(connection, clock.now_us())
    browser = browse()
    for method in ("GET", "HEAD", "GET"):  # a mail's scanner looks, too
        assert browser.request(method, f"/invite/{token}").status_code == 200
    shown = browser.get(f"/invite/{token}").text
    assert "primer administrador" in shown
    refused = (
        ({"name": "Sereno", "password": PASSWORD, "again": PASSWORD}, "No es un nombre"),
        ({"name": "ana", "password": "corta", "again": "corta"}, "12 caracteres"),
        ({"name": "ana", "password": "anaanaanaana", "again": "anaanaanaana"}, "el nombre y poco más"),
        ({"name": "ana", "password": PASSWORD, "again": PASSWORD + "!"}, "no son iguales"),
    )
    for fields, why in refused:
        answer = browser.send_form(f"/invite/{token}", **fields)
        assert (answer.status_code, why in answer.text) == (422, True), why
        assert fields["password"] not in answer.text
    done = browser.send_form(f"/invite/{token}", name=" Ana ", password=PASSWORD, again=PASSWORD, locale="es_CR")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert browser.get("/users").status_code == 200
    assert browse().get(f"/invite/{token}").status_code == 410
    assert browse().get("/").headers["location"] == "/login?next=/"
    with store.read() as connection:
        ana = users.needed(connection, "ana")
    assert (ana.role, ana.locale, ana.has_password) == ("admin", "es_CR", True)
    assert audited(store)[:2] == [("ana", "login", "done"), ("ana", "user.add", "done")]


def test_a_password_lets_in_and_a_wrong_one_says_nothing_of_the_name(browse, store):
    account(store, "ana", "operator")
    browser = browse()
    unknown, wrong = browser.login("nobody", PASSWORD), browser.login("ana", "no es esta frase")
    assert (unknown.status_code, wrong.status_code) == (403, 403)
    assert re.sub(r"\d\d:\d\d|now-ms=\"\d+\"", "", unknown.text) == re.sub(r"\d\d:\d\d|now-ms=\"\d+\"", "", wrong.text)
    inside = browser.login("ANA ", PASSWORD, next="/incidents?state=open")
    assert inside.headers["location"] == "/incidents?state=open"
    crumbs = inside.headers["set-cookie"]
    assert all(word in crumbs for word in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert "Secure" not in crumbs  # no TLS here
    assert browser.get("/").status_code == 200
    before = browser.kept("session")
    browser.login("ana", PASSWORD)
    assert browser.kept("session") != before
    assert browse(before).get("/").status_code == 303  # a new login takes the place of the old one
    assert ("ana", "login", "refused") in audited(store, "login")
    assert "nobody" not in str(audited(store))


def test_a_session_ends_when_idle_old_or_with_its_account(browse, store, clock):
    account(store, "root", "admin")
    account(store, "ana", "operator")

    def inside(browser):
        return browser.get("/").status_code == 200

    idle = browse(cookie(store, "ana", clock.now_us()))
    assert inside(idle)
    clock.advance(sessions.IDLE_US / SECOND_US - 5)
    assert inside(idle)
    eventually(lambda: _seen(store) == clock.now_us(), "it is noted that somebody was there")
    clock.advance(sessions.IDLE_US / SECOND_US - 5)
    assert inside(idle)
    clock.advance(sessions.IDLE_US / SECOND_US + 5)
    assert not inside(idle)

    for ends in (
        lambda c: users.set_password(c, act(), "ana", hashed()),
        lambda c: users.set_role(c, act(), "ana", "viewer"),
        lambda c: users.disable(c, act(), "ana"),
    ):
        with store.write() as connection:
            users.enable(connection, act(), "ana")
        browser = browse(cookie(store, "ana", clock.now_us()))
        assert inside(browser)
        with store.write() as connection:
            ends(connection)
        assert not inside(browser)


def _seen(store):
    with store.read() as connection:
        return max(row.seen_us for row in connection.execute(sessions.sessions.select()))


def test_logging_out_ends_this_one_and_everywhere_ends_the_others(browse, store):
    account(store, "ana", "operator")
    one, two, three = (browse(cookie(store, "ana")) for _ in range(3))
    assert one.get("/account").text.count("test") >= 3
    assert one.send_form("/logout").headers["location"] == "/login"
    assert one.get("/account").status_code == 303
    two.send_form("/account/sessions", session="others")
    assert (two.get("/account").status_code, three.get("/account").status_code) == (200, 303)
    stolen = two.kept("session")
    new = "otras tres palabras"
    changed = two.send_form("/account/password", current=PASSWORD, password=new, again=new)
    assert changed.headers["location"] == "/account?done=password"
    assert two.get("/account").status_code == 200
    assert browse(stolen).get("/account").status_code == 303  # whoever had the old cookie is out
    assert two.send_form("/account/password", current=PASSWORD, password="x" * 12, again="x" * 12).status_code == 422


def test_guesses_are_slowed_and_it_is_kept_over_a_restart(store, clock):
    account(store, "ana", "operator")
    server = serving(store, clock)
    server.start()
    with Browsers(server.url) as browse:
        browser = browse()
        answers = [browser.login("ana", "no es esta frase").status_code for _ in range(7)]
        assert answers == [403] * 5 + [429] * 2  # the sixth, at once after the fifth, has to wait
    server.stop()
    server.start()
    with Browsers(server.url) as browse:
        slowed = browse().login("ana", PASSWORD)
        assert (slowed.status_code, 0 < int(slowed.headers["retry-after"]) <= 30) == (429, True)
        clock.advance(31)
        assert browse().login("ana", PASSWORD).status_code == 303
        assert browse().login("ana", "no es esta frase").status_code == 403
    server.stop()
    with store.read() as connection:
        assert len(connection.execute(login_failures.select()).all()) == 1  # the owner's success took hers away


def test_one_goes_nowhere_else_after_logging_in(browse, store):
    account(store, "ana", "operator")
    browser = browse()
    assert browser.login("ana", PASSWORD, next="//evil.example/").headers["location"] == "/"
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", "/login"):
        assert browser.get("/login", params={"next": evil}).headers["location"] == "/"
    assert browser.get("/login?next=/incidents").headers["location"] == "/incidents"


def test_until_there_is_an_account_this_machine_looks_and_nobody_acts(browse, store):
    stranger = browse()
    assert stranger.get("/").status_code == 200
    assert stranger.get("/", headers={"host": "evil.example"}).status_code == 303  # DNS rebinding
    assert stranger.get("/", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 303
    assert stranger.get("/users").status_code == 303
    stranger.get("/login")
    assert stranger.send_form("/incidents/1/ack").status_code == 401
    stream = Stream(browse.url)
    eventually(lambda: stream.events >= 2, "the page lives")
    account(store, "ana", "admin")
    assert stream.ends_within(2.5)
    assert stranger.get("/").headers["location"] == "/login?next=/"
    assert httpx.get(f"{browse.url}/events").status_code == 401


def test_a_live_page_ends_with_its_session(browse, store):
    account(store, "root", "admin")
    account(store, "ana", "viewer")
    first, second = cookie(store, "ana"), cookie(store, "ana")
    streams = [Stream(browse.url, first), Stream(browse.url, second)]
    eventually(lambda: all(stream.events >= 2 for stream in streams), "both pages live")
    browse(first).send_form("/logout")
    assert streams[0].ends_within(2.5)
    assert not streams[1].over.is_set()
    with store.write() as connection:
        users.disable(connection, act(), "ana")
    assert streams[1].ends_within(2.5)


def test_an_anonymous_viewer_sees_what_a_viewer_sees(store):
    account(store, "ana", "operator")
    server = serving(store, anonymous=True)
    server.start()
    with Browsers(server.url) as browse:
        wall = browse()
        assert wall.get("/?wall=1").status_code == 200
        assert wall.get("/incidents").status_code == 200
        assert wall.get("/forensics").status_code == 303
        assert 'href="/login' in wall.get("/").text
        assert not browse(cookie(store, "ana")).get("/forensics").headers.get("location", "").startswith("/login")
    server.stop()


def test_beyond_this_machine_nothing_is_open_and_metrics_need_a_token(store):
    server = serving(store, loopback=False)
    server.start()
    with Browsers(server.url) as browse:
        stranger = browse()
        assert stranger.get("/").status_code == 303
        assert "Todavía no hay ninguna cuenta" in stranger.get("/login").text
        assert stranger.get("/metrics").status_code == 401
        assert stranger.get("/healthz").status_code in {200, 503}
        with store.write() as connection:
            made, text = tokens.make_token(connection, act("ana"), "prometheus", ["metrics"])
            _, other = tokens.make_token(connection, act("ana"), "other", ["read"])
        bearer = {"authorization": f"Bearer {text}"}
        assert stranger.get("/metrics", headers=bearer).status_code == 503  # no collector runs in this test
        assert stranger.get("/metrics", headers={"authorization": f"Bearer {other}"}).status_code == 401
        assert stranger.get("/", headers=bearer).status_code == 403
        assert stranger.get("/", headers={"authorization": f"Bearer {other}"}).status_code == 200
        eventually(lambda: _used(store) is not None, "when it was used last")
        with store.write() as connection:
            tokens.revoke(connection, act("ana"), made.id)
        assert stranger.get("/metrics", headers=bearer).status_code == 401
    server.stop()


def _used(store):
    with store.read() as connection:
        return next(each for each in tokens.every_token(connection) if each.name == "prometheus").used_us


def test_a_storm_of_logins_is_told_to_come_back_and_pages_go_on(browse, store, monkeypatch):
    account(store, "ana", "operator")
    page, guesser, codes, go_on = browse(cookie(store, "ana")), browse(), [], threading.Event()
    monkeypatch.setattr(passwords, "verified", lambda *_: not go_on.wait(30))  # as slow as can be
    guesser.get("/login")

    def guess(number):
        answer = guesser.send_form("/login", name=f"nobody{number}", password="no es esta frase")
        codes.append((answer.status_code, answer.headers.get("retry-after")))

    storm = [threading.Thread(target=guess, args=(number,)) for number in range(MOST_WAITING + 4)]
    for each in storm:
        each.start()
    eventually(lambda: len(codes) == 4, "what is too much is told to come back")
    assert codes == [(503, "2")] * 4
    assert page.get("/").status_code == 200
    assert page.get("/account").status_code == 200
    go_on.set()
    for each in storm:
        each.join()
    assert sorted(codes) == [(403, None)] * MOST_WAITING + [(503, "2")] * 4
    with store.read() as connection:  # whose password nobody looked at has not failed
        assert len(connection.execute(login_failures.select()).all()) == MOST_WAITING


def test_when_the_store_cannot_be_read_nobody_is_let_in(store, monkeypatch):
    account(store, "ana", "operator")
    server = serving(store)
    server.start()
    with Browsers(server.url) as browse:
        browser = browse(cookie(store, "ana"))
        assert browser.get("/").status_code == 200
        store.engine.dispose()

        def broken():
            from sereno.errors import StoreError

            raise StoreError("the database is away")

        monkeypatch.setattr(store, "read", broken)
        answer = browser.get("/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert browse().get("/").status_code == 503
        assert browser.get("/static/css/sereno.css").status_code == 200
        monkeypatch.undo()
        assert browser.get("/").status_code == 200
    server.stop()
