"""The page under TLS and behind a proxy, served as the collector serves it."""

import asyncio
import socket
import ssl
import threading

import pytest
from people import PASSWORD, Browsers, account, eventually
from pki import Pki

from dashboards.web.app import create_app
from sereno.cli._serving import access_of, at_least_tls_1_2, bound, serve
from sereno.listen import Listen, listen_of
from sereno.store import open_store
from sereno.store.tables import login_failures


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    account(opened, "ana", "operator")
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    made = Pki(tmp_path_factory.mktemp("pki"))
    return made.ca, *made.issue("page", "IP:127.0.0.1")


class Serving:
    """In a thread with a loop of its own; ended as a collector ends it."""

    def __init__(self, store, listen):
        self._listen, self._listener = listen, bound(listen)
        self.url = listen.url(self._listener.getsockname()[1])
        self._app = create_app(store, access=access_of(None, listen))
        self._loop, self._task = asyncio.new_event_loop(), None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        eventually(self._answers, "the page")
        return self

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(self._listener.getsockname()) == 0

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(serve(self._app, self._listen, self._listener))
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_under_tls_cookies_are_of_this_host_alone_and_browsers_stay_with_tls(store, pki):
    ca, certificate, key = pki
    listen = listen_of("127.0.0.1:0", certificate, key, None)
    with Serving(store, listen) as served, Browsers(served.url) as browse:
        assert served.url.startswith("https://127.0.0.1:")
        browser = browse(verify=ssl.create_default_context(cafile=ca))
        shown = browser.get("/login")
        assert shown.headers["strict-transport-security"] == "max-age=31536000"
        assert shown.headers["set-cookie"].startswith("__Host-sereno_form=")
        inside = browser.login("ana", PASSWORD)
        assert inside.status_code == 303
        crumb = next(each for each in inside.headers.get_list("set-cookie") if "session" in each)
        assert crumb.startswith("__Host-sereno_session=")
        assert all(word in crumb for word in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"))
        assert "Domain" not in crumb
        assert browser.get("/").status_code == 200
        plain = browse(verify=ssl.create_default_context(cafile=ca))
        plain.cookies.set("sereno_session", browser.kept("session"), domain="127.0.0.1", path="/")
        assert (
            plain.get("/").status_code == 303
        )  # a name that another host or a plain page could have set counts nothing
    made = at_least_tls_1_2(None, lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_named_proxy_is_believed_and_nothing_is_open_behind_it(store):
    listen = listen_of("127.0.0.1:0", None, None, ["127.0.0.1"])
    with Serving(store, listen) as served, Browsers(served.url) as browse:
        browser = browse()
        through = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
        shown = browser.get("/login", headers=through)
        assert "strict-transport-security" in shown.headers
        assert shown.headers["set-cookie"].startswith("__Host-")
        assert browser.get("/metrics").status_code == 401
        refused = browser.post("/login", data={"name": "ana", "password": PASSWORD, "csrf": "x"}, headers=through)
        assert refused.status_code == 403
    with store.read() as connection:
        assert connection.execute(login_failures.select()).all() == []  # a form of another page counts for nothing


def test_whoever_is_no_named_proxy_is_not_believed(store):
    listen = Listen(host="127.0.0.1", port=0)
    with Serving(store, listen) as served, Browsers(served.url) as browse:
        answer = browse().get("/login", headers={"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"})
        assert "strict-transport-security" not in answer.headers
        assert not answer.headers["set-cookie"].startswith("__Host-")
