"""The API on a served page and a desk at work: what its document says, who may, what is refused and how."""

import re
from pathlib import Path
from unittest.mock import Mock

import httpx
import jsonschema
import pytest
from api_site import ApiSite

from dashboards.web.api.caller import OPENLY
from dashboards.web.api.context import Context
from dashboards.web.api.limits import Buckets
from dashboards.web.api.openapi import document
from dashboards.web.api.resources import every_operation
from dashboards.web.refusal import Refused
from sereno.accounts import MEANS, SCOPES, Act, sessions, users
from sereno.accounts.secret import form_key
from sereno.clock import FakeClock
from sereno.store import open_store
from sereno.store.tables import audit, commands

JSON = {"Content-Type": "application/json"}


OPERATIONS = tuple(every_operation(Context(Mock(), None, None)))  # nobody is asked for the document
DOCUMENT = document(OPERATIONS, open_house=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("data"))
    with ApiSite(store) as made:
        made.number = made.open_core()
        yield made
    store.dispose()


@pytest.fixture(scope="module")
def web(site):
    with httpx.Client(base_url=f"{site.page.url}/api/v1", timeout=30) as client:
        yield client


def filled(one):
    """A path that leads somewhere."""
    names = {"sbc": "sbc-1", "core": "core-a", "name": "admin", "number": "1"}
    return one.path.format_map(names)


# -- the document ------------------------------------------------------------------------------------------------------


def test_the_document_is_whole():
    schemas = DOCUMENT["components"]["schemas"]
    for name, schema in schemas.items():
        assert re.fullmatch("[A-Za-z]+", name), "two shapes have one name"
        jsonschema.Draft202012Validator.check_schema(schema)
    said = repr(DOCUMENT)
    assert "(?!" not in said, "what ends a pattern for Python alone"
    assert {*re.findall(r"'pattern': '([^']*\\\\[sdwb][^']*)'", said)} <= {"[^\\\\s\\\\u001c-\\\\u001f\\\\u0085]"}
    assert set(re.findall(r"#/components/schemas/(\w+)", said)) == set(schemas)
    names = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS)
    for name in re.findall(r"'operationId': '(\w+)'", said):
        assert name in names


def test_every_answer_is_as_its_document_says(site, web):
    """Of every resource that can be looked at; schemathesis does the same with whatever it can think of."""
    asked = {"/availability": {"scope": "service"}, "/reports/{number}/file": {"format": "json"}}
    for one in OPERATIONS:
        if one.method != "GET" or one.path == "/reports/{number}/file":
            continue
        url = filled(one)
        if one.path in {"/maintenance/{number}", "/alarms/silences/{number}"}:
            continue
        answer = web.get(url, params=asked.get(one.path), headers=site.headers())
        assert answer.status_code == 200, (url, answer.text)
        declared = DOCUMENT["paths"][one.url]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**DOCUMENT, **declared}).validate(answer.json())
        assert answer.headers["cache-control"] == "no-cache, private"
        again = web.get(url, params=asked.get(one.path), headers=site.headers() | {"If-None-Match": "*"})
        assert (again.status_code, again.content) == (304, b"")


def test_the_guide_has_every_resource_and_nothing_else():
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `((?:GET|POST) /api/v1[^`]*)`", guide, re.MULTILINE))
    for line in re.findall(r"^\| `(POST /api/v1\S*/)\w+` \|.*and so (.*?)(?: \||$)", guide, re.MULTILINE):
        told |= {line[0] + verb for verb in re.findall(r"`(\w+)`", line[1])}
    assert told == {f"{one.method} {one.url}" for one in OPERATIONS}
    for scope in SCOPES:
        assert f"| `{scope}` |" in guide
    statuses = {str(status) for one in OPERATIONS for status in (one.status, *one.refusals)} - {"500"}
    for status in statuses:
        assert re.search(rf"^\| [\d, ]*{status}", guide, re.MULTILINE), status


# -- who may -----------------------------------------------------------------------------------------------------------


def test_a_scope_opens_what_it_means_and_nothing_else(site, web):
    for name in SCOPES:
        may = MEANS[name] | ({"alerts"} if name == "alerts" else set())
        for one in OPERATIONS:
            allowed = not one.needs or not may.isdisjoint(one.needs)
            if allowed and (one.method == "POST" or one.heavy):
                continue  # they are done elsewhere here
            answer = web.request(
                one.method, filled(one), headers=site.headers(name) | JSON,
                content=b"{}" if one.method == "POST" else None,
            )  # fmt: skip
            assert (answer.status_code == 403) is (not allowed), (name, one.name, answer.text)


def test_without_or_with_a_wrong_token_nothing_is_told(site, web):
    for headers in ({}, {"Authorization": "Bearer sereno_" + "a" * 43}, {"Authorization": "Basic YTpi"}):
        for one in OPERATIONS:
            answer = web.request(one.method, filled(one), headers=headers | JSON)
            assert answer.status_code == 401, one.name
            assert "Bearer" in answer.headers["www-authenticate"]
            assert set(answer.json()) == {"error"}
    assert web.get("/openapi.json").status_code == web.get("/docs").status_code == 200


def test_a_token_of_one_customer_sees_nothing_of_another(site, web):
    ours = {"title": "Sin tono en la sede", "customer": "acme"}
    made = web.post("/incidents", json=ours, headers=site.headers("acme"))
    assert made.status_code == 201, made.text
    other = web.post("/incidents", json={"title": "Sin tono en Beta", "customer": "beta"}, headers=site.headers())
    both = {"title": "Falla de Acme y de Beta", "customer": "acme,beta", "description": "llamó Beta"}
    shared = web.post("/incidents", json=both, headers=site.headers()).json()["number"]
    mine = site.headers("acme")
    seen = web.get("/incidents", headers=mine).json()["incidents"]
    assert {made.json()["number"], shared} <= {one["number"] for one in seen}
    assert other.json()["number"] not in {one["number"] for one in seen}
    assert "beta" not in repr(seen).casefold()
    assert web.get(f"/incidents/{other.json()['number']}", headers=mine).status_code == 404
    assert web.post(f"/incidents/{other.json()['number']}/ack", json={}, headers=mine).status_code == 404
    assert web.get("/incidents?customer=beta", headers=mine).json()["incidents"] == []
    assert web.post("/incidents", json={"title": "x", "customer": "beta"}, headers=mine).status_code == 409
    assert web.get("/availability?scope=site:acme-bog", headers=mine).status_code == 200
    for scope in ("site:beta-sjo", "customer:beta", "service", "sbc:sbc-1"):
        assert web.get("/availability", params={"scope": scope}, headers=mine).status_code == 404
    said = web.get("/verdicts", headers=mine).json()["elements"]
    assert {one["name"] for one in said} == {"acme-voice", "acme-bog"}
    for one in OPERATIONS:
        if not one.limited:
            answer = web.request(one.method, filled(one), headers=mine | JSON)
            assert answer.status_code == 403, one.name


def test_a_session_acts_with_the_key_of_its_forms(site, web):
    with site.store.write() as connection:
        act = Act(who="test", how="cli", at_us=site.clock.now_us())
        if users.user_named(connection, "olga") is None:
            users.add_user(connection, act, "olga", "operator", password="x")
        cookie = sessions.begin(connection, act, users.needed(connection, "olga"), agent=None, lives=sessions.Lives())
    session = {"Cookie": f"sereno_session={cookie}"}
    assert web.get("/whoami", headers=session).json()["name"] == "olga"
    path = f"/incidents/{site.number}/note"
    assert web.post(path, json={"note": "x"}, headers=session).status_code == 403
    assert web.post(path, json={"note": "x"}, headers=session | {"X-CSRF": "y"}).status_code == 403
    done = web.post(path, json={"note": "lo veo"}, headers=session | {"X-CSRF": form_key(cookie)})
    assert done.json()["incident"]["timeline"][-1]["who"] == "olga"
    assert web.get("/users", headers=session).status_code == 403


def test_an_open_house_says_what_may_be_asked_there(tmp_path):
    store = open_store(tmp_path / "data")
    with ApiSite(store, open_house=True) as site, httpx.Client(base_url=site.page.url) as web:
        found = web.get("/api/v1/openapi.json").json()
        for one in OPERATIONS:
            free = {} in found["paths"][one.url][one.method.lower()]["security"]
            assert free is (not one.needs or not OPENLY.isdisjoint(one.needs)), one.name
            if one.heavy:
                continue
            answer = web.request(one.method, "/api/v1" + filled(one), headers=JSON)
            assert (answer.status_code == 401) is (not free), (one.name, answer.text)
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "192.0.2.1"}):
            assert web.get("/api/v1/verdicts", headers=headers).status_code in {401, 403}
    store.dispose()


# -- how it answers ----------------------------------------------------------------------------------------------------


def test_what_is_not_declared_is_refused_by_name(site, web):
    for url, status, words in (
        ("/verdicts?colour=red", 422, "kind, name"),
        ("/verdicts?kind=planet", 422, "kind"),
        ("/verdicts?kind=sbc&kind=core", 422, "twice"),
        ("/incidents?state=asleep", 400, "state"),
        ("/incidents?limit=0", 400, "limit"),
        ("/availability", 422, "scope"),
        ("/availability?scope=service&month=2026-13", 422, "month: expected a month, such as 2026-10"),
        ("/availability?scope=service&from=2026-01-01T00:00:00+00:00&to=2026-01-02T00:00Z", 422, "%2B"),
        ("/availability?scope=service&from=2026-02-29T00:00Z&to=2026-03-01T00:00Z", 422, "from: expected an instant"),
        ("/availability?scope=service&from=2026-01-02T00:00Z&to=2026-01-01T00:00Z", 409, "before"),
        ("/availability?scope=service&month=2026-10&from=2026-01-02T00:00Z", 409, "month"),
        ("/availability?scope=site:nowhere", 404, "nowhere"),
        ("/availability?scope=service%0A", 422, "scope"),
        ("/availability?scope=service&month=2026-10%0A", 422, "month"),
        ("/users/ana%0A", 404, "ana"),
        ("/paths/sbc-9/core-a", 404, "sbc-9"),
        ("/forensics?path=sbc-1/core-a&sbc=sbc-1", 409, "path and sbc"),
        ("/incidents/0", 404, "0"),
        ("/nothing", 404, "/docs"),
    ):
        answer = web.get(url, headers=site.headers())
        assert answer.status_code == status, (url, answer.text)
        assert words in answer.json()["error"], answer.text
        assert set(answer.json()) == {"error"}
        assert "(?!" not in answer.json()["error"]
        assert "\n" not in answer.json()["error"]
    wrong = {"scope": {"kind": "sbc", "name": "sbc-1"}, "from": "2026-01-01T00:00Z", "to": "soon"}
    answer = web.post("/maintenance", json=wrong, headers=site.headers())
    assert (answer.status_code, "to" in answer.json()["error"]) == (422, True)
    answer = web.post("/maintenance", json={**wrong, "why": "x"}, headers=site.headers())
    assert "critical_fix" in answer.json()["error"]
    for key, value in (
        ("locale", "es_CO\n"),
        ("email", "a@b.example\n"),
        ("email", "\x1ea@b.example"),
        ("name", "eva\n"),
    ):
        wanted = {"name": "eva", "role": "viewer", key: value}
        answer = web.post("/users", json=wanted, headers=site.headers("users"))
        assert (answer.status_code, key in answer.json()["error"]) == (422, True), answer.text


@pytest.mark.parametrize("depth", [30, 900, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_what_is_deep_in_itself_is_refused(site, web, depth, opens, closes):
    raw = f'{{"title": {opens * depth}1{closes * depth}}}'
    answer = web.post("/incidents", content=raw, headers=site.headers() | JSON)
    assert (answer.status_code, "\n" in answer.text) == (400, False), answer.text


def test_the_protocol_is_kept(site, web):
    head = web.head("/verdicts", headers=site.headers())
    assert (head.status_code, head.content) == (200, b"")
    options = web.options("/incidents")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "BREW"):
        answer = web.request(method, "/incidents", headers=site.headers())
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert web.get("/verdicts", headers=site.headers() | {"Accept": "text/html"}).status_code == 406
    assert web.get("/verdicts", headers=site.headers() | {"Accept": "text/html, */*;q=0.1"}).status_code == 200
    for kind, status in (("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json", 400)):
        answer = web.post("/incidents", content=b"[", headers=site.headers() | {"Content-Type": kind})
        assert answer.status_code == status
    assert web.post("/incidents", json={"title": "x" * 70_000}, headers=site.headers()).status_code == 413
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (web.options("/incidents", headers=asked), web.get("/verdicts", headers=site.headers() | asked)):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_follow_one_another(site, web):
    for number in range(5):
        web.post("/incidents", json={"title": f"otro {number}", "kind": "request"}, headers=site.headers())
    numbers, url = [], "/incidents?limit=2&kind=request"
    while url:
        answer = web.get(url, headers=site.headers())
        numbers += [one["number"] for one in answer.json()["incidents"]]
        link = answer.links.get("next", {}).get("url")
        assert (answer.json()["next"] is None) is (link is None)
        url = link.removeprefix("/api/v1") if link else None
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 5
    found, url = [], "/paths/sbc-1/core-a/results?limit=3"
    while url and len(found) < 30:
        answer = web.get(url, headers=site.headers())
        found += [(one["at"], one["seq"]) for one in answer.json()["results"]]
        link = answer.links.get("next", {}).get("url")
        url = link.removeprefix("/api/v1") if link else None
    assert found == sorted(set(found))
    assert len(found) > 3


def test_windows_and_silences_are_made_and_ended_once(site, web):
    window = {
        "scope": {"kind": "sbc", "name": "sbc-2"}, "from": "2026-12-01T03:00:00-05:00",
        "to": "2026-12-01T04:00:00-05:00", "by": "luis",
    }  # fmt: skip
    once = site.headers("maintenance") | {"Idempotency-Key": "w1"}
    made = [web.post("/maintenance", json=window, headers=once) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json()["maintenance"] == made[1].json()["maintenance"]
    assert made[0].json()["maintenance"]["who"] == "luis (maintenance)"
    where = made[0].headers["location"].removeprefix("/api/v1")
    assert web.get(where, headers=site.headers("read")).json()["from"] == "2026-12-01T08:00:00.000000Z"
    assert web.post(f"{where}/cancel", json={}, headers=site.headers()).json()["maintenance"]["cancelled"] is not None
    assert web.post(f"{where}/cancel", json={}, headers=site.headers()).status_code == 409
    hush = {"alarm": "core_down", "to": "2026-12-01T03:00:00-05:00", "why": "se sabe"}
    made = web.post("/alarms/silences", json=hush, headers=site.headers())
    assert made.status_code == 201, made.text
    where = made.headers["location"].removeprefix("/api/v1")
    assert web.get(where, headers=site.headers()).json()["in_force"] is True
    assert web.post(f"{where}/end", json={}, headers=site.headers()).json()["silence"]["in_force"] is False
    nothing = web.post("/alarms/silences", json={"to": hush["to"], "why": "todo"}, headers=site.headers())
    assert nothing.status_code == 409


def test_accounts_and_tokens_are_made_audited_and_closed(site, web):
    wanted = {"name": "pia", "role": "manager", "customers": ["acme"]}
    made = web.post("/users", json=wanted, headers=site.headers("users"))
    assert made.status_code == 201, made.text
    assert made.json()["link"].startswith(f"{site.page.url}/invite/")
    assert (
        web.post("/users", json={**wanted, "name": "eva", "customers": ["zeta"]}, headers=site.headers()).status_code
        == 409
    )
    assert web.post("/users/admin/disable", json={}, headers=site.headers()).status_code == 409, "the last one"
    keyed = site.headers("users") | {"Idempotency-Key": "t1"}
    asked = {"name": "wall", "scopes": ["read"], "days": 1}
    token = [web.post("/tokens", json=asked, headers=keyed).json()["token"] for _ in range(2)]
    assert token[0] == token[1]
    assert web.post("/tokens", json={**asked, "days": 2}, headers=keyed).status_code == 409
    held = {"Authorization": f"Bearer {token[0]}"}
    assert web.get("/verdicts", headers=held).status_code == 200
    every = web.get("/tokens", headers=site.headers()).json()["tokens"]
    number = next(one["id"] for one in every if one["name"] == "wall")
    assert web.post(f"/tokens/{number}/revoke", json={}, headers=site.headers()).status_code == 200
    assert web.get("/verdicts", headers=held).status_code == 401
    lines = web.get("/audit?what=token.&limit=5", headers=site.headers("users")).json()["audit"]
    assert [(one["what"], one["who"], one["how"]) for one in lines[:2]] == [
        ("token.revoke", "everything", "api"), ("token.add", "users", "api"),
    ]  # fmt: skip
    with site.store.read() as connection:
        kept = repr(connection.execute(audit.select()).all()) + repr(connection.execute(commands.select()).all())
    assert token[0] not in kept
    assert made.json()["link"].rpartition("/")[2] not in kept


def test_who_asks_too_fast_is_told_when_to_come_again():
    clock = FakeClock()
    buckets = Buckets(clock, burst=3, per_second=2)
    for _ in range(3):
        buckets.take("one")
    with pytest.raises(Refused) as refused:
        buckets.take("one")
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "1")
    buckets.take("another")
    clock.advance(0.5)
    buckets.take("one")
    with pytest.raises(Refused):
        buckets.take("one")
