"""Messages to customers' contacts on a real store with a real mail server: what is sent, receipts, what is kept."""

import asyncio
import importlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from alerting_bench import TOPOLOGY, topology
from sqlalchemy import insert
from typer.testing import CliRunner

from alerting.channels import channels_of
from alerting.rows import read_activities, read_problems
from alerting.service import AlertingService, Desk, machine_for
from sereno.clock import SystemClock
from sereno.desk import parse_desk
from sereno.errors import SerenoError
from sereno.store import Store, open_store
from sereno.store.commands import Outcome, submit, wait
from sereno.store.desk import incidents, windows
from sereno.store.desk_messages import Said, messages_of
from sereno.store.queries.ledger import windows as ledger_windows
from sereno.store.tables import topologies
from sereno.topology import canonical_json, topology_hash

WATCHED = topology(
    TOPOLOGY.replace(
        "contract: callmyway}", "contract: callmyway, locale: es_CR, contacts: [noc@acme.example]}"
    ).replace("service: voz", "service: voz\ntimezone: America/Bogota")
)


def desk_file(port: int) -> Any:
    return parse_desk(
        "desk.yaml",
        f"""
contract: wekall
channels: {{mail: {{smtp: "smtp://127.0.0.1:{port}", from: mesa@op.example}}}}
people: {{ana: {{email: ana@op.example, channels: [mail]}}}}
""".encode(),
    )


class Server:
    """A real SMTP server that keeps what it takes; it refuses whom it is told to."""

    def __init__(self) -> None:
        self.letters: list[tuple[list[str], str]] = []
        self.strangers: set[str] = set()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address in self.strangers:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append((envelope.rcpt_tos, envelope.content.decode("utf-8", "replace")))
        return "250 taken as 7"


@pytest.fixture
def server() -> Any:
    for _ in range(5):
        found = Server()
        try:
            found.controller.start()
        except OSError:  # somebody took the port in between
            continue
        yield found
        found.controller.stop()
        return
    raise OSError("no free port")


def ask(store: Store, desk: Desk, verb: str, **arguments: object) -> Outcome:
    command = submit(store, verb, arguments, "ana")
    while desk.round()[2]:
        continue
    return wait(store, command, 0.0)


async def delivered(store: Store, server: Server, **of: int) -> list[Said]:
    """The messages once none of them is on its way any more."""
    file = desk_file(server.port)
    service = AlertingService(store, machine_for(WATCHED, file, None), SystemClock(), channels_of(file.channels))
    running = asyncio.create_task(service.run())
    try:
        async with asyncio.timeout(20):
            while True:
                with store.read() as connection:
                    found = messages_of(connection, **of)
                if found and all(one.state != "pending" for one in found):
                    return found
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_customer_is_written_to_and_the_receipt_is_kept(any_store: Store, server: Server) -> None:
    file = desk_file(server.port)
    desk = Desk(any_store, machine_for(WATCHED, file, None), SystemClock())
    made = ask(any_store, desk, "incident.open", customer="acme", title="no salen llamadas")
    assert (made.state, made.number) == ("done", 1)
    server.strangers = {"jefe@acme.example"}
    (said,) = await delivered(any_store, server, number=1)
    assert (said.kind, said.address, said.state) == ("opening", "noc@acme.example", "sent")
    assert "taken as 7" in str(said.receipt)
    to, letter = next(one for one in server.letters if one[0] == ["noc@acme.example"])
    assert f"Message-ID: {said.message_id}" in letter.replace("\r\n ", " ")
    assert to == ["noc@acme.example"]
    with any_store.read() as connection:
        (record,) = incidents(connection)
    assert any("noc@acme.example" in entry.what for entry in record.timeline)


def newest(store: Store) -> int:
    """The last window; what was refused left none behind."""
    with store.read() as connection:
        found = windows(connection)
    assert [one.kind for one in found] == ["sbc", "service"]
    return found[-1].id


async def test_a_notice_of_maintenance_has_its_receipt_or_says_why_not(any_store: Store, server: Server) -> None:
    file = desk_file(server.port)
    desk = Desk(any_store, machine_for(WATCHED, file, None), SystemClock())
    begin_us = SystemClock().now_us() + 12 * 86_400_000_000
    window = {"from_us": begin_us, "to_us": begin_us + 7_200_000_000, "notify": True}
    assert ask(any_store, desk, "maintenance.add", kind="sbc", name="sbc-2", **window).state == "done"
    (said,) = await delivered(any_store, server, maintenance=1)
    assert (said.customer, said.state, said.number) == ("acme", "sent", None)
    assert "Mantenimiento de voz" in said.subject
    refused = ask(any_store, desk, "maintenance.add", kind="customer", name="beta", **window)
    assert (refused.state, refused.text) == (
        "refused",
        "ningún cliente de ese ámbito tiene contactos: nadie recibiría el aviso",
    )
    server.strangers = {"noc@acme.example"}
    assert ask(any_store, desk, "maintenance.add", kind="service", name="voz", **window).state == "done"
    (lost,) = await delivered(any_store, server, maintenance=newest(any_store))
    assert lost.state == "failed"
    assert "no such user" in str(lost.error)
    with any_store.read() as connection:
        announced, unheard = ledger_windows(connection)
    assert announced.announced_us == said.handed_us  # by its receipt
    assert unheard.announced_us > unheard.from_us  # nobody had it: no time is excluded for it


def test_what_the_desk_keeps_is_there_after_a_restart(any_store: Store) -> None:
    file = desk_file(25)
    desk = Desk(any_store, machine_for(WATCHED, file, None), SystemClock())
    assert ask(any_store, desk, "incident.open", customer="acme", title="x", reporter="Luis").number == 1
    assert ask(any_store, desk, "problem.open", title="se repite", incidents=[1]).number == 1
    assert ask(any_store, desk, "activity.add", customer="acme", what="informe", due="2027-01-01T00:00:00Z").number == 1
    again = Desk(any_store, machine_for(WATCHED, file, None), SystemClock())
    assert ask(any_store, again, "problem.close", number=1, root_cause="fuga").state == "done"
    assert ask(any_store, again, "activity.done", id=1, evidence="acta").state == "done"
    assert ask(any_store, again, "incident.answer", number=1, text="¿y?", sender="noc@acme.example").state == "done"
    with any_store.read() as connection:
        (problem,), (activity,) = read_problems(connection), read_activities(connection)
        said = messages_of(connection, number=1)
    assert (problem.state, problem.incidents, problem.root_cause) == ("closed", (1,), "fuga")
    assert (activity.evidence, activity.waits) == ("acta", False)
    assert [(one.direction, one.kind, one.body) for one in said][-1] == ("in", "answer", "¿y?")


def sereno(data: Path, group: str, *arguments: str) -> str:
    """A command as the terminal would run it, in this process; what refuses it is raised."""
    app = importlib.import_module(f"sereno.cli.{group}").app
    done = CliRunner().invoke(app, [*arguments, "--data", str(data)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_people_do_it_by_commands(tmp_path: Path) -> None:
    data = tmp_path / "data"
    store = open_store(data)
    with store.write() as connection:
        connection.execute(
            insert(topologies).values(
                from_us=0,
                hash=topology_hash(WATCHED),
                topology=canonical_json(WATCHED),
                desk=desk_file(25).model_dump_json(by_alias=True),
            )
        )
    store.dispose()
    report = ("--reporter", "Luis", "--direction", "saliente", "--counterpart", "+506", "--description", "no sale")
    (made,) = json.loads(sereno(data, "incidents", "open", "--customer", "acme", "--title", "x", *report, "--json"))[
        "incidents"
    ]
    assert (made["number"], made["complete"], made["direction"]) == (1, None, "outgoing")
    assert [one["clock"] for one in made["clocks"]] == ["solution"]
    sereno(data, "incidents", "update", "1", "--extension", "101", "--occurred", "2026-07-10T08:00-05:00")
    assert "reporta: Luis; extensión: 101; sentido: saliente" in sereno(data, "incidents", "show", "1")
    sereno(data, "incidents", "resolve", "1", "--category", "red", "--cause", "cliente")
    assert "ocurrió: 2026-07-10 08:00 -05:00" in sereno(data, "incidents", "show", "1")
    sereno(data, "incidents", "close", "1")
    assert "cerrado" in sereno(data, "incidents", "show", "1").splitlines()[0]
    said = json.loads(sereno(data, "incidents", "messages", "1", "--json"))["messages"]
    assert [(one["kind"], one["state"]) for one in said] == [("opening", "pending"), ("solution", "pending")]
    with pytest.raises(SerenoError, match="no hay ningún problema 9"):
        sereno(data, "problems", "show", "9")
    assert sereno(data, "activities", "list") == "Ninguna actividad.\n"
