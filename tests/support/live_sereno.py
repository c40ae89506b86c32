"""A whole `sereno up --lab` of a test's own: real processes, asked by the command line and read from its store."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sqlalchemy import select

from deploy.lab import Lab, LabError
from deploy.lab.ports import check_free
from sereno.cli.verdicts import say
from sereno.clock import SECOND_US, parse_instant
from sereno.incident import incident_json
from sereno.instance import read
from sereno.store import open_store
from sereno.store.desk import incidents
from sereno.store.queries.results import in_order
from sereno.store.tables import outbox, verdict_changes

SERENO = [sys.executable, "-m", "sereno"]
PATHS = ["sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-a", "sbc-2/core-b"]
NETS = range(50, 60)


def now_us():
    return time.time_ns() // 1_000


def us(instant):
    """Microseconds of an instant as every --json prints it."""
    return parse_instant(instant)


def seconds(later, earlier):
    """The time between two instants that --json printed."""
    return (us(later) - us(earlier)) / SECOND_US


def wait_for(condition, what, limit=30.0, *, pause=0.05):
    """The first true answer of `condition`."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        text = what() if callable(what) else what
        assert time.monotonic() < deadline, f"{text} did not come in {limit} s"
        time.sleep(pause)
    return answer


def free_net():
    """A loopback net that nobody's lab uses now."""
    for number in NETS:
        net = f"127.{number}"
        try:
            check_free(Lab(net).plan)
        except LabError:
            continue
        return net
    raise AssertionError(f"no loopback net is free from 127.{NETS[0]} to 127.{NETS[-1]}")


class Hook:
    """A webhook's far end: what was posted, and when it was."""

    def __init__(self, port=0):
        self.posted = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.posted.append((now_us(), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def desk(self):
        """A desk of the operator's contract with one person behind this hook."""
        return (
            f'contract: wekall\nchannels: {{hook: {{webhook: "{self.url}"}}}}\n'
            "people: {ana: {channels: [hook]}}\nlevels: [{name: L1, people: [ana]}]\n"
        )


class Live:
    """One data directory, one lab; may be started again on the same data."""

    def __init__(self, *, desk=None, environment=None):
        self.folder = Path(tempfile.mkdtemp(prefix="sereno-live-"))  # short: Unix sockets have short names
        self.data = self.folder / "data"
        self.net = free_net()
        self.environment = {**os.environ, "SERENO_LAB_STATE": str(self.folder / "lab"), **(environment or {})}
        self.lab = Lab(self.net, self.folder / "lab" / self.net)
        self.desk = None
        if desk is not None:
            self.desk = self.folder / "desk.yaml"
            self.desk.write_text(desk)
        self.process = self._store = None

    # -- its life ------------------------------------------------------------------------------------------------------

    def start(self):
        """Up, and every path said to be up."""
        arguments = ["up", "--lab", "--net", self.net, "--data", str(self.data), "--http", "127.0.0.1:0"]
        if self.desk is not None:
            arguments += ["--desk", str(self.desk)]
        self.began_us = now_us()
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen([*SERENO, *arguments], stdout=out, stderr=err, env=self.environment)
        self.wait_for(lambda: "Sereno: http" in (self.folder / "out").read_text(), "the page's address", 60)
        self.wait_for(self.all_up, lambda: f"everything up ({self.states()} {self.said()})", 30)
        return self

    def stop(self):
        """Asked to end; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        wait_for(lambda: self.left() == [], lambda: f"the end of {self.left()}", 12)
        return code

    def close(self):
        """Whatever happened, nothing stays."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except (AssertionError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        if self._store is not None:
            self._store.dispose()
        wait_for(lambda: self.left() == [], lambda: f"the end of {self.left()}", 12)
        shutil.rmtree(self.folder)

    def left(self):
        """Every living process that carries this folder in its command line or environment: ours, by birth."""
        found = []
        mark = str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                ours = mark in line or mark in (entry / "environ").read_bytes()
            except OSError:
                continue
            if ours and state != "Z":
                found.append((int(entry.name), line.replace(b"\0", b" ").decode(errors="replace")[:120]))
        return found

    def pids(self):
        """Of the parts, by name."""
        found = read(self.data)
        return {} if found is None else found.pids

    def said(self):
        return (self.folder / "out").read_text() + (self.folder / "err").read_text()

    def wait_for(self, condition, what, limit=30.0):
        def alive():
            assert self.process.poll() is None, self.said()
            return condition()

        return wait_for(alive, what, limit)

    # -- the softswitch ------------------------------------------------------------------------------------------------

    def break_(self, what):
        """When the fault took effect."""
        return self.lab.break_(what)["at"]

    def heal(self, what=None):
        """When it began to be healed; returns when all of the lab is proved."""
        return self.lab.heal(what)["at"]

    # -- asked by the command line -------------------------------------------------------------------------------------

    def ask(self, *arguments, codes=(0,)):
        """What a command's --json says."""
        done = subprocess.run(
            [*SERENO, *arguments, "--data", str(self.data), "--json"],
            capture_output=True, text=True, check=False, env=self.environment, timeout=60,
        )  # fmt: skip
        assert done.returncode in codes, f"{arguments}: {done.returncode} {done.stdout}{done.stderr}"
        assert done.stderr == ""
        return json.loads(done.stdout)

    def availability(self, scope, since, until):
        """Of the ledger, and recomputed from the results alone: the same."""
        window = ("availability", "--scope", scope, "--from", since, "--to", until)
        found = self.ask(*window)
        assert self.ask(*window, "--recompute") == found
        return found

    # -- read from the store, as often as a test likes -----------------------------------------------------------------

    def read(self):
        if self._store is None:
            self._store = open_store(self.data)
        return self._store.read()

    def query(self, statement):
        with self.read() as connection:
            return connection.execute(statement).all()

    def incidents(self):
        with self.read() as connection:
            return [incident_json(record) for record in incidents(connection)]

    def incident(self, **wanted):
        """The first incident with these values, or None."""
        return next((one for one in self.incidents() if all(one[key] == value for key, value in wanted.items())), None)

    def states(self):
        """What is said now: {(kind, name): (state, reason)}."""
        self.query(select(verdict_changes.c.id).limit(1))  # opens the store
        return {(one["kind"], one["name"]): (one["state"], one["reason"]) for one in say(self._store, now_us())}

    def all_up(self):
        return {state for state, _ in self.states().values()} == {"up"}

    def changes(self, kind, name):
        """What was said of an element, in order."""
        columns = verdict_changes.c
        statement = select(columns.state, columns.since_us, columns.at_us).order_by(columns.id)
        return self.query(statement.where(columns.kind == kind, columns.name == name, columns.what == "verdict"))

    def up_since_us(self, kind):
        """The first good sample of elements of this kind."""
        columns = verdict_changes.c
        return min(
            row.since_us
            for row in self.query(select(columns.since_us).where(columns.kind == kind, columns.state == "up"))
        )

    def ever(self, kind):
        """Every verdict that was said of elements of a kind, since the beginning: {(name, state)}."""
        columns = verdict_changes.c
        return {
            tuple(row)
            for row in self.query(
                select(columns.name, columns.state).where(columns.kind == kind, columns.what == "verdict")
            )
        }

    def findings(self):
        """Every finding that was ever said to be true: {(kind, name, what)}."""
        columns = verdict_changes.c
        return {
            tuple(row)
            for row in self.query(select(columns.kind, columns.name, columns.what).where(columns.state == "true"))
        }

    def results(self, check, since=None):
        """Stored results of a check, in order of sending."""
        with self.read() as connection:
            found = [result for result, _ in in_order(connection, us(since) if since else 0, now_us())]
        return [result for result in found if result.check == check]

    def outbox(self):
        return self.query(select(outbox).order_by(outbox.c.id))
