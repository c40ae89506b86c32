"""kill −9 of probe, broker and collector, again and again: the store ends equal to what was measured.

A trigger inside the spool's own database keeps a side log, so that "measured" means exactly what the spool took.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import aiomqtt
import pytest
from sqlalchemy import func, select

from sereno import broker
from sereno.mqtt import PASSWORD_FILE_ENV, connect, parse_broker
from sereno.store import open_store
from sereno.store.tables import probe_events, quarantine, results, verdict_changes
from sereno.wire import VERSION, Ack, Batch, Status, decode, encode

PARTS = Path(__file__).with_name("pipeline_parts.py")
TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.31.2.1"}
  core-b: {uri: "sip:127.31.2.2"}
sbcs:
  sbc-1: {addresses: ["sip:127.31.1.1:5060;transport=udp"], primary: core-a, backup: core-b}
checks:
  edge: {every: 20ms, timeout: 20ms}
  options: {every: 20ms, timeout: 20ms}
probes:
  p1: {network: trial}
"""
SIDE_LOG = """
CREATE TABLE side_log (boot INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TRIGGER keep AFTER INSERT ON results BEGIN INSERT INTO side_log VALUES (NEW.boot, NEW.seq, NEW.body); END;
"""


class Pipeline:
    """The three processes over one directory."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.processes = {}
        self.started = []
        (folder / "topology.yaml").write_text(TOPOLOGY)
        (folder / "probe").mkdir()
        self.config = broker.prepare(folder / "broker", port, ["p1", "p2"])

    def url(self, account):
        return f"mqtt://{account}@127.0.0.1:{self.port}"

    def broker_for(self, account, monkeypatch):
        monkeypatch.setenv(PASSWORD_FILE_ENV, str(broker.secret_file(self.folder / "broker", account)))
        return parse_broker(self.url(account))

    def start(self, name, *, part=None):
        part = part or name
        account = {"probe": "p1", "collector": "collector"}.get(part)
        environment = os.environ | {"PYTHONPATH": str(PARTS.parents[2])}  # this tree, wherever another one is installed
        if account is not None:
            environment[PASSWORD_FILE_ENV] = str(broker.secret_file(self.folder / "broker", account))
        arguments = {
            "broker": [broker.program(), "-c", str(self.config)],
            "probe": [sys.executable, str(PARTS), "probe", self.url("p1"), "p1", str(self.folder / "probe")],
            "collector": [
                sys.executable, str(PARTS), "collector", self.url("collector"),
                str(self.folder / "topology.yaml"), str(self.folder),
            ],
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(arguments[part], stdout=log, stderr=log, env=environment)
        self.started.append(self.processes[name])
        if name == "broker":
            self.wait_for(self.broker_answers, "the broker")

    def kill(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def broker_answers(self):
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_for(self, condition, what, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not condition():
            for name, process in self.processes.items():
                log = (self.folder / f"{name}.log").read_text()
                assert process.poll() is None, f"{name} ended by itself: {log[-2000:]}"
            assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
            time.sleep(0.02)

    def measure_more(self, count):
        before = len(self.measured())
        self.wait_for(lambda: len(self.measured()) > before + count, f"{count} more results")

    def measured(self):
        with contextlib.closing(sqlite3.connect(self.folder / "probe" / "spool.db")) as spool:
            return spool.execute("SELECT body FROM side_log").fetchall()

    def spooled(self):
        with contextlib.closing(sqlite3.connect(self.folder / "probe" / "spool.db")) as spool:
            (count,) = spool.execute("SELECT count(*) FROM results").fetchone()
            return count

    def stored(self):
        store = open_store(self.folder)
        with store.read() as connection:
            count = connection.execute(select(func.count()).select_from(results)).scalar_one()
        store.dispose()
        return count


def quiet_port():
    """A free port that no outgoing connection can be given while the broker restarts."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as door:
            door.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture
def pipeline(tmp_path):
    found = Pipeline(tmp_path, quiet_port())
    yield found
    for process in found.started:
        process.kill()
        process.wait()


def test_kill_9_of_each_in_turn_loses_nothing_and_doubles_nothing(pipeline):
    from probes.spool import SPOOL_SCHEMA

    spool = sqlite3.connect(pipeline.folder / "probe" / "spool.db")
    spool.executescript(SPOOL_SCHEMA + SIDE_LOG)
    spool.close()
    for name in ("broker", "collector", "probe"):
        pipeline.start(name)
    pipeline.wait_for(lambda: pipeline.stored() > 100, "the first results")
    for name in ("collector", "probe", "broker") * 2:
        pipeline.kill(name)
        pipeline.start(name)
        pipeline.measure_more(150)
    pipeline.kill("collector")
    pipeline.kill("broker")
    pipeline.measure_more(700)  # both away: the spool holds more than one batch
    pipeline.start("broker")
    pipeline.start("collector")
    pipeline.wait_for(lambda: pipeline.spooled() < 100, "the backlog's end")
    pipeline.kill("probe")
    pipeline.start("probe")  # it must deliver what the one before left
    pipeline.measure_more(100)
    pipeline.wait_for(lambda: pipeline.spooled() < 100, "the last of all")
    probe = pipeline.processes.pop("probe")
    probe.send_signal(signal.SIGTERM)
    assert probe.wait(10) == 0

    measured = {bytes(body) for (body,) in pipeline.measured()}
    left = pipeline.spooled()
    with contextlib.closing(sqlite3.connect(pipeline.folder / "probe" / "spool.db")) as spool:
        pending = {bytes(body) for (body,) in spool.execute("SELECT body FROM results")}
    assert len(pending) == left
    store = open_store(pipeline.folder)
    with store.read() as connection:
        stored = [body.encode() for body in connection.execute(select(results.c.body)).scalars()]
        assert connection.execute(select(func.count()).select_from(quarantine)).scalar_one() == 0
        boots = set(connection.execute(select(results.c.boot)).scalars())
        states = set(
            connection.execute(select(verdict_changes.c.state).where(verdict_changes.c.what == "verdict")).scalars()
        )
    store.dispose()
    assert len(stored) == len(set(stored)), "something twice"
    assert set(stored) <= measured
    assert measured - set(stored) <= pending, "something lost"
    assert len(measured) > 1_500
    assert len(boots) == 4
    assert "up" in states


def test_a_probe_cannot_speak_for_another_nor_listen_to_it(pipeline, monkeypatch):
    pipeline.start("broker")
    mine = pipeline.broker_for("p1", monkeypatch)
    collector = pipeline.broker_for("collector", monkeypatch)
    batch = Batch(v=VERSION, probe="p2", boot="b", first=1, oldest={}, results=[])
    ack = Ack(v=VERSION, epoch=1, committed={})

    async def trial():
        async with connect(collector, "listener") as listener, connect(mine, "sereno-probe-p1") as probe:
            await listener.subscribe("sereno/v1/#", qos=1)
            await probe.subscribe([("sereno/v1/acks/p1", 1), ("sereno/v1/acks/p2", 1), ("sereno/v1/results/#", 1)])
            for topic in ("results/p2", "status/p2", "acks/p1", "acks/p2", "topology/p1", "topology/p2"):
                await probe.publish(f"sereno/v1/{topic}", encode(batch), qos=1, retain=topic != "results/p2")
            await probe.publish("sereno/v1/status/p1", encode(Status(v=VERSION, probe="p1", state="online")), qos=1)
            heard = await asyncio.wait_for(anext(listener.messages), 5)
            assert str(heard.topic) == "sereno/v1/status/p1"  # everything before it was refused
            assert len(listener.messages) == 0
            await listener.publish("sereno/v1/acks/p2", encode(ack), qos=1)
            await listener.publish("sereno/v1/acks/p1", encode(ack), qos=1)
            told = await asyncio.wait_for(anext(probe.messages), 5)
            assert str(told.topic) == "sereno/v1/acks/p1"
            assert decode(told.payload, Ack) == ack
            assert len(probe.messages) == 0

    asyncio.run(trial())


def test_nobody_gets_in_without_an_account(pipeline, monkeypatch):
    pipeline.start("broker")
    monkeypatch.setenv(PASSWORD_FILE_ENV, str(broker.secret_file(pipeline.folder / "broker", "p2")))
    wrong = parse_broker(pipeline.url("p1"))
    for account in (parse_broker(f"mqtt://127.0.0.1:{pipeline.port}"), wrong):

        async def trial(account=account):
            async with connect(account, "stranger"):
                pytest.fail("a stranger got in")

        with pytest.raises(aiomqtt.MqttError):
            asyncio.run(trial())


def test_garbage_and_unknown_versions_lie_in_quarantine_and_the_collector_goes_on(pipeline, monkeypatch):
    pipeline.start("broker")
    pipeline.start("collector")
    account = pipeline.broker_for("p2", monkeypatch)
    wrong = [
        b"\x00\xff",
        b'{"v":9}',
        b"{}",
        encode(Batch(v=VERSION, probe="p1", boot="b", first=1, oldest={}, results=[])),
    ]

    async def trial():
        async with connect(account, "sereno-probe-p2") as probe:
            for payload in [*wrong, *wrong]:  # the same again is no news
                await probe.publish("sereno/v1/results/p2", payload, qos=1)
            await probe.publish("sereno/v1/status/p2", b"not json", qos=1)
            status = encode(Status(v=VERSION, probe="p2", state="online", boot="b"))
            await probe.publish("sereno/v1/status/p2", status, qos=1)

    def refused():
        store = open_store(pipeline.folder)
        with store.read() as connection:
            found = connection.execute(select(quarantine.c.why)).scalars().all()
            said = connection.execute(select(probe_events.c.probe, probe_events.c.state)).all()
        store.dispose()
        return found, [tuple(each) for each in said]

    def subscribed():
        return "collector.link: connected" in (pipeline.folder / "collector.log").read_text()

    pipeline.wait_for(subscribed, "the collector")
    asyncio.run(trial())
    pipeline.wait_for(lambda: refused()[1] == [("p2", "online")], "the probe's word")
    found, _ = refused()
    assert len(found) == 5
    assert sum("unknown version 9" in why for why in found) == 1
