"""Each channel against far ends that answer well, slowly, with garbage, with every refusal, or not at all.

PagerDuty cannot run here: a local HTTP server of its shape stands for it. SMTP is Postfix's sink and aiosmtpd with TLS.
"""

import email
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from email.policy import default as mail_policy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from far_ends import DRIP, HANG, HANG_UP, HttpEnd, answer, smtp_sink
from pki import Pki

from alerting.channels import DoubtError, RejectedError, RetryError, base, channel_of, http, smtp
from alerting.channels import apprise as apprise_channel
from alerting.effects import Item, Notification, Row
from sereno.desk import ChannelConfig
from sereno.desk.channels import message_id

AT = 1_783_756_800_000_000
MESSAGE = Notification(
    key="7/opened/3/ana/x", at_us=AT, incident=7, what="opened", page=True, to="ana", channel="x",
    address="ana@example.net", locale="es_CO", subject="[Urgente S1] Incidente 7: Núcleo core-a caído",
    body="Qué: Núcleo core-a caído", priority="Urgente", severity="S1", kind="core", name="core-a",
    url="https://noc.example/incidents/7", service="voz", thread="7.1783756800", title="Núcleo core-a caído",
    since_us=AT, rows=(Row("Qué", "Núcleo core-a caído"),), short="[Urgente S1] #7", step="Mirar el núcleo",
)  # fmt: skip
SECRET = "sesamo-abrete-7"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F_SECRET", SECRET)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds are half a second here."""
    for module in (base, http, smtp, apprise_channel):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.5)


def channel(**config: Any) -> Any:
    return channel_of("x", ChannelConfig.model_validate(config))


WITH_SECRET = {"secret": {"env": "F_SECRET"}}


# -- HTTP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (answer("500 Internal Server Error"), RetryError, "HTTP 500 Internal Server Error"),
        (answer("429 Too Many Requests", Retry_After="7"), RetryError, "HTTP 429 Too Many Requests"),
        (answer("503 Busy", Retry_After="soon, I promise"), RetryError, "HTTP 503 Busy"),
        (answer("404 Not Found"), RejectedError, "HTTP 404 Not Found"),
        (answer("302 Found", Location="http://127.0.0.1:1/"), RejectedError, "no se siguen redirecciones"),
        (b"220 mail.example ESMTP\r\n", DoubtError, "RemoteProtocolError"),
        (b"\x00\xff" * 5_000, DoubtError, "RemoteProtocolError"),
        (HANG_UP, DoubtError, "RemoteProtocolError"),
        (HANG, DoubtError, "sin respuesta en 0.5 s"),
        (DRIP, DoubtError, "sin respuesta en 0.5 s"),
    ],
    ids=["500", "429", "503", "404", "redirect", "smtp", "bytes", "hangs-up", "silent", "drips"],
)
@pytest.mark.parametrize("kind", ["webhook", "pagerduty"])
async def test_what_a_far_end_may_do(impatient: None, said: Any, error: Any, words: str, kind: str) -> None:
    async with HttpEnd(said) as end:
        config = {"pagerduty": end.url} if kind == "pagerduty" else {"webhook": end.url}
        with pytest.raises(error) as caught:
            await channel(**config, **WITH_SECRET)(MESSAGE)
        assert type(caught.value) is error
        assert words in str(caught.value)
        assert len(end.requests) == 1
    if error is RetryError:
        assert caught.value.after_seconds == (7.0 if "429" in words else None)
    assert SECRET not in str(caught.value)


async def test_a_far_end_that_is_not_there_was_never_spoken_to() -> None:
    async with HttpEnd() as end:
        port = end.port
    with pytest.raises(RetryError) as caught:
        await channel(webhook=f"http://127.0.0.1:{port}/hidden-token")(MESSAGE)
    assert type(caught.value) is RetryError  # not in doubt: it may be tried again at once
    assert "hidden-token" not in str(caught.value)


async def test_a_receipt_is_not_taken_back_by_its_body(impatient: None) -> None:
    async with HttpEnd(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this") as end:
        assert await channel(webhook=end.url)(MESSAGE) == "HTTP 200 OK"


async def test_a_signed_webhook_can_be_verified_and_not_replayed() -> None:
    async with HttpEnd() as end:
        assert await channel(webhook=end.url, **WITH_SECRET)(MESSAGE) == "HTTP 200 OK"
        ((headers, body),) = end.requests
    mac = lambda text: "sha256=" + hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()  # noqa: E731
    assert headers["x-sereno-signature"] == mac(body)
    assert headers["x-sereno-signature-v2"] == mac(headers["x-sereno-timestamp"].encode() + b"." + body)
    assert headers["idempotency-key"] == MESSAGE.key
    document = json.loads(body)
    assert (document["incident"], document["since"], document["page"]) == (7, "2026-07-11T08:00:00.000000Z", True)


@pytest.mark.parametrize("value", ["²", "9" * 400, "-5", "Wed, 99 Foo 2026", "", "1e3", "٣"])
def test_a_garbled_retry_after_is_none_or_bounded(value: str) -> None:
    found = http.retry_after(value)
    assert found is None or 0 <= found <= base.LONGEST_REST_SECONDS


# -- Alertmanager's shape, PagerDuty -----------------------------------------------------------------------------------


def item(number: int, what: str = "opened", resolved_us: int | None = None) -> Item:
    return Item(
        what=what, number=number, title=f"Portal p{number} caído", priority="Alta", severity="S2", kind="portal",
        name=f"p{number}", since_us=AT, resolved_us=resolved_us, thread=f"{number}.1",
    )  # fmt: skip


async def test_alertmanagers_shape_has_every_field_of_version_4() -> None:
    digest = msgspec.structs.replace(
        MESSAGE, incident=None, what="digest", items=(item(8), item(9, "resolved", AT + 60_000_000))
    )
    over = msgspec.structs.replace(MESSAGE, what="resolved", resolved_us=AT + 1, page=False)
    async with HttpEnd() as end:
        send = channel(webhook=end.url, format="alertmanager")
        for message in (MESSAGE, digest, over):
            await send(message)
        documents = [json.loads(body) for _, body in end.requests]
    fields = {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert all(set(document) == fields and document["version"] == "4" for document in documents)
    one, many, ended = documents
    assert [document["status"] for document in documents] == ["firing", "firing", "resolved"]
    assert one["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    assert ended["alerts"][0]["endsAt"] == "2026-07-11T08:00:00.000001Z"
    assert one["alerts"][0]["fingerprint"] == ended["alerts"][0]["fingerprint"]
    assert [alert["labels"]["element"] for alert in many["alerts"]] == ["p8", "p9"]
    assert len({alert["fingerprint"] for alert in many["alerts"]}) == 2
    assert all(isinstance(value, str) for alert in many["alerts"] for value in alert["labels"].values())


async def test_pagerduty_one_alert_for_an_episode_and_a_new_one_after_it() -> None:
    accepted = answer("202 Accepted", b'{"status":"success","message":"Event processed","dedup_key":"k"}')
    story = [
        MESSAGE,
        msgspec.structs.replace(MESSAGE, what="promoted"),
        msgspec.structs.replace(MESSAGE, what="acknowledged"),
        msgspec.structs.replace(MESSAGE, what="resolved"),
        msgspec.structs.replace(MESSAGE, what="reopened", episode=1),
    ]
    async with HttpEnd(accepted) as end:
        send = channel(pagerduty=end.url, **WITH_SECRET)
        assert [await send(message) for message in story] == ["HTTP 202 Accepted: k"] * 5
        events = [json.loads(body) for _, body in end.requests]
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "acknowledge", "resolve", "trigger"]
    keys = [event["dedup_key"] for event in events]
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]
    assert all(event["routing_key"] == SECRET and len(event["dedup_key"]) <= 255 for event in events)
    payload = events[0]["payload"]
    assert (payload["severity"], payload["source"], payload["component"]) == ("critical", "voz", "core core-a")
    assert payload["timestamp"] == "2026-07-11T08:00:00.000000Z"


async def test_pagerduty_400_is_final_says_why_and_never_shows_the_key() -> None:
    said = answer("400 Bad Request", b'{"status":"invalid event","errors":["length of routing_key is incorrect"]}')
    async with HttpEnd(said) as end:
        with pytest.raises(RejectedError, match="length of routing_key is incorrect") as caught:
            await channel(pagerduty=end.url, **WITH_SECRET)(MESSAGE)
    assert SECRET not in str(caught.value)


async def test_something_in_between_that_says_200_is_no_receipt_of_pagerduty() -> None:
    async with HttpEnd(answer("200 OK", b"<html>Please log in</html>")) as end:
        with pytest.raises(RetryError, match="eso no era la Events API"):
            await channel(pagerduty=end.url, **WITH_SECRET)(MESSAGE)


# -- apprise -----------------------------------------------------------------------------------------------------------


async def test_apprise_speaks_and_its_address_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "apprise")
    async with HttpEnd(answer("200 OK"), answer("401 Unauthorized")) as end:
        monkeypatch.setenv("F_APPRISE", f"json://robot:hunter2secret@127.0.0.1:{end.port}/tok-9f8e7d")
        send = channel(apprise={"env": "F_APPRISE"})
        assert await send(MESSAGE) == "accepted"
        assert json.loads(end.requests[0][1])["title"] == MESSAGE.short
        with pytest.raises(RetryError) as caught:
            await send(MESSAGE)
    told = str(caught.value) + caplog.text
    assert "hunter2secret" not in told
    assert "tok-9f8e7d" not in told


async def test_apprise_that_hangs_or_cannot_be(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    monkeypatch.setenv("F_APPRISE", "nosuch://hunter2secret")
    with pytest.raises(RejectedError, match="apprise no entiende"):
        await channel(apprise={"env": "F_APPRISE"})(MESSAGE)
    async with HttpEnd(HANG) as end:
        monkeypatch.setenv("F_APPRISE", f"json://127.0.0.1:{end.port}/x?rto=1.5")
        with pytest.raises(DoubtError, match="sin respuesta"):
            await channel(apprise={"env": "F_APPRISE"})(MESSAGE)


@pytest.mark.parametrize(
    ("limit", "title", "most"), [(160, "", 160), (4_096, MESSAGE.short, 3_600), (32_768, MESSAGE.short, 3_600)]
)
def test_an_sms_gets_the_short_form_and_a_chat_what_it_takes(limit: int, title: str, most: int) -> None:
    many = msgspec.structs.replace(
        MESSAGE, body="\n".join(f"#{number} abierto: [Alta S2] Portal" for number in range(500))
    )
    found, body = apprise_channel._fitting(many, limit)
    assert found == title
    assert len(body) <= most
    assert body.endswith("…") or body == MESSAGE.short


# -- SMTP --------------------------------------------------------------------------------------------------------------


def mail_config(port: int, **more: Any) -> dict[str, Any]:
    return {"smtp": f"smtp://127.0.0.1:{port}", "from": "Sereno <sereno@noc.example>", **more}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("-r", "rcpt"), RetryError), (("-f", "rcpt"), RejectedError), (("-r", "data"), RetryError),
        (("-f", "mail"), RejectedError), (("-q", "mail"), RetryError), (("-q", "data"), DoubtError),
        (("-q", "."), DoubtError), (("-r", "."), RetryError), (("-f", "."), RejectedError),
        (("-w", "20"), DoubtError), (("-q", "helo,ehlo"), RetryError),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.__name__,
)  # fmt: skip
async def test_postfix_sink_and_every_fault_it_can_play(
    tmp_path: Path, impatient: None, options: tuple[str, ...], error: Any
) -> None:
    with smtp_sink(*options, folder=tmp_path) as port, pytest.raises(error) as caught:
        await channel(**mail_config(port))(MESSAGE)
    assert type(caught.value) is error


async def test_postfix_sink_takes_the_letter_as_it_was_meant(tmp_path: Path) -> None:
    with smtp_sink("-d", "%M.", folder=tmp_path) as port:
        send = channel(**mail_config(port, reply_to="soporte@noc.example"))
        receipt = await send(msgspec.structs.replace(MESSAGE, ack_url="https://noc.example/ack/v1.x"))
        await send(msgspec.structs.replace(MESSAGE, key="7/resolved/9/ana/x", what="resolved", page=False))
    assert receipt.startswith("250")
    first, last = letters(tmp_path)
    assert (first["Auto-Submitted"], first["Reply-To"], first["X-Sereno"]) == (
        "auto-generated", "soporte@noc.example", "7",
    )  # fmt: skip
    assert first["Subject"] == MESSAGE.subject + " [#7]"
    assert first["Message-ID"] == message_id(MESSAGE.key, "sereno@noc.example") != last["Message-ID"]
    assert first["References"] == last["References"] == first["In-Reply-To"]
    assert first["X-Priority"] == "1"
    text, page = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "Reconocer: https://noc.example/ack/v1.x" in text.get_content()
    assert "Núcleo core-a caído" in page.get_content()


def letters(folder: Path) -> list[Any]:
    """What smtp-sink stored, oldest first, without the envelope that it writes before each message."""
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    raw = [file.read_bytes().replace(b"\r\n", b"\n") for file in files]
    return [email.message_from_bytes(one[one.find(b"From: ") :], policy=mail_policy) for one in raw]


class Box:
    """aiosmtpd's handler."""

    def __init__(self) -> None:
        self.to: list[list[str]] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address.startswith("gone"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's names
        self.to.append(list(envelope.rcpt_tos))
        return "250 queued as 77"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def tls_server(pki: Pki) -> Iterator[tuple[int, Box]]:
    """STARTTLS, and a login that is asked for under TLS alone."""
    import socket
    import ssl

    certificate, key = pki.issue("mail", "DNS:localhost,IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"sereno", SECRET.encode())
        return AuthResult(success=good, handled=good)

    box = Box()
    server = Controller(
        box, hostname="127.0.0.1", port=port, tls_context=context, authenticator=login, auth_require_tls=True
    )
    server.start()
    yield port, box
    server.stop()


async def test_mail_under_tls_with_a_login(tls_server: tuple[int, Box], pki: Pki) -> None:
    port, box = tls_server
    config = mail_config(port, starttls="required", ca=str(pki.ca), user="sereno", **WITH_SECRET)
    assert "queued as 77" in await channel(**config)(MESSAGE)
    assert box.to == [["ana@example.net"]]


async def test_a_server_that_nobody_vouches_for_gets_no_password(tls_server: tuple[int, Box]) -> None:
    port, box = tls_server
    with pytest.raises(RetryError, match=r"(?i)certificate"):
        await channel(**mail_config(port, user="sereno", **WITH_SECRET))(MESSAGE)
    with pytest.raises(RetryError, match=r"(?i)certificate"):
        await channel(**mail_config(port, starttls="required"))(MESSAGE)
    assert "queued" in await channel(**mail_config(port))(MESSAGE)  # opportunistic: better than in the clear
    assert len(box.to) == 1


async def test_tls_that_is_required_and_not_offered(tmp_path: Path) -> None:
    with smtp_sink(folder=tmp_path) as port, pytest.raises(RetryError, match="STARTTLS"):
        await channel(**mail_config(port, starttls="required"))(MESSAGE)


async def test_a_wrong_password_is_said_without_it(
    tls_server: tuple[int, Box], pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F_SECRET", "not-the-password")
    port, _ = tls_server
    with pytest.raises((RejectedError, RetryError), match="535") as caught:
        await channel(**mail_config(port, ca=str(pki.ca), user="sereno", **WITH_SECRET))(MESSAGE)
    assert "not-the-password" not in str(caught.value)


async def test_several_recipients_and_one_that_is_gone(tls_server: tuple[int, Box]) -> None:
    port, box = tls_server
    several = msgspec.structs.replace(MESSAGE, address="noc@acme.example, gone@acme.example,cto@acme.example")
    receipt = await channel(**mail_config(port))(several)
    assert "not all: 550 no such user" in receipt
    assert box.to == [["noc@acme.example", "cto@acme.example"]]
    with pytest.raises(RejectedError, match="550"):
        await channel(**mail_config(port))(msgspec.structs.replace(MESSAGE, address="gone@acme.example"))


@pytest.mark.parametrize("address", [None, "", "ana", "\r\nBcc: x@y.z", "a@b\r\nX: y"])
async def test_an_address_that_is_none_is_final(tls_server: tuple[int, Box], address: str | None) -> None:
    port, box = tls_server
    with pytest.raises(RejectedError):
        await channel(**mail_config(port))(msgspec.structs.replace(MESSAGE, address=address))
    assert box.to == []
