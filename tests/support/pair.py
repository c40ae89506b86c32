"""Collectors as operators run them: `sereno collector` over one database and one Mosquitto, with a real probe.

The probe's checks are invented (pipeline_parts.py); a trigger in its spool keeps a side log of all that it took, so
that "measured" means exactly that.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from sqlalchemy import func, select

from probes.spool import SPOOL_SCHEMA
from sereno import broker
from sereno.mqtt import PASSWORD_FILE_ENV, Broker, connect
from sereno.ranges import Ranges
from sereno.store import lease, open_store
from sereno.store.results import load_cursors
from sereno.store.tables import quarantine, results
from sereno.wire import Ack, decode, topic

PARTS = Path(__file__).parents[1] / "integration" / "pipeline_parts.py"
SIDE_LOG = """
CREATE TABLE IF NOT EXISTS side_log (boot TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL,
                                     PRIMARY KEY (boot, seq));
CREATE TRIGGER IF NOT EXISTS keep AFTER INSERT ON results BEGIN
  INSERT INTO side_log SELECT boot, NEW.seq, NEW.body FROM boots WHERE number = NEW.boot;
END;
"""
TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.113.2.1"}
  core-b: {uri: "sip:127.113.2.2"}
sbcs:
  sbc-1: {addresses: ["sip:127.113.1.1:5060;transport=udp"], primary: core-a, backup: core-b}
checks:
  edge: {every: 100ms, timeout: 100ms}
  options: {every: 100ms, timeout: 100ms}
probes:
  p1: {network: trial}
"""
PROBE = "p1"


def quiet_port():
    """A free port that no outgoing connection can be given while its server restarts."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as door:
            door.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Site:
    """The processes of one site over one folder; `database` is a URL, None for SQLite in the folder."""

    def __init__(self, folder, database=None, *, topology=TOPOLOGY, desk=None, environment=None):
        self.folder, self.database = folder, database
        self.port = quiet_port()
        self.processes, self.started, self.pages = {}, [], {}
        self._threads, self._closing = [], []
        self.environment = {**os.environ, "PYTHONPATH": str(PARTS.parents[2]), **(environment or {})}
        self.topology = folder / "topology.yaml"
        self.topology.write_text(topology)
        self.desk = None
        if desk is not None:
            self.desk = folder / "desk.yaml"
            self.desk.write_text(desk)
        (folder / "probe").mkdir()
        with contextlib.closing(sqlite3.connect(self.spool_file)) as spool:
            spool.executescript(SPOOL_SCHEMA + SIDE_LOG)
        self.config = broker.prepare(folder / "broker", self.port, [PROBE])
        self.store = open_store(database or folder / "data")

    @property
    def spool_file(self):
        return self.folder / "probe" / "spool.db"

    # -- processes -----------------------------------------------------------------------------------------------------

    def _start(self, name, arguments, account=None):
        environment = dict(self.environment)
        if account is not None:
            environment[PASSWORD_FILE_ENV] = str(broker.secret_file(self.folder / "broker", account))
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(arguments, stdout=log, stderr=log, env=environment)
        self.started.append(self.processes[name])
        return self.processes[name]

    def start_broker(self):
        self._start("broker", [broker.program(), "-c", str(self.config)])
        self.wait_for(self._broker_answers, "the broker")

    def start_probe(self):
        url = f"mqtt://{PROBE}@127.0.0.1:{self.port}"
        self._start("probe", [sys.executable, str(PARTS), "probe", url, PROBE, str(self.folder / "probe")], PROBE)

    def break_service(self):
        """From now on every check fails."""
        (self.folder / "probe" / "broken").touch()

    def heal_service(self):
        (self.folder / "probe" / "broken").unlink()

    def start_collector(self, name, *, database=None, broker_port=None):
        page = self.pages.setdefault(name, quiet_port())
        where = database or self.database
        store = ["--database", where] if where else ["--data", str(self.folder / "data")]
        desk = ["--desk", str(self.desk)] if self.desk is not None else []
        url = f"mqtt://{broker.COLLECTOR}@127.0.0.1:{broker_port or self.port}"
        arguments = [sys.executable, "-m", "sereno", "collector", "--broker", url, *store, *desk,
                     "--topology", str(self.topology), "--http", f"127.0.0.1:{page}"]  # fmt: skip
        return self._start(name, arguments, broker.COLLECTOR)

    def drain(self):
        """Nothing is measured any more, and all that was is delivered and acknowledged; the probe ends."""
        (self.folder / "probe" / "quiet").touch()
        before = None
        while before != (before := len(self.measured())):
            time.sleep(0.3)
        self.wait_for(lambda: not self.pending(), "the end of what the probe holds")
        self.stop("probe")
        assert not self.pending()

    def kill(self, *names):
        """kill −9, all at the same instant."""
        gone = [self.processes.pop(name) for name in names]
        for process in gone:
            process.send_signal(signal.SIGKILL)
        for process in gone:
            process.wait()

    def signal(self, name, number):
        self.processes[name].send_signal(number)

    def stop(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(15)

    def listen_to_acks(self):
        """The epoch of every acknowledgement from now on, as they come: a list that grows."""
        heard, ready = [], threading.Event()
        secret = broker.secret_file(self.folder / "broker", PROBE).read_text().strip()
        where = Broker(host="127.0.0.1", port=self.port, tls=False, username=PROBE, password=secret)

        async def listen():
            async with connect(where, "listener") as client:
                await client.subscribe(topic("acks", PROBE), qos=1)
                ready.set()
                async for message in client.messages:
                    heard.append(decode(message.payload, Ack).epoch)  # noqa: PERF401  # each as it comes

        async def until_closed():
            task = asyncio.ensure_future(listen())
            self._closing.append((asyncio.get_running_loop(), task))
            await asyncio.gather(task, return_exceptions=True)

        thread = threading.Thread(target=asyncio.run, args=(until_closed(),))
        thread.start()
        self._threads.append(thread)
        assert ready.wait(10)
        return heard

    def close(self):
        for loop, task in self._closing:
            loop.call_soon_threadsafe(task.cancel)
        for thread in self._threads:
            thread.join()
        for process in self.started:
            process.kill()
            process.wait()
        self.store.dispose()

    def _broker_answers(self):
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    # -- waiting and asking --------------------------------------------------------------------------------------------

    def wait_for(self, condition, what, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended by itself: {self.log(name)[-2000:]}"
            assert time.monotonic() < deadline, f"{what} did not come in {seconds} s; {self.logs()}"
            time.sleep(0.02)
        return answer

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def logs(self):
        return "\n".join(f"{name}: {self.log(name)[-1500:]}" for name in self.processes)

    def lease(self):
        with self.store.read() as connection:
            return lease.read(connection)

    def leader(self):
        """The name of the process that holds the lease, as far as it is one of ours that runs."""
        row = self.lease()
        pids = {str(process.pid): name for name, process in self.processes.items()}
        return pids.get(row.holder.split("/")[1]) if row is not None and row.holder else None

    def wait_for_leader(self, name, seconds=60.0):
        self.wait_for(lambda: self.leader() == name, f"{name} to lead", seconds)

    def health(self, name):
        """What a collector's page says of itself; None while it does not answer."""
        url = f"http://127.0.0.1:{self.pages[name]}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())
        except OSError:
            return None

    def count(self):
        with self.store.read() as connection:
            return connection.execute(select(func.count()).select_from(results)).scalar_one()

    def last_arrival_us(self):
        with self.store.read() as connection:
            return connection.execute(select(func.max(results.c.arrived_us))).scalar_one()

    # -- what was measured ---------------------------------------------------------------------------------------------

    def measured(self):
        with contextlib.closing(sqlite3.connect(self.spool_file)) as spool:
            return {(boot, seq): bytes(body) for boot, seq, body in spool.execute("SELECT * FROM side_log")}

    def pending(self):
        with contextlib.closing(sqlite3.connect(self.spool_file)) as spool:
            rows = spool.execute("SELECT b.boot, r.seq FROM results r JOIN boots b ON r.boot = b.number")
            return set(rows.fetchall())

    def check_exactly_once(self):
        """The store equals what was measured, but for what the probe still holds; the cursors say the same."""
        measured, pending = self.measured(), self.pending()
        with self.store.read() as connection:
            found = connection.execute(select(results.c.boot, results.c.seq, results.c.body)).all()
            cursors = load_cursors(connection)
            assert connection.execute(select(func.count()).select_from(quarantine)).scalar_one() == 0
        keys = [(row.boot, row.seq) for row in found]
        assert len(keys) == len(set(keys)), "something twice"
        assert measured.keys() - set(keys) <= pending, "something lost"
        for row in found:
            assert measured[row.boot, row.seq] == row.body.encode()
        for boot in {boot for boot, _ in measured}:
            mine = Ranges()
            for name, seq in keys:
                if name == boot:
                    mine.add(seq)
            held = cursors.get((PROBE, boot))
            assert list(held.ranges if held is not None else Ranges()) == list(mine), "the cursor says other than rows"
        return len(found)
