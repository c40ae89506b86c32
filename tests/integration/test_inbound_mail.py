"""E-mail to ticket on a real Dovecot: every message taken once, none lost, replies to their incident, loops refused."""

import asyncio
import json
import socket
import time
from email.message import EmailMessage

import pytest
from dovecot import PASSWORD, USER, dovecot
from inbound_site import InboundSite, until
from pki import Pki
from typer.testing import CliRunner

from alerting.mailbox.imap import MailboxError
from alerting.mailbox.poll import Poller
from alerting.mailbox.service import InboundService
from sereno.cli.inbound import app
from sereno.desk import parse_desk
from sereno.store import open_store
from sereno.store.commands import submit
from sereno.store.tables import commands, incident_messages, mails, positions, verdict_changes

DESK = """
contract: callmyway
channels: {{mail: {{smtp: "smtp://127.0.0.1:9", from: "Sereno <sereno@noc.example>"}}}}
people:
  ana: {{email: ana@noc.example, channels: [mail]}}
inbound:
  mail:
    imap: "imaps://localhost:{port}"
    user: "{user}"
    secret: {{env: MAILBOX_SECRET}}
    ca: {ca}
    every: 100ms
    timeout: 3s
    hourly: 5
    senders: {{acme: ["@acme.example", "jefe@gmail.example"]}}
    {more}
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(authority):
    certificate, key = authority.issue("imap", "DNS:localhost,IP:127.0.0.1")
    with dovecot(certificate, key, authority.ca) as made:
        yield made


@pytest.fixture
def box(server):
    """The mailbox, empty."""
    with server.client() as client:
        for folder in ("INBOX", "Tomados"):
            said, count = client.select(folder)
            if said == "OK" and count != [b"0"]:
                client.store("1:*", "+FLAGS", "\\Deleted")
                client.expunge()
    return server


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "data")
    yield opened
    opened.dispose()


@pytest.fixture
def desk(server, authority, monkeypatch):
    monkeypatch.setenv("MAILBOX_SECRET", PASSWORD)

    def made(more="", port=None):
        text = DESK.format(port=port or server.port, user=USER, ca=authority.ca, more=more)
        return parse_desk("desk.yaml", text.encode())

    return made


@pytest.fixture
def site(store, box, desk):
    with InboundSite(store, desk=desk()) as made:
        yield made


def poller(site, desk=None):
    model = desk or site.model
    return Poller(site.store, site.clock, model.inbound.mail, lambda: PASSWORD)


@pytest.fixture
def poll(site):
    """Looks at the mailbox; the first look was before."""
    reader = poller(site)
    reader.poll()
    yield reader.poll
    reader.leave()


def letter(subject="Sin servicio en Bogotá", text="No entran llamadas.\n", sender="luis@acme.example", **headers):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, USER, subject
    made["Message-ID"] = headers.pop("message_id", f"<{time.monotonic_ns()}@acme.example>")
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def rows(site, table=mails):
    with site.store.read() as connection:
        return connection.execute(table.select().order_by(table.c.id)).all()


def outcomes(site):
    return [row.outcome for row in rows(site)]


def test_one_message_one_ticket_with_who_what_and_of_whom(any_store, box, desk):
    with InboundSite(any_store, desk=desk()) as site:
        reader = poller(site)
        reader.poll()
        write_and_write_again(site, box, reader.poll)
        reader.leave()


def write_and_write_again(site, box, poll):
    message = letter(text="Buenas.\nNo entran llamadas desde las 9.\n", sender="Luis Mora <Luis@acme.example>")
    message.add_attachment(b"x" * 2_000, maintype="audio", subtype="wav", filename="llamada.wav")
    box.deliver(message.as_bytes())
    assert poll() == 1
    (record,) = site.records()
    assert (record.kind, record.channel, record.title) == ("incident", "e-mail", "Sin servicio en Bogotá")
    assert (record.reporter, record.contact, list(record.customers)) == ("luis@acme.example",) * 2 + (["acme"],)
    assert record.description == "Buenas.\nNo entran llamadas desde las 9."
    for words in ("llamada.wav (audio/wav", "Luis Mora <luis@acme.example>", "«sin servicio»"):
        assert any(words in entry.what for entry in record.timeline)
    assert poll() == 0
    box.deliver(message.as_bytes())  # the same message seen twice, by its Message-ID
    again = letter(text="Buenas.\nNo entran llamadas desde las 9.\n")
    box.deliver(again.as_bytes())  # re-sent: another message, another ticket
    assert poll() == 2
    assert outcomes(site) == ["opened", "repeated", "opened"]
    assert len(site.records()) == 2
    assert all("\\Seen" in line for line in box.flags())


def test_a_request_a_stranger_and_a_message_of_html_alone(site, box, poll):
    box.deliver(letter("Nueva extensión", "Por favor creen la 204.").as_bytes())
    box.deliver(letter("Cotización", "Precio de 10 líneas", sender="quien@sabe.example").as_bytes())
    html = EmailMessage()
    html["From"], html["Subject"] = "jefe@gmail.example", "=?utf-8?b?w4FuaW1v?="
    html.set_content("<style>p{}</style><p>Se <b>corta</b> la llamada</p><script>x()</script>", subtype="html")
    box.deliver(html.as_bytes())
    assert poll() == 3
    first, second, third = site.records()
    assert (first.kind, list(first.customers)) == ("request", ["acme"])
    assert (second.kind, second.customers, second.reporter, second.contact) == (
        "request",
        {},
        "quien",
        "quien@sabe.example",
    )
    assert "triaged" in rows(site)[1].why
    assert (third.kind, third.title, list(third.customers)) == ("incident", "Ánimo", ["acme"])
    assert third.description.startswith("Se corta la llamada")


def test_replies_join_their_incident_and_resume_its_clock(site, box, poll):
    first = letter()
    box.deliver(first.as_bytes())
    poll()
    number = site.records()[0].number
    for verb in ("ack", "pause"):
        submit(site.store, f"incident.{verb}", {"number": number, "note": "¿Qué sede?"}, "ana")
    until(lambda: "paused" in {clock.state for clock in site.record(number).clocks})
    answer = letter("Re: Sin servicio", "Es la sede norte.\n\nEl lun, 1 ene 2026, Sereno escribió:\n> ¿Qué sede?\n",
                    In_Reply_To=first["Message-ID"])  # fmt: skip
    box.deliver(answer.as_bytes())
    box.deliver(letter(f"Re: [#{number}] Sin servicio", "Sigue igual", sender="otra@acme.example").as_bytes())
    box.deliver(letter("Re: x", "Y ahora también", In_Reply_To=answer["Message-ID"]).as_bytes())
    box.deliver(letter("Re: x", "Va", References=f"<sereno.{number}.abc@noc.example>").as_bytes())
    assert poll() == 4
    assert outcomes(site) == ["opened"] + ["answered"] * 4
    assert {row.number for row in rows(site)} == {number}
    assert "paused" not in {clock.state for clock in site.record(number).clocks}
    kept = [row.body for row in rows(site, incident_messages) if row.direction == "in"]
    assert kept[0] == "Es la sede norte."
    stranger = letter(f"[#{number}] oferta", "Compre", sender="spam@spam.example")
    box.deliver(stranger.as_bytes())
    poll()
    assert rows(site)[-1].outcome == "opened"  # the token alone is worth nothing from somebody unknown
    assert rows(site)[-1].number != number


def test_ack_by_reply_of_a_desk_person_and_of_nobody_else(site, box, poll):
    number = site.open_core()
    reference = f"<sereno.{number}.page@noc.example>"
    box.deliver(letter("Re: x", "recibido", sender="luis@acme.example", In_Reply_To=reference).as_bytes())
    poll()
    assert site.record(number).state == "open"
    box.deliver(letter(f"RE: [#{number}] x", "Recibido, voy.\n\n> Urgente", sender="Ana <ANA@noc.example>").as_bytes())
    poll()
    record = site.record(number)
    assert (record.state, record.assigned) == ("acknowledged", "ana")
    box.deliver(letter("Re: x", "recibido", sender="ana@noc.example", In_Reply_To=reference).as_bytes())
    box.deliver(
        letter("Re: x", "Reinicié el núcleo y sigue.", sender="ana@noc.example", In_Reply_To=reference).as_bytes()
    )
    poll()
    assert outcomes(site) == ["noted", "acknowledged", "noted", "noted"]
    assert "Reinicié el núcleo y sigue." in site.record(number).timeline[-1].what
    assert site.record(number).timeline[-1].who == "ana"


def test_loops_lists_bounces_and_crowds_are_kept_and_open_nothing(site, box, poll):
    for headers in (
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"X_Auto_Response_Suppress": "All"},
        {"List_Id": "<l.example>"},
        {"Return_Path": "<>"},
        {"X_Sereno": "7"},
    ):
        box.deliver(letter(**headers).as_bytes())
    box.deliver(letter(sender="MAILER-DAEMON@mx.example").as_bytes())
    box.deliver(letter(sender="sereno@noc.example").as_bytes())
    box.deliver(letter(sender=USER).as_bytes())
    box.deliver(b"Subject: nobody\r\n\r\nhello\r\n")
    poll()
    assert outcomes(site) == ["refused"] * 10
    assert all(row.why for row in rows(site))
    assert site.records() == []
    assert rows(site, commands)[-1].state == "done"
    for count in range(7):
        box.deliver(letter(f"Aviso {count}", "uno más", sender="robot@acme.example").as_bytes())
    poll()
    assert outcomes(site)[10:] == ["opened"] * 5 + ["refused"] * 2
    assert "over 5 messages" in rows(site)[-1].why


def test_a_message_of_ours_that_came_back_is_told_on_its_incident(site, box, poll):
    number = site.open_core()
    report = (
        "From: MAILER-DAEMON@mx.example\r\nReturn-Path: <>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; x@y.example\r\n\r\n"
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
        f"Message-ID:\r\n <sereno.{number}.page.ana@noc.example>\r\n--b--\r\n"
    )
    box.deliver(report.encode())
    poll()
    assert [(row.outcome, row.number) for row in rows(site)] == [("refused", number)]
    assert "volvió un mensaje" in site.record(number).timeline[-1].what


def test_the_first_look_takes_what_nobody_read_and_a_new_folder_repeats_nothing(site, box):
    box.deliver(letter("viejo, leído").as_bytes(), flags="\\Seen")
    box.deliver(letter("viejo, sin leer").as_bytes())
    reader = poller(site)
    assert reader.poll() == 1
    assert [record.title for record in site.records()] == ["viejo, sin leer"]
    box.deliver(letter("lo leyó una persona antes").as_bytes(), flags="\\Seen")
    assert reader.poll() == 1
    assert reader.poll() == 0
    reader.leave()
    box.recreate()
    assert reader.poll() == 0
    reader.leave()
    assert len(rows_of_positions(site)) == 2
    assert len(site.records()) == 2


def rows_of_positions(site):
    with site.store.read() as connection:
        return [row for row in connection.execute(positions.select()) if row.reader.startswith("mail.")]


def test_what_dies_between_any_two_steps_is_taken_once(site, box, monkeypatch):
    reader = poller(site)
    reader.poll()
    box.deliver(letter("uno").as_bytes())
    for place in ("_order", "_stand", "_mark"):
        with monkeypatch.context() as broken:
            broken.setattr(reader, place, _fail)
            with pytest.raises(ZeroDivisionError):
                reader.poll()
        if place == "_order":
            continue
        box.deliver(letter(place).as_bytes())
    reader.poll()
    assert sorted(record.title for record in site.records()) == ["_mark", "_stand", "uno"]
    assert outcomes(site) == ["opened"] * 3
    reader.leave()


def _fail(*_):
    raise ZeroDivisionError


def test_with_the_desk_dead_the_mail_waits(site, box, poll, monkeypatch):
    monkeypatch.setattr("alerting.mailbox.poll.ANSWER_SECONDS", 0.1)
    site.stop()
    box.deliver(letter().as_bytes())
    with pytest.raises(MailboxError, match="tried again"):
        poll()
    assert all("\\Seen" not in line for line in box.flags())
    site.start()
    monkeypatch.undo()
    until(poll)
    assert len(site.records()) == 1


def test_moved_when_taken(store, box, desk):
    with InboundSite(store, desk=desk("done: Tomados")) as site:
        reader = poller(site)
        reader.poll()
        box.deliver(letter().as_bytes())
        assert reader.poll() == 1
        reader.leave()
    assert box.flags() == []
    assert len(box.flags("Tomados")) == 1


def test_the_command_line_lists_what_came_and_tries_the_mailbox(
    site, box, poll, server, authority, tmp_path, monkeypatch
):
    box.deliver(letter().as_bytes())
    box.deliver(letter(Auto_Submitted="auto-replied").as_bytes())
    poll()
    box.deliver(letter("sin leer").as_bytes())
    listed = CliRunner().invoke(app, ["mails", "--outcome", "refused", "--data", str(tmp_path / "data"), "--json"])
    (mail,) = json.loads(listed.stdout)["mails"]
    assert (mail["from"], mail["why"]) == ("luis@acme.example", "automatic: auto-submitted")
    file = tmp_path / "desk.yaml"
    file.write_text(DESK.format(port=server.port, user=USER, ca=authority.ca, more=""))
    tried = CliRunner().invoke(app, ["check", "--desk", str(file)])
    assert tried.exit_code == 0
    assert "1 sin leer" in tried.stdout
    assert sum("\\Seen" in line for line in box.flags()) == 2
    monkeypatch.setenv("MAILBOX_SECRET", "wrong hunter2")
    tried = CliRunner().invoke(app, ["check", "--desk", str(file)])
    assert tried.exit_code == 1
    assert "hunter2" not in tried.output


def test_a_forged_desk_person_is_nobody_where_the_server_says_so(store, box, desk):
    with InboundSite(store, desk=desk("authserv: mx.noc.example")) as site:
        number = site.open_core()
        reader = poller(site)
        reader.poll()
        for said in ("mx.noc.example; dmarc=fail", "evil.example; dmarc=pass", "mx.noc.example; dmarc=pass"):
            assert site.record(number).state == "open"
            box.deliver(letter(f"[#{number}]", "ack", sender="ana@noc.example", Authentication_Results=said).as_bytes())
            reader.poll()
        assert site.record(number).state == "acknowledged"
        reader.leave()


@pytest.mark.parametrize("fault", ["gone", "password", "authority", "silent"])
def test_a_mailbox_that_cannot_be_read_is_one_line_and_comes_back(
    store, box, desk, fault, monkeypatch, tmp_path, caplog
):
    listener = socket.create_server(("127.0.0.1", 0))
    model = desk()
    if fault == "gone":
        port = listener.getsockname()[1]
        listener.close()
        model = desk(port=port)
    elif fault == "silent":
        model = desk(port=listener.getsockname()[1])
        mail = model.inbound.mail.model_copy(update={"timeout_us": 300_000})
        model = model.model_copy(update={"inbound": model.inbound.model_copy(update={"mail": mail})})
    elif fault == "password":
        monkeypatch.setenv("MAILBOX_SECRET", "wrong hunter2")
    else:
        strange = Pki(tmp_path / "other").ca
        mail = model.inbound.mail.model_copy(update={"ca": str(strange)})
        model = model.model_copy(update={"inbound": model.inbound.model_copy(update={"mail": mail})})
    with InboundSite(store, desk=model) as site:

        async def run():
            service = InboundService(store, site.clock, model)
            running = asyncio.create_task(service.run())
            try:
                await asyncio.to_thread(until, lambda: said(site))
                await asyncio.sleep(0.3)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(run())
        (change,) = said(site)
        assert change.state == "true"
        assert "hunter2" not in change.reason + caplog.text
        assert "\n" not in change.reason
    listener.close()


def said(site):
    return [row for row in rows(site, verdict_changes) if row.what == "mailbox_failing"]


def test_the_service_recovers_and_says_so(store, box, desk):
    model = desk()
    with InboundSite(store, desk=model) as site:

        async def run():
            service = InboundService(store, site.clock, model)
            running = asyncio.create_task(service.run())
            try:
                await asyncio.to_thread(until, lambda: rows_of_positions(site))
                await asyncio.to_thread(box.stop)
                await asyncio.to_thread(until, lambda: said(site))
                await asyncio.to_thread(box.start)
                await asyncio.to_thread(box.deliver, letter().as_bytes())
                await asyncio.to_thread(until, site.records)
                await asyncio.to_thread(until, lambda: len(said(site)) == 2)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(run())
        assert [change.state for change in said(site)] == ["true", "false"]
