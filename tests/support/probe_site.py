"""A site of a test's own: a Mosquitto (plain or TLS), a real collector and real probes, each a process."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import msgspec
from sqlalchemy import select

from sereno import broker
from sereno.mqtt import CA_ENV, PASSWORD_FILE_ENV
from sereno.ranges import Ranges
from sereno.store import open_store
from sereno.store.queries.results import in_order
from sereno.store.tables import probe_events, verdict_changes
from sereno.wire import Status, decode

SERENO = [sys.executable, "-m", "sereno"]


def quiet_port(host="127.0.0.1"):
    """A free port that no outgoing connection is given meanwhile."""
    for port in random.sample(range(20_000, 32_000), 200):
        with suppress(OSError), socket.socket() as door:
            door.bind((host, port))
            return port
    raise AssertionError("no port is free")


def certificates(folder, name="localhost"):
    """An authority of our own and a server certificate of it: (ca, certificate, key)."""
    folder.mkdir(exist_ok=True)
    ca, ca_key, request = folder / "ca.pem", folder / "ca.key", folder / "server.csr"
    certificate, key, extensions = folder / "server.pem", folder / "server.key", folder / "extensions"
    extensions.write_text(f"subjectAltName=DNS:{name}\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    more = ["-days", "2", "-extfile", extensions]
    for arguments in (
        ["req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-subj", "/CN=Test authority", "-days", "2"],
        ["req", "-new", *curve, "-keyout", key, "-out", request, "-subj", f"/CN={name}"],
        ["x509", "-req", "-CAcreateserial", "-in", request, "-CA", ca, "-CAkey", ca_key, "-out", certificate, *more],
    ):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
    return ca, certificate, key


class Peer:
    """Answers every SIP request with 200, or with nothing."""

    def __init__(self, host="127.85.1.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.mute = self.over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self.over:
            data, address = self.socket.recvfrom(4_096)
            if self.mute or not data.startswith(b"OPTIONS"):
                continue
            kept = [line for line in data.split(b"\r\n")[1:] if line.split(b":")[0] in FIELDS]
            reply = b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""])
            self.socket.sendto(reply, address)

    def close(self):
        self.over = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", self.socket.getsockname())
        self._thread.join()
        self.socket.close()


FIELDS = {b"Via", b"From", b"To", b"Call-ID", b"CSeq"}


class Site:
    """Processes over one folder; `close()` ends all of them."""

    def __init__(self, folder, topology, probes=("p1",), *, tls=False):
        self.folder, self.probes, self.tls = folder, probes, tls
        self.port, self.http = quiet_port(), quiet_port()
        self.processes, self.started, self._store = {}, [], None
        self.topology = folder / "topology.yaml"
        self.topology.write_text(topology)
        self.config = broker.prepare(folder / "broker", self.port, list(probes))
        self.ca = None
        if tls:
            self.ca, certificate, key = certificates(folder / "tls")
            self.config.write_text(self.config.read_text() + f"certfile {certificate}\nkeyfile {key}\n")

    def url(self, account):
        return f"mqtts://{account}@localhost:{self.port}" if self.tls else f"mqtt://{account}@127.0.0.1:{self.port}"

    def environment(self, account):
        found = {**os.environ, PASSWORD_FILE_ENV: str(broker.secret_file(self.folder / "broker", account))}
        found["XDG_DATA_HOME"] = str(self.folder / "home")
        return found | ({CA_ENV: str(self.ca)} if self.ca else {})

    def start(self, name, *arguments, environment=None):
        """`broker`, `collector` or the name of a probe."""
        if name == "broker":
            command = [broker.program(), "-c", str(self.config)]
        elif name == "collector":
            command = [*SERENO, "collector", "--broker", self.url("collector"), "--topology", str(self.topology)]
            command += ["--data", str(self.folder / "data"), "--http", f"127.0.0.1:{self.http}"]
        else:
            command = [*SERENO, "probe", "--broker", self.url(name), "--name", name]
        account = "collector" if name == "broker" else name
        with self.log_path(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *arguments], stdout=log, stderr=log, env={**self.environment(account), **(environment or {})}
            )
        self.started.append(self.processes[name])
        if name == "broker":
            self.wait_for(self.broker_answers, "the broker")

    def start_all(self):
        for name in ("broker", "collector", *self.probes):
            self.start(name)

    def send(self, name, number):
        self.processes[name].send_signal(number)

    def end(self, name, number=signal.SIGTERM):
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(15)

    def close(self):
        for process in self.started:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        if self._store is not None:
            self._store.dispose()

    # -- what they say -------------------------------------------------------------------------------------------------

    def log_path(self, name):
        return self.folder / f"{name}.log"

    def log(self, name):
        return self.log_path(name).read_text()

    def spool(self, name):
        return self.folder / "home" / "sereno" / "probes" / name / "spool.db"

    def broker_answers(self):
        with closing(socket.socket()) as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_for(self, condition, what, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended by itself: {self.log(name)[-2000:]}"
            assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
            time.sleep(0.05)
        return found

    def _read(self, question):
        if not (self.folder / "data" / "sereno.db").exists():
            return []
        if self._store is None:  # opened once: looking often must not take the machine from those that are looked at
            self._store = open_store(self.folder / "data")
        with self._store.read() as connection:
            return question(connection)

    def results(self, probe=None):
        found = self._read(lambda connection: list(in_order(connection, 0, 1 << 62)))
        return [one for one, _ in found if probe in {None, one.probe}]

    def ask(self, question, *values):
        """One value of the store; None while there is none."""
        path = self.folder / "data" / "sereno.db"
        if not path.exists():
            return None
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            try:
                row = file.execute(question, values).fetchone()
            except sqlite3.OperationalError:  # not made yet
                return None
        return row[0] if row is not None else None

    def invalid_since(self, boot):
        return self.ask("SELECT count(*) FROM results WHERE boot = ? AND outcome = 'invalid'", boot) or 0

    def valid_since(self, boot):
        return self.ask("SELECT count(*) FROM results WHERE boot = ? AND outcome = 'ok'", boot) or 0

    def statuses(self, probe):
        rows = self._read(
            lambda connection: connection.execute(
                select(probe_events.c.body).where(probe_events.c.probe == probe)
            ).all()
        )
        return [decode(row.body.encode(), Status) for row in rows]

    def verdicts(self):
        """The last word on every element: {(kind, name): (state, at_us)}."""
        rows = self._read(
            lambda connection: connection.execute(
                select(verdict_changes).where(verdict_changes.c.what == "verdict").order_by(verdict_changes.c.id)
            ).all()
        )
        return {(row.kind, row.name): (row.state, row.at_us) for row in rows}

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        rows = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in rows}


def spooled(path):
    """The results in a probe's spool, as they are."""
    with closing(sqlite3.connect(path)) as file:
        return [msgspec.json.decode(body) for (body,) in file.execute("SELECT body FROM results ORDER BY boot, seq")]


def seqs(results):
    """Ranges of seq by boot; nothing comes twice."""
    found = {}
    for one in results:
        held = found.setdefault(one.boot, Ranges())
        assert one.seq not in held, "twice"
        held.add(one.seq)
    return found


__all__ = ["Path", "Peer", "Site", "certificates", "quiet_port", "seqs", "spooled"]
