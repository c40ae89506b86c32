"""Reports by schedule, on real stores, made by real children, sent to a real mail server (aiosmtpd)."""

import asyncio
import email
import socket
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.controller import Controller
from doctor_site import told
from sqlalchemy import select
from waiting import until

from alerting import outbox as outbox_module
from alerting.channels import channels_of
from alerting.outbox import Dispatcher
from alerting.reports import ReportPost, post
from sereno.clock import SECOND_US, FakeClock, SystemClock
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.doctor import Asked, Patient
from sereno.press import Press, PressError
from sereno.store import open_store
from sereno.store.queries.seals import DAY_US
from sereno.store.tables import audit, ledger_days, outbox, report_issues, topologies, verdict_changes
from sereno.topology import canonical_json, parse_topology, topology_hash

TOPOLOGY = parse_topology(
    "t",
    b"""
service: acme-voice
cores: {core-a: {uri: "sip:127.0.2.1"}}
sbcs: {sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a}}
customers: {acme: {name: "Acme S.A.", contract: callmyway, locale: es_CR, contacts: [noc@acme.example]}}
sites: {acme-sjo: {customer: acme, sbcs: [sbc-1]}}
checks: {options: {every: 1s, timeout: 900ms}}
""",
)
CONTRACTS = {"callmyway": load_contract("callmyway"), "wekall": load_contract("wekall")}
NOW_US = 1_793_700_000 * SECOND_US  # 3 November 2026, 10:00 UTC
ENDS_US = 1_793_512_800 * SECOND_US  # 1 November 2026, 00:00 in Costa Rica


def desk(port=25, **schedule):
    asked = ", ".join(f"{name}: {value}" for name, value in schedule.items())
    return parse_desk(
        "desk.yaml",
        f"""
contract: wekall
channels: {{mail: {{smtp: "smtp://127.0.0.1:{port}", from: sereno@noc.example}}}}
reports: {{schedules: [{{{asked}}}]}}
""".encode(),
    )


def accepted(store, told, from_us=NOW_US - 90 * DAY_US):
    """The files as a collector took them up, and the seal of the month's last day."""
    with store.write() as connection:
        connection.execute(
            topologies.insert().values(
                from_us=from_us, hash=topology_hash(TOPOLOGY), topology=canonical_json(TOPOLOGY),
                desk=told.model_dump_json(by_alias=True),
            )
        )  # fmt: skip


def sealed(store):
    with store.write() as connection:
        connection.execute(
            ledger_days.insert().values(
                format=1, day_us=ENDS_US // DAY_US * DAY_US, upto=0, rows=0, hash="0" * 64, previous="0" * 64,
                sealed_us=NOW_US,
            )
        )  # fmt: skip


def posting(store, told, maker=None, **more):
    return ReportPost(store, TOPOLOGY, told, CONTRACTS, FakeClock(NOW_US), maker or Press(store.url), **more)


def rows(store):
    with store.read() as connection:
        return connection.execute(select(outbox).order_by(outbox.c.id)).all()


class Letters:
    def __init__(self):
        self.taken, self.refuse = [], False

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - its API
        if self.refuse:
            return "451 try again"
        self.taken.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture
def mail():
    letters = Letters()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(letters, hostname="127.0.0.1", port=port)
    controller.start()
    letters.port = port
    yield letters
    controller.stop()


@asynccontextmanager
async def dispatching(store, told):
    task = asyncio.create_task(
        Dispatcher(store, channels_of(told.channels), SystemClock(), render=Press(store.url).render).run()
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def in_time(store):
    """The outbox keeps by the wall clock: what the schedule's clock wrote is of now."""
    now_us = SystemClock().now_us()
    with store.write() as connection:
        connection.execute(outbox.update().values(created_us=now_us, due_us=now_us, deadline_us=now_us + DAY_US))


@pytest.fixture
def store(tmp_path):
    """SQLite: what takes a child for every step is tried on one database."""
    made = open_store(tmp_path)
    yield made
    made.dispose()


async def test_a_report_is_made_and_sent_with_its_attachments(store, mail):
    told_to = desk(mail.port, formats="[pdf, json]")
    accepted(store, told_to)
    sealed(store)
    assert await posting(store, told_to).round() == 1
    in_time(store)
    async with dispatching(store, told_to):
        await until(lambda: [row.state for row in rows(store)] == ["sent"], 40)
    (((to,), letter),) = mail.taken
    assert to == "noc@acme.example"
    files = {part.get_filename(): part.get_payload(decode=True) for part in letter.walk() if part.get_filename()}
    assert list(files) == ["acme-2026-10.pdf", "acme-2026-10.json"]
    assert files["acme-2026-10.pdf"].startswith(b"%PDF-")
    assert b'"month": "2026-10"' in files["acme-2026-10.json"]
    subject = str(email.header.make_header(email.header.decode_header(letter["Subject"])))
    assert subject == "Informe de servicio de octubre de 2026: Acme S.A."
    with store.read() as connection:
        assert connection.execute(select(report_issues.c.who)).scalars().all() == ["sereno"]
        assert connection.execute(select(audit.c.what, audit.c.how)).all() == [("report.issue", "cli")]
        assert "%PDF" not in connection.execute(select(outbox.c.message)).scalar_one()


async def test_one_delivery_each_and_never_two(any_store):
    told_to = desk(to="[noc@acme.example, boss@acme.example]")
    accepted(any_store, told_to)
    sealed(any_store)
    both = [posting(any_store, told_to, Maker()) for _ in range(2)]  # one had begun when the other took over
    assert sorted(await asyncio.gather(*(one.round() for one in both))) == [0, 2]
    assert await posting(any_store, told_to, Maker()).round() == 0  # a restart
    assert len({row.key for row in rows(any_store)}) == len(rows(any_store)) == 2


async def test_it_waits_until_the_month_stands(tmp_path, any_store):
    told_to = desk()
    accepted(any_store, told_to)
    maker = Maker()
    post_ = posting(any_store, told_to, maker)
    assert await post_.round() == 0
    sealed(any_store)
    assert await post_.round() == 1
    assert maker.asked == ["2026-10"]


async def test_a_schedule_that_is_new_sends_nothing_of_the_past(any_store):
    accepted(any_store, desk(day=1))
    told_to = desk(day=2)
    accepted(any_store, told_to, NOW_US - 3_600 * SECOND_US)
    sealed(any_store)
    assert await posting(any_store, told_to, Maker()).round() == 0


class Maker:
    """Stands for the press where only its failure matters."""

    def __init__(self, fault=None):
        self.fault, self.asked = fault, []

    async def issue(self, month, **asked):
        self.asked.append(month)
        if self.fault is not None:
            raise PressError(self.fault)
        from sereno.press import Made

        return Made(id=1, customer="acme", site=asked["site"], month=month, language="es", locale="es_CR", over=True,
                    verdict="met", data_hash="0", subject="s", lead="l", rows=(("a", "b"),),
                    names={"pdf": "acme.pdf"})  # fmt: skip


async def test_what_cannot_be_made_is_told_tried_again_and_mended(tmp_path, any_store):
    told_to = desk()
    accepted(any_store, told_to)
    sealed(any_store)
    maker = Maker("Pango is missing")
    post_ = posting(any_store, told_to, maker)
    assert await post_.round() == 0
    assert await post_.round() == 0
    assert maker.asked == ["2026-10"]  # not again at once
    with any_store.read() as connection:
        said = connection.execute(select(verdict_changes.c.what, verdict_changes.c.state, verdict_changes.c.reason))
        assert said.all() == [(post.FAILING, "true", "Pango is missing")]
    patient = Patient(Asked(data=tmp_path, database=any_store.url), FakeClock(NOW_US))
    ((state, words, _),) = told(patient, "reports")
    assert (state, words) == ("broken", "a scheduled report cannot be made: Pango is missing")
    patient.close()
    maker.fault = None
    post_._clock.advance(601)
    assert await post_.round() == 1
    patient = Patient(Asked(data=tmp_path, database=any_store.url), FakeClock(NOW_US))
    assert {one for one, _, _ in told(patient, "reports")} == {"ok"}
    patient.close()


async def test_who_does_not_lead_makes_nothing(any_store):
    told_to = desk()
    accepted(any_store, told_to)
    sealed(any_store)
    maker = Maker()
    task = asyncio.create_task(posting(any_store, told_to, maker, may_speak=lambda: False).run())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert maker.asked == []


async def test_an_attachment_that_cannot_be_made_is_no_fault_of_the_channel(store, mail, monkeypatch):
    monkeypatch.setattr(outbox_module, "PAUSE_SECONDS", 0.05)
    told_to = desk(mail.port)
    accepted(store, told_to)
    sealed(store)
    assert await posting(store, told_to, Maker()).round() == 1  # it names an issue that there is not
    in_time(store)
    async with dispatching(store, told_to):
        (row,) = await until(lambda: [one for one in rows(store) if one.error], 20)
    assert (row.state, row.error) == ("pending", "acme.pdf: there is no issued report 1")
    assert mail.taken == []
    with store.read() as connection:
        assert not connection.execute(select(verdict_changes).where(verdict_changes.c.what == "notify_failing")).all()


async def test_a_child_that_hangs_is_ended(store):
    press = Press(store.url, seconds=0.05)
    with pytest.raises(PressError, match="not made within"):
        await press.model("2026-10", customer="acme")


async def test_a_child_says_in_one_line_what_is_wrong(store):
    accepted(store, desk())
    press = Press(store.url)
    with pytest.raises(PressError, match="is not in the topology; they are acme"):
        await press.model("2026-10", customer="nobody")
