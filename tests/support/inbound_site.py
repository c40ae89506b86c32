"""A desk at work on a store, without collector or probes: rounds as the leader makes them, and the page before it."""

import threading
import time

from web_seed import Seed
from web_server import Served

from alerting.service import Desk, machine_for
from dashboards.web.app import create_app
from dashboards.web.inbound import Settings
from sereno.clock import SystemClock
from sereno.store.desk import incidents
from sereno.store.tables import lease
from sereno.tokens import Keyring, key_of

LINKS = Keyring([key_of("a secret of the tests, long enough")])


def until(found, seconds=10.0, what="it did not come"):
    """What `found` gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return value


class InboundSite:
    """`start` and `stop` of the leader are its life and death; the page lives on."""

    ahead_us = 0  # a busy machine may starve the leader's thread: how far its lease reaches beyond what is usual

    def __init__(self, store, *, desk=None, beside=None, settings=None, handlers=None):
        self.store, self.clock = store, SystemClock()
        self.seed = Seed(store, self.clock.now_us())
        self.model = desk
        self._beside = beside
        self.settings = settings or Settings(links=LINKS, loopback=True)
        self._handlers = handlers
        self._stop = threading.Event()
        self._thread = None
        self.faults = []
        self.page = Served(lambda: create_app(store, self.clock, inbound=self.settings))

    def start(self):
        """The desk's rounds, from what the store holds."""
        machine = machine_for(self.seed.topology, self.model, self._beside)
        self.desk = Desk(self.store, machine, self.clock, handlers=self._handlers)
        self._stop.clear()
        self.seed.alive(self.clock.now_us())
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        renewed = 0.0
        while not self._stop.is_set():
            try:
                if time.monotonic() - renewed > 0.5:
                    self.seed.alive(self.clock.now_us() + self.ahead_us)
                    renewed = time.monotonic()
                self.desk.round()
            except Exception as error:  # noqa: BLE001 - the test ends with it
                self.faults.append(error)
            self._stop.wait(0.02)

    def stop(self):
        """The leader dies: nothing is applied, and soon nobody counts as alive."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            self._thread = None
        with self.store.write() as connection:
            connection.execute(lease.update().values(renewed_us=0))

    def records(self, **asked):
        with self.store.read() as connection:
            return incidents(connection, **asked)

    def record(self, number):
        return self.records(number=number)[0]

    def open_core(self, name="core-a"):
        """An incident by the monitor; its number."""
        self.seed.say("core", name, "down", since_us=self.clock.now_us() - 5_000_000)
        return until(lambda: [one.number for one in self.records() if one.cause.name == name])[0]

    def __enter__(self):
        self.page.start()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.page.stop()
        assert self.faults == []
