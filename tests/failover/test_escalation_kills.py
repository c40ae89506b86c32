"""kill −9 between every two steps of an escalation: delivered at least once, recorded once, no double page in a minute.

Real processes on a real store, with a real web and mail server at the far end; only time runs faster. A few deaths by
default, SERENO_ESCALATION_KILLS=200 for the long run.
"""

import itertools
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from escalation_child import FastClock
from sqlalchemy import select

from alerting.escalation.auditor import look
from alerting.escalation.rows import load
from sereno.clock import SECOND_US, parse_instant
from sereno.store import open_store
from sereno.store.commands import submit
from sereno.store.tables import commands, incident_timeline, incidents, outbox, steps

KILLS = int(os.environ.get("SERENO_ESCALATION_KILLS", "6"))  # on each database
SPEED = 30.0
SLACK_US = 18 * SECOND_US  # between the word that an attempt begins and the far end's hearing of it
BASE_US = parse_instant("2026-07-11T03:00:00-05:00")
MOST_EVENTS = 45  # a round that pages, its deliveries and what follows
# A channel that is dead for a minute with its desk has a ticket of the monitor's own.
MINE = select(incidents.c.number, incidents.c.state).where(incidents.c.priority == "Urgente")
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(60 + 6 * KILLS)


class FarEnd:
    """A webhook and a mail server that remember what they took, and when."""

    def __init__(self, clock):
        self.taken = []  # (at, key, person, what)
        far = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                far.taken.append((clock.now_us(), body["key"], body["to"], body["what"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        class Mail:
            async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
                head = envelope.content.decode("utf-8", "replace").partition("\r\n\r\n")[0]
                mark = next(line for line in head.split("\r\n") if line.lower().startswith("message-id:"))
                far.taken.append((clock.now_us(), mark, envelope.rcpt_tos[0].partition("@")[0], "mail"))
                return "250 taken"

        self._web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._web.daemon_threads = True
        self._thread = threading.Thread(target=self._web.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.mail_port = free.getsockname()[1]
        self._mail = Controller(Mail(), hostname="127.0.0.1", port=self.mail_port)
        self._mail.start()
        self.web = f"http://127.0.0.1:{self._web.server_port}/"

    def close(self):
        self._mail.stop()
        self._web.shutdown()
        self._thread.join()
        self._web.server_close()

    def desk(self):
        people = {"ana": "[hook]", "leo": "[hook, mail]", "sol": "[mail]"}
        listed = "\n".join(
            f"  {name}: {{email: {name}@example.net, channels: {ways}}}" for name, ways in people.items()
        )
        return f"""
contract: callmyway
channels:
  hook: {{webhook: "{self.web}"}}
  mail: {{smtp: "smtp://127.0.0.1:{self.mail_port}", from: sereno@example.net}}
people:
{listed}
levels:
- {{name: L1, people: [ana], ack: 1m}}
- {{name: L2, people: [leo], ack: 1m30s}}
- {{name: L3, people: [sol], ack: 2m}}
notifications: {{burst: 50, page_deadline: 3d, deadline: 3d}}
"""


class Lives:
    """One desk after another on the same store."""

    def __init__(self, place, folder, clock):
        self.store = open_store(place)
        self.folder, self.clock = folder, clock
        arguments = [str(place), str(folder), str(clock.speed), str(clock.base_us), str(clock.real_us)]
        script = ROOT / "tests" / "support" / "escalation_child.py"
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"}
        self.log = (folder / "lives.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            text=True, env=environment,
        )  # fmt: skip
        self.ends = []

    def begin(self, events):
        self.process.stdin.write(f"{events}\n")
        self.process.stdin.flush()

    def end(self):
        """How the life under way ended."""
        said = self.process.stdout.readline().split(maxsplit=2)
        self.ends.append(said[2].strip() if len(said) > 2 else "")
        return said[1]

    def ask(self, verb, **arguments):
        submit(self.store, verb, arguments, "juez", clock=self.clock)

    def rows(self, query):
        with self.store.read() as connection:
            return connection.execute(query).all()

    def steps(self):
        with self.store.read() as connection:
            return load(connection, every=True)

    def close(self):
        (self.folder / "stop").touch()
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        self.store.dispose()


@pytest.fixture
def tell(capsys):
    def say(line):
        with capsys.disabled():
            print(f"\n    {line}", end="")

    return say


def keep_it_busy(lives):
    """An incident that nobody acknowledges is always under way; one that reached the last level is acknowledged."""
    if lives.rows(select(commands.c.id).where(commands.c.state == "pending")):
        return
    mine = lives.rows(MINE)
    waiting = [row.number for row in mine if row.state == "open"]
    if not waiting:
        lives.ask("incident.open", title=f"prueba {len(mine)}", priority="Urgente")
        return
    number = waiting[0]
    if any("sol" in step.people for step in lives.steps() if step.incident == number and step.state == "done"):
        lives.ask("incident.ack", number=number)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_page_arrives_and_is_written_once(tmp_path, request, kind, tell):
    clock = FastClock(SPEED, BASE_US, time.time_ns() // 1_000)
    far = FarEnd(clock)
    request.addfinalizer(far.close)
    (tmp_path / "desk.yaml").write_text(far.desk())
    place = request.getfixturevalue("pg_url") if kind == "postgresql" else tmp_path / "data"
    lives = Lives(place, tmp_path, clock)
    request.addfinalizer(lives.close)
    deaths(lives, random.Random(KILLS))
    lives.begin(0)
    deadline = time.monotonic() + 45
    while not (quiet := settled(lives)):
        keep_it_busy_until_acknowledged(lives)
        assert time.monotonic() < deadline, lives.rows(select(outbox.c.key, outbox.c.state, outbox.c.error))
        time.sleep(0.2)
    assert quiet
    (tmp_path / "stop").touch()
    assert lives.end() == "ended"
    doubled = check(lives, far, clock)
    kinds = len(set(lives.ends))
    assert far.taken
    many = f"{len(far.taken)} deliveries, {doubled} of them repeated"
    tell(f"{kind}: {KILLS} deaths at {kinds} kinds of event, {many}")


def deaths(lives, numbers):
    for life in range(KILLS):
        keep_it_busy(lives)
        lives.begin(numbers.randint(1, MOST_EVENTS) if life % 2 else 1 + life % MOST_EVENTS)
        ended = threading.Event()
        threading.Thread(target=busy_until, args=(lives, ended), daemon=True).start()
        assert lives.end() == "killed"
        ended.set()


def busy_until(lives, ended):
    """A life that has nothing to do is given something."""
    while not ended.wait(0.5):
        keep_it_busy(lives)


def keep_it_busy_until_acknowledged(lives):
    if any(row.state == "open" for row in lives.rows(MINE)):
        keep_it_busy(lives)


def settled(lives):
    if lives.rows(select(commands.c.id).where(commands.c.state == "pending")):
        return False
    if {row.state for row in lives.rows(MINE)} != {"acknowledged"}:
        return False
    return not lives.rows(select(outbox.c.id).where(outbox.c.state == "pending"))


def check(lives, far, clock):
    """Every promise; how many deliveries were repetitions after a death."""
    sent = lives.rows(select(outbox))
    assert all(row.state == "sent" for row in sent), [(row.key, row.state, row.error) for row in sent]
    keys = {row.key for row in sent if row.channel == "hook"}
    posted = [(at, key, person) for at, key, person, what in far.taken if what != "mail"]
    assert {key for _, key, _ in posted} == keys
    mails = {mark for _, mark, _, what in far.taken if what == "mail"}
    assert len(mails) == sum(1 for row in sent if row.channel == "mail")
    lines = [(row.number, row.at_us, row.what) for row in lives.rows(select(incident_timeline))]
    receipts = [what for _, _, what in lines if what.startswith("entregado")]
    assert len(receipts) == len(sent)
    assert len(lines) == len(set(lines)) + sum(lines.count(one) - 1 for one in set(lines) if "entregado" in one[2])
    for _, group in itertools.groupby(sorted((key, at) for at, key, *_ in far.taken), key=lambda one: one[0]):
        times = [at for _, at in group]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(gap >= 60 * SECOND_US - SLACK_US for gap in gaps), gaps
    check_steps(lives, clock)
    return len(far.taken) - len(sent)


def check_steps(lives, clock):
    """Of every incident: the levels in their order, each page a minute or more after the last to the same person."""
    found = lives.steps()
    assert len({step.key for step in found}) == len(found) == len(lives.rows(select(steps)))
    for number, mine in itertools.groupby(sorted(found, key=lambda one: one.incident), key=lambda one: one.incident):
        own = sorted((step for step in mine if step.state == "done" and step.kind == "page"), key=lambda one: one.place)
        if not own:
            continue
        assert own[0].what == "opened", (number, own)
        assert [step.what for step in own if "sol" in step.people][:1] == ["escalated"], (number, own)
        called = {}
        for step in own:
            assert step.done_us is not None
            assert step.done_us >= step.due_us
            for person in step.people:
                assert step.done_us - called.get(person, 0) >= 60 * SECOND_US
                called[person] = step.done_us
    with lives.store.read() as connection:
        assert look(connection, ("ana", "leo", "sol"), clock.now_us()) == []
