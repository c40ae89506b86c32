"""Every route asks who comes: all routes × all roles, against the table of permissions."""

import time

import pytest
from people import Browsers, account, cookie
from starlette.routing import Mount, Route
from web_seed import Seed
from web_server import Served

from dashboards.web.api.serving import Endpoint
from dashboards.web.app import create_app
from dashboards.web.pages import topics_of
from dashboards.web.site import Site
from sereno.accounts import MAY, PERMISSIONS, ROLES
from sereno.clock import SystemClock
from sereno.store import open_store

BY_THEMSELVES = {"/events", "/ack/{token}", "/api", "/api/{rest:path}"}  # told apart below, and in their own tests
VALUES = {"int": "1", "str": "x", "path": "x", "float": "1.0", "uuid": "0" * 32}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("data"))
    seed = Seed(opened, time.time_ns() // 1_000)
    seed.all_up()
    seed.incident()
    for role in ROLES:
        account(opened, role, role, customers=["acme"] if role == "manager" else ())
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def app(store):
    return create_app(store)


@pytest.fixture(scope="module")
def url(app):
    server = Served(lambda: app)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def browse(url):
    with Browsers(url) as made:
        yield made


def routes(app):
    return [route for route in app.routes if not isinstance(route, Mount) and route.path not in BY_THEMSELVES]


def asked(app):
    """Every page's route: (path to ask for, method, permission)."""
    for route in routes(app):
        if isinstance(route.endpoint, Endpoint):
            continue
        path = route.path
        for name, convertor in route.param_convertors.items():
            kind = type(convertor).__name__.removesuffix("Convertor").lower().replace("integer", "int")
            for written in (f"{{{name}:{kind}}}", f"{{{name}}}"):
                path = path.replace(written, VALUES.get(kind.replace("string", "str"), "x"))
        for method in sorted(route.methods - {"HEAD"}):
            yield path, method, route.endpoint.permission


def test_every_route_names_who_may(app):
    nameless = []
    for route in routes(app):
        assert isinstance(route, Route), route
        if isinstance(route.endpoint, Endpoint):
            continue
        found = getattr(route.endpoint, "permission", None)
        if found not in {*PERMISSIONS, "account", "everybody"}:
            nameless.append(route.path)
    assert nameless == [], "wrap each in guarded(…), signed_in(…) or for_all(…) of dashboards/web/access.py"


def test_what_everybody_may_is_what_one_needs_to_come_in(app):
    open_to_all = {path for path, _, permission in asked(app) if permission == "everybody"}
    assert open_to_all == {"/login", "/invite/x", "/metrics", "/healthz", "/api/v1/openapi.json", "/api/v1/docs"}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_what_the_table_says(app, browse, store, role):
    browser = browse(cookie(store, role))
    wrong = []
    for path, method, permission in asked(app):
        if permission == "everybody" or path == "/logout":
            continue
        allowed = permission == "account" or permission in MAY[role]
        answer = browser.send_form(path) if method == "POST" else browser.request(method, path)
        towards = answer.headers.get("location", "")
        refused = answer.status_code in {401, 403} or towards.startswith("/login")
        refused |= role == "manager" and path == "/" and towards == "/reports"  # their first page
        if refused == allowed:
            wrong.append(f"{method} {path} ({permission}): {answer.status_code}")
    assert wrong == []


def test_who_does_not_log_in_sees_nothing_and_is_shown_the_door(app, browse):
    stranger = browse()
    for path, method, permission in asked(app):
        if permission == "everybody":
            continue
        answer = stranger.request(method, path, headers={"sec-fetch-site": "same-origin"})
        if method == "GET":
            assert (answer.status_code, answer.headers["location"][:12]) == (303, "/login?next="), path
        else:
            assert answer.status_code == 401, (method, path)


def test_nothing_is_changed_without_the_key_of_the_form(app, browse, store):
    """An administrator's browser that another site's page made send a form: no key, the wrong key, another site."""
    browser = browse(cookie(store, "admin"))
    for path, method, permission in asked(app):
        if method != "POST" or permission == "everybody":
            continue
        for data, headers in (
            ({}, {"sec-fetch-site": "same-origin"}),
            ({"csrf": "0" * 64}, {"sec-fetch-site": "same-origin"}),
            ({"csrf": browser.key}, {"sec-fetch-site": "cross-site"}),
            ({"csrf": browser.key}, {"sec-fetch-site": "same-site"}),
            ({"csrf": browser.key}, {"origin": "http://evil.example"}),
            ({"csrf": browser.key}, {"origin": "null"}),
        ):
            answer = browser.post(path, data=data, headers=headers)
            if path == "/logout" and not data.get("csrf"):
                assert answer.headers["location"] == "/account"  # nothing happened but going back
            else:
                assert answer.status_code == 403 or answer.headers.get("location") == "/account", (path, data, headers)
    assert browser.get("/account").status_code == 200


def test_each_live_topic_is_refused_to_those_who_may_not_see_its_page(browse, store):
    site = Site(store, SystemClock())
    topics = topics_of(site)
    site.close()
    assert topics
    for name, topic in topics.items():
        for role in ROLES:
            if topic.permission not in MAY[role]:
                browser = browse(cookie(store, role))
                assert browser.get(f"/events?topic={name}/sbc-1%2Fcore-a").status_code == 403, (name, role)
        assert browse().get(f"/events?topic={name}").status_code == 401
