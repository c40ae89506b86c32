"""Any interleaving of loss, duplication, reordering and death ends with store = measured, each exactly once.

The real decisions (Outbox, Ingest, the wire's bytes) run against a model of a spool, a broker and a store.
"""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from collector.ingest import Ingest
from probes.outbox import Outbox
from sereno.ranges import Ranges
from sereno.store.results import Cursor
from sereno.wire import VERSION, Ack, Batch, Result, decode, encode

PROBE = "p1"
AT = "2026-11-21T00:00:00.000000Z"
WHICH = st.integers(0, 1_000)


class Delivery(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.boots = 0
        self.spool = {}  # (boot, seq) → body: what the probe's disk holds
        self.measured = {}
        self.network = []  # batches between probe and collector
        self.acks = []  # acks between collector and probe
        self.store = {}
        self.cursors = {}  # what the store's table says: (probe, boot) → (ranges, oldest)
        self.epoch = 0

    # -- probe

    @initialize()
    def begin(self):
        self.restart_probe()
        self.restart_collector()

    @rule()
    def restart_probe(self):
        self.boots += 1
        self.boot, self.seq = f"boot{self.boots}", 0
        held = {}
        for boot, seq in sorted(self.spool):
            held.setdefault(boot, Ranges()).add(seq)
        self.outbox = Outbox(held)

    @rule(count=st.integers(1, 700))
    def measure(self, count):
        for _ in range(count):
            self.seq += 1
            result = Result(
                v=VERSION, probe=PROBE, boot=self.boot, seq=self.seq, at=AT, check="edge", outcome="ok", sbc="s"
            )
            self.spool[self.boot, self.seq] = self.measured[self.boot, self.seq] = encode(result)
            self.outbox.add(self.boot, self.seq)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def reconnect(self):
        self.outbox.send_again()

    @rule()
    def send(self):
        flight = self.outbox.next_batch(self.now)
        if flight is not None:
            bodies = [msgspec.Raw(self.spool[flight.boot, seq]) for seq in range(flight.first, flight.last + 1)]
            batch = Batch(
                v=VERSION, probe=PROBE, boot=flight.boot, first=flight.first, oldest=self.outbox.oldest(),
                results=bodies,
            )  # fmt: skip
            assert 0 < len(bodies) <= 500
            self.network.append(encode(batch))

    def _hear(self, payload):
        for boot, (first, last) in self.outbox.acknowledged(decode(payload, Ack), self.now):
            for seq in range(first, last + 1):
                del self.spool[boot, seq]

    @precondition(lambda self: self.acks)
    @rule(which=WHICH)
    def an_ack_arrives_in_any_order_any_number_of_times(self, which):
        self._hear(self.acks[which % len(self.acks)])

    # -- broker

    @precondition(lambda self: self.network)
    @rule(which=WHICH)
    def lose(self, which):
        self.network.pop(which % len(self.network))

    @rule()
    def the_broker_dies(self):
        self.network.clear()
        self.acks.clear()

    # -- collector

    @rule()
    def restart_collector(self):
        self.epoch += 1
        self.ingest = Ingest(
            {key: Cursor(ranges=Ranges(ranges), oldest=oldest) for key, (ranges, oldest) in self.cursors.items()}
        )
        self.acks.append(encode(self.ingest.ack(PROBE, self.epoch)))

    def _take(self, payload):
        taken = self.ingest.take([(PROBE, payload)])
        assert not taken.refused
        return taken

    def _commit(self, taken):
        for result, _ in taken.fresh:
            assert (result.boot, result.seq) not in self.store, "twice"
            self.store[result.boot, result.seq] = encode(result)
        for key in taken.moved:
            cursor = self.ingest.cursors[key]
            self.cursors[key] = (list(cursor.ranges), cursor.oldest)

    @precondition(lambda self: self.network)
    @rule(which=WHICH, keep=st.booleans())
    def a_batch_arrives_in_any_order_perhaps_again(self, which, keep):
        index = which % len(self.network)
        payload = self.network[index]
        if not keep:
            self.network.pop(index)
        self._commit(self._take(payload))
        self.acks.append(encode(self.ingest.ack(PROBE, self.epoch)))

    @precondition(lambda self: self.network)
    @rule(committed=st.booleans())
    def the_collector_dies_over_a_batch(self, committed):
        taken = self._take(self.network.pop())
        if committed:
            self._commit(taken)
        self.restart_collector()

    # -- what must hold

    @invariant()
    def nothing_is_lost_and_nothing_invented(self):
        assert self.store.keys() | self.spool.keys() == self.measured.keys()
        assert self.outbox.held() == _ranges(self.spool)

    def teardown(self):
        if not self.boots:
            return
        for _ in range(200):
            if not self.spool:
                break
            self.now += 1
            for _ in range(10):
                self.send()
            while self.network:
                self._commit(self._take(self.network.pop(0)))
            self._hear(encode(self.ingest.ack(PROBE, self.epoch)))
        assert not self.spool
        assert self.store == self.measured


def _ranges(spool):
    found = {}
    for boot, seq in sorted(spool):
        found.setdefault(boot, Ranges()).add(seq)
    return found


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
