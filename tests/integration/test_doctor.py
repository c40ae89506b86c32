"""Findings of the doctor: the mistake is really made, in files, stores and brokers; and then it is not."""

import os
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from doctor_site import NOW_US, Site, broke, states, told
from sqlalchemy import text, update

from sereno import broker, instance
from sereno.broker import program, secret_file
from sereno.clock import SECOND_US
from sereno.doctor import Asked, Patient, examine, summary
from sereno.doctor.findings import (
    QUESTIONS,
    disk,
    page,
    programs,
    timezones,
)
from sereno.doctor.model import Question, ok
from sereno.store.tables import leaderships, topologies

HOUR_US = 3_600 * SECOND_US


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


# -- a healthy one -----------------------------------------------------------------------------------------------------

FINE = (
    "programs", "files", "contracts", "topology", "secrets", "timezones", "database", "schema", "collector", "commits",
    "skew", "probes", "notes", "blind", "quarantine", "sbcs", "identify", "steering", "accounts", "media", "oncall",
    "channels", "certificates", "pdf",
)  # fmt: skip


def test_what_is_well_is_said_to_be_well(site):
    patient = site.patient()
    for name in FINE:
        answers = told(patient, name)
        assert states(answers) <= {"ok"}, (name, answers)


def test_looking_changes_nothing(site):
    site.store.dispose()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in site.folder.rglob("*") if path.is_file()}
    examine(site.patient(), QUESTIONS)
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in site.folder.rglob("*") if path.is_file()}
    assert after == before


def test_no_secret_is_told(site):
    findings = examine(site.patient(), QUESTIONS)
    assert not [one for one in findings if "s3cret" in one.told("en") + one.mended("en") + one.where]


# -- what was written --------------------------------------------------------------------------------------------------


def test_a_file_that_is_wrong_says_where(site):
    site.topology.write_text(site.topology.read_text().replace("primary: core-a", "primary: core-z"))
    ((state, words, where),) = site.ask("files")
    assert (state, where) == ("broken", f"{site.topology}:6")
    assert "core-z" in words


def test_a_file_that_is_not_there(site):
    assert broke(site.ask("files", desk=site.folder / "none.yaml"), "no such file")


def test_files_that_are_not_in_use(site):
    site.topology.write_text(site.topology.read_text().replace("9000", "9001"))
    answers = told(Patient(Asked(data=site.folder), site.clock), "files")
    assert broke(answers, "not the ones in use", "warning")
    site.accept()
    assert states(told(Patient(Asked(data=site.folder), site.clock), "files")) == {"ok"}


def test_nobody_is_told_without_a_desk(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "topology.yaml").write_text("service: s\ncores: {a: {uri: 'sip:127.0.0.1'}}\n"
                                          "sbcs: {b: {addresses: ['sip:127.0.0.2'], primary: a}}\n")  # fmt: skip
    assert broke(told(Patient(Asked(data=folder)), "files"), "nobody is told", "warning")


def test_a_contract_that_went_missing(site):
    (site.folder / "contracts").mkdir()
    own = site.folder / "contracts" / "own.yaml"
    own.write_text("contract: own\nversions: []\n")
    assert broke(site.ask("contracts"), "no contract named own") is False
    with site.store.write() as connection:
        row = connection.execute(topologies.select()).one()
        connection.execute(update(topologies).values(topology=row.topology.replace("callmyway", "own")))
    own.unlink()
    assert broke(told(Patient(Asked(data=site.folder, topology=None, database=f"sqlite:///{site.folder}/sereno.db"),
                              site.clock), "contracts"), "no contract named own")  # fmt: skip


def test_a_probe_without_canary_and_a_core_without_identity(site):
    site.topology.write_text(
        site.topology.read_text()
        .replace(', canaries: ["tcp:192.0.2.7:443"]', "")
        .replace(", identify: {header: Server, contains: core-a}", "")
    )
    answers = site.ask("topology")
    assert broke(answers, "no canary", "warning")
    assert broke(answers, "no `identify`", "warning")


@pytest.mark.parametrize(
    ("spoil", "words", "state"),
    [
        (lambda path: path.unlink(), "is missing", "broken"),
        (lambda path: path.write_text("\n"), "is empty", "broken"),
        (lambda path: path.chmod(0o644), "everybody on this machine may read", "warning"),
    ],
)
def test_secrets(site, spoil, words, state):
    spoil(site.folder / "monitor-1.secret")
    assert broke(site.ask("secrets"), words, state)


def test_a_secret_that_cannot_be_read(site):
    path = site.folder / "monitor-1.secret"
    path.unlink()
    path.mkdir()  # root may read any file, so a folder stands in its place
    assert broke(site.ask("secrets"), "cannot be read")


def test_a_secret_of_another_environment_is_not_known(site, monkeypatch):
    site.topology.write_text(site.topology.read_text().replace("{file: monitor-1.secret}", "{env: ELSEWHERE}"))
    assert states(site.ask("secrets")) == {"unknown"}
    monkeypatch.setenv("ELSEWHERE", "s3cret")
    assert states(site.ask("secrets")) == {"ok"}


def test_a_time_zone_that_this_machine_does_not_know():
    found = timezones.zones({"America/Bogota", "America/Nowhere"})
    assert [(one.state, one.told("en")) for one in timezones.judge(found)] == [
        ("broken", "this machine does not know the time zone America/Nowhere")
    ]


def test_programs_that_are_missing(tmp_path):
    assert not programs.installed("mosquitto-of-nobody", str(tmp_path))
    assert not programs.importable("probes.media._nothing")
    assert not programs.importable("module_of_nobody")
    answers = list(programs.judge({"mosquitto": False, "pjsua2": False, "probes.sip._wire": True}))
    assert [one.state for one in answers] == ["broken", "warning"]


# -- the store ---------------------------------------------------------------------------------------------------------


def test_a_store_that_is_no_database(tmp_path):
    (tmp_path / "sereno.db").write_bytes(b"not a database at all" * 100)
    patient = Patient(Asked(data=tmp_path))
    assert broke(told(patient, "database"), "not a database")
    findings = examine(patient, QUESTIONS)
    assert summary(findings)[1] == 1
    assert not [one for one in findings if "the question itself" in one.what]


def test_a_store_whose_pages_are_broken(site):
    site.store.dispose()
    file = site.folder / "sereno.db"
    raw = bytearray(file.read_bytes())
    raw[4096 * 3 : 4096 * 12] = bytes(4096 * 9)
    file.write_bytes(raw)
    assert states(site.ask("database")) == {"broken"}


def test_a_store_that_may_not_be_written(site, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))  # root may write all
    assert broke(site.ask("database"), "cannot be written")


def test_there_is_no_store_yet(tmp_path):
    patient = Patient(Asked(data=tmp_path / "none"))
    assert states(told(patient, "database")) == {"unknown"}
    findings = examine(patient, QUESTIONS)
    assert summary(findings)[1] == 3
    assert not (tmp_path / "none").exists()


def test_postgresql_of_every_state(pg_url, empty_pg_url, tmp_path):
    made = Site(tmp_path, pg_url)
    try:
        for name in ("database", "schema", "collector", "commits", "probes", "sbcs", "channels"):
            assert states(made.ask(name)) == {"ok"}, name
        wrong = made.patient(database=pg_url.replace("s3cret", "wr0ng"))
        ((state, words, where),) = told(wrong, "database")
        assert state == "broken"
        assert "password authentication failed" in words
        assert "wr0ng" not in words + where
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = f"postgresql://x@127.0.0.1:{closed.getsockname()[1]}/x"
        assert broke(told(made.patient(database=nobody), "database"), "refused")
        assert broke(told(made.patient(database=empty_pg_url), "schema"), "older than this", "warning")
        with made.store.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert broke(made.ask("schema"), "newer than this")
        assert states(made.ask("collector")) == {"unknown"}  # a schema of others is not read
    finally:
        made.close()


def test_a_full_disk(site):
    site.report(disk_free_ratio=0.05)
    assert broke(site.ask("disk"), "nearly full", "warning")
    assert broke([(one.state, one.told("en"), "") for one in disk.judge([disk.Disk(whose="/", free=0.01)])], "is full")
    assert states([(one.state, "", "") for one in disk.judge([disk.Disk(whose="PostgreSQL", free=None)])]) == {
        "unknown"
    }


# -- what runs ---------------------------------------------------------------------------------------------------------


def test_nobody_leads(site):
    site.lead(NOW_US - 60 * SECOND_US)
    assert broke(site.ask("collector"), "no collector runs on this store since")
    assert states(site.ask("probes")) == {"unknown"}  # nobody takes what they say
    with site.store.write() as connection:
        for epoch in range(1, 9):
            connection.execute(
                leaderships.insert().values(epoch=epoch, holder=f"vm~x/{epoch}/1", from_us=NOW_US - epoch, after="")
            )
    assert broke(site.ask("collector"), "the writer changed 7 times within an hour", "warning")
    with site.store.write() as connection:
        connection.execute(
            leaderships.update().values(holder="vm~x/1/1")
        )  # one that takes its files up again and again
    assert not broke(site.ask("collector"), "changed", "warning")
    site.lead(broker=False)
    assert broke(site.ask("collector"), "does not reach the broker")


def test_nothing_is_committed(site):
    site.clock.advance(300)
    assert broke(site.ask("commits"), "nothing was committed since")
    site.forget_results()
    assert states(site.ask("commits")) == {"unknown"}


def test_ports_of_others(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not page.is_free(port)
        (tmp_path / "broker").mkdir()
        (tmp_path / "broker" / "port").write_text(f"{port}\n")
        assert broke(told(Patient(Asked(data=tmp_path)), "page"), f"another program has the broker's port {port}",
                     "warning")  # fmt: skip
    assert page.is_free(port)


def test_a_page_that_does_not_answer(tmp_path):
    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    lock = instance.take_lock(tmp_path)
    try:
        instance.write(tmp_path, instance.Instance(url=url, ports={}, pids={}, probe="p"))
        assert states(told(Patient(Asked(data=tmp_path)), "page")) == {"ok"}
        server.shutdown()
        server.server_close()
        assert broke(told(Patient(Asked(data=tmp_path)), "page"), "does not answer")
    finally:
        os.close(lock)


@pytest.fixture
def mosquitto(tmp_path):
    """A real one; `start(configuration)` gives its port."""
    running = []

    def start(change=lambda words: words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path / f"broker-{port}"
        config = broker.prepare(folder, port, ["bog-1"])
        config.write_text(change(config.read_text()))
        running.append(subprocess.Popen([program(), "-c", str(config)], stderr=subprocess.DEVNULL))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port, secret_file(folder, "collector")
            time.sleep(0.02)
        raise AssertionError("mosquitto did not start")

    yield start
    for process in running:
        process.kill()
        process.wait()


def met(tmp_path, monkeypatch, port, password_file, account="collector"):
    monkeypatch.setenv("SERENO_BROKER_PASSWORD_FILE", str(password_file))
    return told(Patient(Asked(data=tmp_path, broker=f"mqtt://{account}@127.0.0.1:{port}")), "broker")


def test_a_broker_and_its_accounts(tmp_path, monkeypatch, mosquitto):
    port, secret = mosquitto()
    assert states(met(tmp_path, monkeypatch, port, secret)) == {"ok"}
    wrong = tmp_path / "wrong"
    wrong.write_text("guessed\n")
    answers = met(tmp_path, monkeypatch, port, wrong)
    assert broke(answers, "the broker refuses the account")
    assert "guessed" not in str(answers)
    assert broke(met(tmp_path, monkeypatch, port, secret.with_name("bog-1.secret"), "bog-1"), "acknowledge")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert broke(met(tmp_path, monkeypatch, closed.getsockname()[1], secret), "nobody listens there")


def test_a_broker_that_lets_everybody_say_everything(tmp_path, monkeypatch, mosquitto):
    def open_house(words):
        lines = [line for line in words.splitlines() if not line.startswith("acl_file")]
        return "\n".join(lines).replace("allow_anonymous false", "allow_anonymous true")

    port, secret = mosquitto(open_house)
    answers = met(tmp_path, monkeypatch, port, secret)
    assert broke(answers, "lets anybody in", "warning")
    assert broke(answers, "no access list", "warning")


def test_a_broker_of_the_old_protocol(tmp_path, monkeypatch):
    """Shaped like MQTT 3.1.1 (§3.2.2.3): no server at hand refuses version 5."""
    server = socket.create_server(("127.0.0.1", 0))

    def refuse():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.recv(1_000)
                peer.sendall(b"\x20\x03\x00\x84\x00")

    threading.Thread(target=refuse, daemon=True).start()
    secret = tmp_path / "x"
    secret.write_text("x\n")
    try:
        assert broke(met(tmp_path, monkeypatch, server.getsockname()[1], secret), "does not speak MQTT 5")
    finally:
        server.close()


def test_no_broker_is_known(tmp_path):
    assert states(told(Patient(Asked(data=tmp_path)), "broker")) == {"unknown"}


# -- the examination itself --------------------------------------------------------------------------------------------


def test_what_hangs_is_said_to_hang_and_nobody_waits(tmp_path):
    gate = threading.Event()

    def look(patient):
        gate.wait(20)

    def stumble(patient):
        raise ZeroDivisionError("by zero")

    asked = [
        Question(name="hangs", title="x", look=look, judge=lambda _: [ok("never")]),
        Question(name="stumbles", title="x", look=stumble, judge=lambda _: [ok("never")]),
        Question(name="fine", title="x", look=lambda _: None, judge=lambda _: [ok("fine")]),
    ]
    began = time.monotonic()
    found = examine(Patient(Asked(data=tmp_path)), asked, question_seconds=0.2)
    gate.set()
    assert time.monotonic() - began < 5
    assert [(one.about, one.state) for one in found] == [("hangs", "unknown"), ("stumbles", "unknown"), ("fine", "ok")]
    assert summary(found)[1] == 3
