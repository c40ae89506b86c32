"""Letters sorted: what was written now, who acknowledges, what is broken, who writes for whom."""

from pathlib import Path

import pytest

from alerting.mailbox import read, sort
from sereno.desk import parse_desk
from sereno.desk.inbound import Mailbox
from sereno.desk.validate_inbound import refuse_strangers
from sereno.errors import ConfigError
from sereno.topology import parse_topology
from sereno.topology.model import Secret

BOX = Mailbox(imap="imaps://h:993", user="u@x.example", secret=Secret(env="X"), senders={})
TOPOLOGY = parse_topology(
    "t",
    b"""
service: s
cores: {a: {uri: "sip:10.0.0.1"}}
sbcs: {b: {addresses: ["sip:198.51.100.1"], primary: a}}
customers:
  acme: {name: Acme, contract: callmyway, contacts: [Luis@acme.example, both@shared.example]}
  zeta: {name: Zeta, contract: callmyway, contacts: [both@shared.example]}
""",
)


def letter(text, subject="x", **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"From": "a@b.example", **headers}.items()]
    return read("\r\n".join([*lines, f"Subject: {subject}", "", text]).encode())


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("Sí, ya.\n\nEl lun, 1 ene 2026 a las 10:00, Sereno (<s@x.example>) escribió:\n> algo\n", "Sí, ya."),
        ("Sí, ya.\n\nEl lun, 1 ene 2026 a las 10:00, Sereno\n<s@x.example> escribió:\n> algo\n", "Sí, ya."),
        ("ok\n\nOn Mon, Jan 1, 2026, Sereno wrote:\n> something", "ok"),
        ("ok\n-----Original Message-----\nFrom: x", "ok"),
        ("ok\n________________________________\nDe: Sereno <s@x.example>\nEnviado: hoy", "ok"),
        ("ok\nDe: Sereno <s@x.example>\nEnviado: hoy", "ok"),
        ("ok\n-- \nLuis Mora\nGerente", "ok"),
        (
            "El martes llamamos y nadie contestó.\nOn hold since.",
            "El martes llamamos y nadie contestó.\nOn hold since.",
        ),
        ("> todo citado", ""),
    ],
)
def test_what_was_written_now(text, now):
    assert sort.written(letter(text).text) == now


@pytest.mark.parametrize(
    "text",
    [
        "ack",
        "ACK.",
        "Recibido, voy",
        "¡Lo tengo!",
        "la tomo",
        "Enterada.\n\n> x",
        "\n\ngot it",
        "On it",
        "Acknowledged",
    ],
)
def test_these_acknowledge(text):
    assert sort.is_ack(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "> ack", "No lo tengo yo, es de Leo", "Ackerman no contesta", "recibidos tres informes",
        "Recibido el informe del proveedor: dice que la fibra está cortada en dos sitios y que tardan", "mineral",
    ],
)  # fmt: skip
def test_these_do_not(text):
    assert not sort.is_ack(text)


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("Línea CAÍDA", "", "incident"),
        ("Consulta", "Desde ayer no funciona la 204", "incident"),
        ("Nueva extensión", "Por favor creen la 204", "request"),
        ("Download del informe", "Descargar", "request"),
        ("Re: pregunta", "gracias\n\nOn Mon, Jan 1, 2026, X wrote:\n> estuvo caído", "request"),
    ],
)
def test_an_incident_by_its_words(subject, text, kind):
    found, word = sort.kind_of(letter(text, subject), BOX)
    assert found == kind
    assert (word is None) == (kind == "request")


def test_who_writes_for_whom():
    senders = {"zeta": ("@zeta.example", "luis@acme.example"), "gone": ("@gone.example",)}
    assert sort.customer_of("ana@zeta.example", TOPOLOGY, senders) == "zeta"
    assert sort.customer_of("ana@x.zeta.example", TOPOLOGY, senders) is None
    assert sort.customer_of("both@shared.example", TOPOLOGY, senders) is None
    assert sort.customer_of("luis@acme.example", TOPOLOGY, {}) == "acme"
    assert sort.customer_of("luis@acme.example", TOPOLOGY, senders) is None
    assert sort.customer_of("x@gone.example", TOPOLOGY, senders) is None


def test_senders_of_a_customer_that_nobody_has_are_a_fault():
    desk = parse_desk(
        "desk.yaml",
        b"""
contract: callmyway
inbound: {mail: {imap: "imaps://h:993", user: u, secret: {env: X}, senders: {acne: ["@acme.example"]}}}
""",
    )
    with pytest.raises(
        ConfigError, match=r"^desk.yaml: inbound.mail.senders: no customer acne .*; name one: acme, zeta$"
    ):
        refuse_strangers(Path("desk.yaml"), desk, TOPOLOGY)


def test_what_it_refers_to():
    found = letter("x", "Re: [#12] y [#13]", References="<sereno.7.a@x> <other@x>", In_Reply_To="<sereno.9@x>")
    assert sort.referred(found) == [9, 7]
    assert sort.tokened(found) == 12
    assert sort.tokened(letter("x", "pedido #12")) is None
    assert sort.subject_of(letter("x", "RE: Fwd: [#12] Hola")) == "Hola"
    assert sort.subject_of(letter("primera línea\nsegunda", "")) == "primera línea"


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("mx.example; dmarc=pass", True),
        ("mx.example 1; spf=fail; dkim=pass", True),
        ("mx.example; dmarc=fail; spf=pass", False),
        ("mx.example.evil; dmarc=pass", False),
        ("mx.example; none", False),
    ],
)
def test_whom_the_server_believes(said, believed):
    assert sort.believed(letter("x", Authentication_Results=said), "mx.example") is believed
    assert sort.believed(letter("x", Authentication_Results=said), None)
