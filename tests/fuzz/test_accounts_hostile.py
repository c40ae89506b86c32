"""Cookies, tokens, forms and links as an attacker writes them: refused in order, never a failure of the server."""

import time
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import account
from web_server import Served

from dashboards.web.accounts.oidc import _unpacked
from dashboards.web.app import create_app
from sereno.accounts.log import _place
from sereno.store import open_store

LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=";\x7f"), max_size=80)
NAMES = st.sampled_from(["sereno_session", "sereno_form", "sereno_oidc", "__Host-sereno_session", "lang", "$x"])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("data"))
    account(store, "ana", "admin")
    server = Served(lambda: create_app(store))
    server.start()
    with httpx.Client(base_url=server.url, timeout=10, verify=False) as client:  # noqa: S501 - there is no TLS
        yield client
    server.stop()
    store.dispose()


@given(st.dictionaries(NAMES, LATIN, max_size=4), st.one_of(st.none(), LATIN), LATIN)
@settings(max_examples=60, deadline=None)
def test_a_cookie_or_token_that_is_none_is_a_stranger(served, cookies, token, scheme):
    headers = [(b"cookie", "; ".join(f"{k}={v}" for k, v in cookies.items()).encode("latin-1"))]
    if token is not None:
        headers.append((b"authorization", f"{scheme or 'Bearer'} {token}".strip().encode("latin-1")))
    assert served.get("/users", headers=headers).status_code in {303, 400}
    assert served.get("/events", headers=headers).status_code in {400, 401}


@given(
    st.dictionaries(st.sampled_from(["csrf", "name", "password", "next", "x"]), st.text(max_size=60), max_size=5),
    st.sampled_from(["/login", "/invite/x", "/logout", "/account/password", "/users", "/tokens"]),
)
@settings(max_examples=60, deadline=None)
def test_a_form_that_is_not_of_a_page_of_ours_does_nothing(served, fields, path):
    answer = served.post(path, data={k: v.encode("utf-8", "replace") for k, v in fields.items()})
    assert answer.status_code in {400, 401, 403, 410, 303}
    if answer.status_code == 303:
        assert answer.headers["location"] in {"/account", "/login"}
    assert "sereno_session" not in answer.headers.get("set-cookie", "")


@given(
    st.binary(max_size=300),
    st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]),
)
@settings(max_examples=50, deadline=None)
def test_a_body_of_any_octets_is_refused_in_order(served, body, kind):
    answer = served.post("/login", content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code in {400, 403}


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=80))
@settings(max_examples=60, deadline=None)
def test_a_link_that_is_none_opens_nothing(served, token):
    answer = served.get(f"/invite/{quote(token, safe='')}")
    assert answer.status_code in {410, 404, 405, 307}


@given(st.text(max_size=200))
def test_an_oidc_cookie_is_one_of_ours_or_nothing(text):
    _unpacked(text)


@given(st.text(max_size=80))
def test_a_place_in_the_log_is_one_or_the_beginning(text):
    found = _place(text)
    assert found is None or found[1] in {"account", "desk"}


def test_a_form_of_too_much_is_refused(served):
    many = {f"f{number}": "x" for number in range(60)}
    assert served.post("/login", data=many).status_code in {400, 403}
    began = time.monotonic()
    assert served.post("/login", data={"name": "a" * 1_000_000, "csrf": "x"}).status_code in {400, 403, 413}
    assert time.monotonic() - began < 5
