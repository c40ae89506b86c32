"""Login by an identity provider, against a local HTTP server that is shaped like one (no real provider runs here)."""

import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from identity_provider import CLIENT, SECRET, Provider
from joserfc.jwk import RSAKey
from people import Browsers, account, act
from web_server import Served

from dashboards.web.accounts import Access, provider_of
from dashboards.web.accounts.provider import Exchange, ProviderError
from dashboards.web.app import create_app
from sereno.accounts import users
from sereno.accounts.log import Asked, lines
from sereno.desk.web import Oidc
from sereno.store import open_store


@pytest.fixture(scope="module")
def provider():
    with Provider() as made:
        yield made


@pytest.fixture(autouse=True)
def there(provider):
    """As new before each test; its key is the same, because making one takes long."""
    provider.spoil, provider.signing, provider.published = (lambda claims: claims), provider.key, {}
    provider.userinfo, provider.slow = {}, 0.0
    return provider


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("data"))
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def url(provider, store, tmp_path_factory):
    kept = tmp_path_factory.mktemp("secrets") / "oidc.secret"
    kept.write_text(f"{SECRET}\n")
    oidc = Oidc.model_validate({
        "issuer": provider.issuer, "client_id": CLIENT, "client_secret": {"file": str(kept)},
        "roles": {"noc": "operator", "boss": "admin", "am": "manager"}, "customers": "accounts", "label": "Acme ID",
    })  # fmt: skip
    account(store, "root", "admin")
    server = Served(lambda: create_app(store, access=Access(provider=provider_of(oidc))))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def browse(url):
    with Browsers(url) as made:
        yield made


def away(browser, path="/login/oidc?next=/incidents"):
    """Where the browser is sent, as the provider reads it."""
    sent = browser.get(path)
    assert sent.status_code == 303, sent.text
    return {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}


def back(browser, there, asked, **claims):
    """With one identity for each name, unless a claim says otherwise."""
    claims = {"sub": claims.get("preferred_username", "s-1").lower(), **claims}
    return browser.get("/login/oidc/back", params={"code": there.code(asked, **claims), "state": asked["state"]})


def refused(answer, fault="provider"):
    return answer.status_code == 303 and answer.headers["location"] == f"/login?fault={fault}"


def test_somebody_comes_in_with_the_role_of_a_claim_and_keeps_to_it(browse, there, store):
    browser = browse()
    assert "Acme ID" in browser.get("/login").text
    asked = away(browser)
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == f"{browse.url}/login/oidc/back"
    arrived = back(
        browser, there, asked, groups=["noc", "all"], preferred_username="Eva.Mora", email="eva@acme.example"
    )
    assert arrived.headers["location"] == "/incidents"
    with store.read() as connection:
        eva = users.needed(connection, "eva.mora")
    assert (eva.role, eva.subject, eva.has_password) == ("operator", f"{there.issuer}|eva.mora", False)
    assert browser.get("/forensics").status_code != 403
    assert browser.get("/users").status_code == 403
    back(browser, there, away(browser), groups=["am"], accounts=["acme"], preferred_username="eva.mora")
    with store.read() as connection:
        eva = users.needed(connection, "eva.mora")
        said = [(line.who, line.how, line.what, line.outcome) for line in lines(connection, Asked(who="eva.mora"), 9)]
    assert (eva.role, eva.customers) == ("manager", ("acme",))
    assert ("eva.mora", "oidc", "login", "done") in said
    assert ("eva.mora", "oidc", "user.role", "done") in said


def test_the_role_may_stand_in_userinfo_alone(browse, there, store):
    browser = browse()
    there.userinfo = {"sub": "info", "groups": "boss"}
    assert back(browser, there, away(browser), preferred_username="info").headers["location"] == "/incidents"
    with store.read() as connection:
        assert users.needed(connection, "info").role == "admin"
    there.userinfo = {"sub": "somebody-else", "groups": "boss"}
    assert refused(back(browse(), there, away(browse()), preferred_username="info"))


def test_who_has_no_role_is_refused_and_so_is_a_name_that_is_somebodys(browse, there, store):
    browser = browse()
    assert refused(back(browser, there, away(browser), groups=["other"], preferred_username="leo"), "refused")
    assert "ningún rol" in browser.get("/login?fault=refused").text
    assert refused(back(browser, there, away(browser), groups=["noc"], preferred_username="root"), "taken")
    with store.read() as connection:
        assert users.user_named(connection, "leo") is None
        assert users.needed(connection, "root").subject is None


def test_who_is_disabled_here_stays_out(browse, there, store):
    browser = browse()
    back(browser, there, away(browser), groups=["noc"], preferred_username="sol")
    with store.write() as connection:
        users.disable(connection, act(), "sol")
    assert refused(back(browser, there, away(browser), groups=["noc"], preferred_username="sol"), "refused")


WRONG = (
    {"iss": "https://evil.example"}, {"aud": "another"}, {"nonce": "another"}, {"exp": 1_000_000}, {"sub": ""},
    {"aud": ["sereno", "another"], "azp": "another"},
)  # fmt: skip


def test_a_token_that_does_not_hold_opens_nothing(browse, there, store):
    browser = browse()
    for wrong in WRONG:
        there.spoil = lambda claims, wrong=wrong: {**claims, **wrong}
        assert refused(back(browser, there, away(browser), groups=["boss"], preferred_username="mal")), wrong
    with store.read() as connection:
        assert users.user_named(connection, "mal") is None


def test_what_another_key_signed_opens_nothing(browse, there):
    browser = browse()
    there.signing = RSAKey.generate_key(2048, {"kid": "one"})
    assert refused(back(browser, there, away(browser), groups=["boss"], preferred_username="mal"))


def test_only_the_browser_that_was_sent_away_comes_back_and_only_once(browse, there):
    victim, attacker = browse(), browse()
    asked = away(attacker)
    stolen = there.code(asked, groups=["boss"], preferred_username="eva")
    assert refused(victim.get("/login/oidc/back", params={"code": stolen, "state": asked["state"]}))
    assert refused(attacker.get("/login/oidc/back", params={"code": stolen, "state": "another"}))
    asked = away(attacker)
    once = {"code": there.code(asked, groups=["noc"], preferred_username="eva"), "state": asked["state"]}
    assert attacker.get("/login/oidc/back", params=once).headers["location"] == "/incidents"
    assert refused(attacker.get("/login/oidc/back", params=once))
    for junk in ("", "zz", "00", "5b5d", "ff" * 2_000):
        attacker.cookies.set("sereno_oidc", junk, domain="127.0.0.1", path="/")
        assert refused(attacker.get("/login/oidc/back", params={"code": "x", "state": ""}))


def test_a_provider_that_says_it_is_another_is_not_believed(there):
    exchange = Exchange(provider_of(Oidc(issuer=there.issuer, client_id=CLIENT, roles={"noc": "operator"})))
    for published in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": 3},
    ):
        there.published = published
        with pytest.raises(ProviderError, match="discovery document"):
            exchange.away("http://127.0.0.1/login/oidc/back", "/")
    there.published = {}
    exchange.away("http://127.0.0.1/login/oidc/back", "/")
    before = len(there.asked)
    exchange.away("http://127.0.0.1/login/oidc/back", "/")
    assert len(there.asked) == before  # what it publishes is kept


def test_a_slow_provider_keeps_nobody_waiting(browse, there):
    browser = browse()
    asked = away(browser)
    there.slow = 1.0
    waiting = threading.Thread(target=back, args=(browser, there, asked), kwargs={"groups": ["noc"]})
    waiting.start()
    until = time.monotonic() + 5
    while "/token" not in there.asked[-1:]:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert browse().get("/login").status_code == 200
    assert waiting.is_alive()  # the page came while the provider still thought
    waiting.join()
