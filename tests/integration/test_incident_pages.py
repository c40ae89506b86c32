"""Incidents on the page: who sees what, what people do to them, and what becomes of it; on a desk at work."""

import threading

import pytest
from desk_site import DeskSite
from inbound_site import until

from sereno.store import open_store
from sereno.store.tables import commands, verdict_changes


def orders(store):
    with store.read() as connection:
        return [(row.verb, row.who, row.state) for row in connection.execute(commands.select().order_by(commands.c.id))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("desk") / "data")
    with DeskSite(store) as made:
        yield made
    store.dispose()


@pytest.fixture
def ana(site):
    with site.browser("ana") as opened:
        yield opened


@pytest.fixture
def luis(site):
    with site.browser("luis") as opened:
        yield opened


def ticket(site, browser, **fields):
    """A ticket of a person's; its number."""
    asked = {"kind": "incident", "title": "no salen llamadas", "customer": "acme", **fields}
    answer = site.post(browser, "/incidents/new", json=True, once=str(asked), **asked)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["next"].rpartition("/")[2])


def core_a(site):
    """The incident of core-a, which is down from the first test on that asks for it."""
    known = [one.number for one in site.records() if one.cause.name == "core-a"]
    return known[0] if known else site.open_core()


def test_taking_it_without_scripts_and_then_again(any_store):
    with DeskSite(any_store) as site, site.browser("ana") as ana, site.browser("luis") as luis:
        number = site.open_core()
        seen = ana.get(f"/incidents/{number}")
        assert seen.status_code == 200
        assert "Núcleo core-a caído" in seen.text
        assert "nadie lo tiene" in seen.text
        assert 'action="/incidents/1/ack"' in seen.text
        assert orders(any_store) == []
        answer = site.post(ana, f"/incidents/{number}/ack")
        assert answer.status_code == 303
        shown = ana.get(answer.headers["location"])
        assert "Tomado: es suyo." in shown.text
        assert "lo tiene ana" in shown.text
        assert (site.record(number).state, site.record(number).assigned) == ("acknowledged", "ana")
        again = site.post(ana, f"/incidents/{number}/ack")  # the same form once more: the same order
        assert again.status_code == 303
        assert orders(any_store) == [("incident.ack", "ana", "done")]
        late = site.post(luis, f"/incidents/{number}/ack")
        assert late.status_code == 409
        assert "Ya lo tiene ana." in late.text
        assert luis.get(answer.headers["location"]).text.count("Tomado: es suyo.") == 0  # it is ana's to hear


def test_two_who_race_for_it(site, ana, luis):
    number = ticket(site, ana, title="carrera")
    found = {}
    gate = threading.Barrier(2)

    def take(name, browser):
        gate.wait(5)
        found[name] = site.post(browser, f"/incidents/{number}/ack", json=True)

    racers = [threading.Thread(target=take, args=pair) for pair in (("ana", ana), ("luis", luis))]
    for each in racers:
        each.start()
    for each in racers:
        each.join(10)
    winner = site.record(number).assigned
    loser = {"ana": "luis", "luis": "ana"}[winner]
    assert found[winner].json()["ok"] is True
    assert found[loser].status_code == 409
    assert found[loser].json()["text"] == f"Ya lo tiene {winner}."


def test_what_is_refused_keeps_what_was_typed(site, ana):
    number = core_a(site)
    answer = site.post(ana, f"/incidents/{number}/resolve", note="ya quedó <b>", category="red", cause="proveedor")
    assert answer.status_code == 409
    assert "no se puede resolver" in answer.text
    assert "sigue mal core core-a" in answer.text
    assert "ya quedó &lt;b&gt;</textarea>" in answer.text
    assert 'value="red"' in answer.text
    assert '<option value="proveedor" selected>' in answer.text
    assert "rechazado: resolver" in answer.text  # its story says so, too
    missing = site.post(ana, f"/incidents/{number}/note", json=True, note="  ")
    assert missing.status_code == 400
    assert missing.json()["fields"] == {"note": "Esto hace falta."}


def test_with_nobody_active_the_page_says_so(site, ana):
    number = ticket(site, ana, title="sin colector")
    before = orders(site.store)
    site.stop()
    try:
        answer = site.post(ana, f"/incidents/{number}/note", note="escrito a las tres")
        assert answer.status_code == 503
        assert "No hay ningún colector activo" in answer.text
        assert "escrito a las tres</textarea>" in answer.text
        assert orders(site.store) == before
        until(lambda: "Nadie está vigilando" in ana.get("/incidents").text)
    finally:
        site.start()
    assert site.post(ana, f"/incidents/{number}/note", note="escrito a las tres").status_code == 303


def test_who_may_what(site, ana):
    number = ticket(site, ana, title="permisos")
    with site.browser("vera") as vera, site.browser() as stranger:
        seen = vera.get(f"/incidents/{number}")
        assert seen.status_code == 200
        assert "data-act" not in seen.text
        assert vera.get("/incidents/new").status_code == 403
        assert site.post(vera, f"/incidents/{number}/ack").status_code == 403
        assert stranger.get(f"/incidents/{number}").headers["location"] == f"/login?next=/incidents/{number}"
        assert site.post(stranger, f"/incidents/{number}/ack").status_code == 401
        assert ana.post(f"/incidents/{number}/ack", data={"once": "1"}).status_code == 403  # not from a page of ours
        assert vera.get("/events", params={"topic": f"incident/act?n={number}"}).status_code == 403
    assert site.record(number).state == "open"
    assert ana.get("/incidents/4711").status_code == 404
    assert ana.get(f"/incidents/{10**30}").status_code == 404
    assert site.post(ana, "/incidents/4711/ack").status_code == 404
    assert site.post(ana, f"/incidents/{number}/explode").status_code == 404


def test_a_manager_sees_what_touches_his_customers_and_nobody_else(site, ana):
    mine = ticket(site, ana, title="solo de acme", customer="acme", description="marcan y ocupado")
    theirs = ticket(site, ana, title="solo de beta", customer="beta")
    both = ticket(site, ana, title="de acme y de beta", customer=["acme", "beta"], description="secreto de beta")
    with site.browser("mateo") as mateo:
        listing = mateo.get("/incidents").text
        assert f"/incidents/{mine}" in listing
        assert f"/incidents/{both}" in listing
        assert f'href="/incidents/{theirs}"' not in listing
        assert "beta" not in listing.casefold()
        assert mateo.get(f"/incidents/{theirs}").status_code == 404
        own = mateo.get(f"/incidents/{mine}").text
        assert "solo de acme" in own
        assert "marcan y ocupado" in own
        shared = mateo.get(f"/incidents/{both}").text
        assert "Algo que toca su servicio" in shared
        assert "beta" not in shared.casefold()
        assert "data-act" not in shared
        for topic, status in ((f"incident/read?n={mine}", 403), (f"incident/of:beta?n={theirs}", 403)):
            assert mateo.get("/events", params={"topic": topic}).status_code == status
        with mateo.stream("GET", "/events", params={"topic": "incidents/of:acme?"}) as stream:
            assert stream.status_code == 200
            first = next(text for text in stream.iter_text() if "#i" in text or "/incidents/" in text)
            assert "beta" not in first.casefold()
        assert mateo.get("/incidents", params={"text": "secreto"}).text.count(f'href="/incidents/{both}"') == 0


def test_every_act_of_the_desk_is_there(site, ana):
    number = ticket(site, ana, title="de todo", urgency="alto", impact="departamento")
    page = ana.get(f"/incidents/{number}").text
    assert "Al reporte le falta" in page
    other = ticket(site, ana, title="lo mismo")
    done = [
        ("start", {}),
        ("note", {"note": "primera línea"}),
        ("assign", {"to": "luis"}),
        ("priority", {"priority": "Urgente"}),
        ("update", {
            "extension": "101", "direction": "outgoing", "counterpart": "+506 2222", "reporter": "Luis Mora",
            "occurred": "2026-07-01T08:00", "description": "tono ocupado",
        }),
        ("pause", {"note": "¿probó otra extensión?"}),
        ("answer", {"text": "sí, igual", "from": "noc@acme.example"}),
        ("redate", {"due": "2030-01-02T08:00", "reason": "va a desarrollo"}),
        ("resolve", {"note": "listo"}),
        ("reopen", {}),
        ("resolve", {"category": "red", "cause": "cliente"}),
        ("confirm", {}),
        ("survey", {"score": "5", "comment": "bien"}),
    ]  # fmt: skip
    for place, (verb, fields) in enumerate(done):
        answer = site.post(ana, f"/incidents/{number}/{verb}", json=True, once=str(place), **fields)
        assert answer.json()["ok"] is True, (verb, answer.text)
    record = site.record(number)
    assert (record.state, record.assigned, record.priority_peak) == ("closed", "luis", "Urgente")
    assert record.occurred_us == 1_782_914_400_000_000  # 08:00 in Costa Rica
    assert site.post(ana, f"/incidents/{other}/merge", json=True, into=str(number)).status_code == 409  # it is closed
    third = ticket(site, ana, title="el tercero", customer=["acme", "beta"])
    assert site.post(ana, f"/incidents/{other}/merge", json=True, into=str(third), once="m").json()["ok"] is True
    split = site.post(ana, f"/incidents/{third}/split", json=True, title="lo de beta", customer="beta")
    assert split.json()["ok"] is True
    assert "Unido a este" in ana.get(f"/incidents/{third}").text
    whole = ana.get(f"/incidents/{number}?order=oldest").text
    for words in ("101", "saliente", "+506 2222", "Luis Mora", "tono ocupado", "¿probó otra extensión?", "sí, igual",
                  "5 de 5", "va a desarrollo", "primera línea"):  # fmt: skip
        assert words in whole, words
    assert whole.index("primera línea") < whole.index("sí, igual")
    english = ana.get(f"/incidents/{number}?lang=en").text
    assert "note: primera línea" in english
    assert "assigned to luis" in english


def test_the_story_is_merged_and_the_next_step_counted_down(site, ana):
    number = core_a(site)
    with site.store.write() as connection:
        at_us = site.clock.now_us()
        connection.execute(
            verdict_changes.insert().values(
                kind="path", name="sbc-1/core-a", what="verdict", state="down", since_us=at_us, at_us=at_us,
                reason="timeout", facts="{}",
            )
        )  # fmt: skip
    record = site.record(number)
    page = ana.get(f"/incidents/{number}").text
    assert "núcleo core-a: caído" in page
    assert "abierto: Núcleo core-a caído" in page
    if record.acknowledged_us is None:
        assert "<b>L2</b> (luis)" in page
        assert "si nadie lo toma" in page
    assert "lun–vie 07:30–12:30, 14:00–18:00; sin festivos (CO)" in page  # beta's office hours
    assert ana.get(f"/incidents/{number}?hide=verdict").text.count("hide-verdict") >= 1


def test_the_evidence_is_the_exchange_that_decided(any_store):
    """An earlier fault of the same path is not what this one is about."""
    with DeskSite(any_store, accounts=False) as site, site.browser() as web:
        number = site.open_core()
        since_us = site.record(number).since_us
        failed(site, "options", since_us - 500_000, "timeout", "the-old-one")
        failed(site, "call", since_us, "one_way", "the-call")
        with any_store.write() as connection:
            connection.execute(
                verdict_changes.insert().values(
                    kind="path", name="sbc-1/core-a", what="verdict", state="down", since_us=since_us,
                    at_us=since_us + 9, reason="one_way", facts='{"results":[["lab-1","b",2],["x"],7]}',
                )
            )  # fmt: skip
        page = web.get(f"/incidents/{number}").text
        assert page.index("the-call") < page.index("the-old-one")
        assert 'href="/forensics/result/lab-1/b/2"' in page
        assert "data-act" not in page  # nobody has an account: nobody has a name to act by


def failed(site, check, at_us, reason, call_id):
    text = f"INVITE sip:echo@127.0.2.1 SIP/2.0\r\nCall-ID: {call_id}\r\n\r\n"
    kept = {"messages": [{"at": "2026-07-01T00:00:00Z", "direction": "sent", "text": text}]}
    site.seed.result(check, at_us, sbc="sbc-1", core="core-a", outcome="failed", reason=reason, evidence=kept)


def test_the_list_by_filters(site, ana):
    number = ticket(site, ana, title="La señal de Ñandú", extension="7788")
    assert f'name="csrf" value="{ana.key}"' in ana.get("/incidents").text  # taken from the list without scripts, too
    for query, there in (
        ("text=ñandú", True), ("text=7788", True), (f"text=%23{number}", True), ("text=nada", False),
        ("state=closed", False), ("state=open", True), ("customer=acme", True), ("customer=beta", False),
        ("class=monitor", False), ("priority=Normal", True), ("from=2000-01-01&to=2000-02-01", False),
        ("element=core:core-b", False), ("state=%00&page=-1&from=mañana&text=%00", True),
    ):  # fmt: skip
        answer = ana.get(f"/incidents?{query}")
        assert answer.status_code == 200
        assert (f'href="/incidents/{number}"' in answer.text) is there, query
