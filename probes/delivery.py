"""Carries the spool to the broker and lets go of what a collector says is committed.

A fresh client per connection. MQTT's own acknowledgement only says that the broker has it; nothing is let go for that.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

import aiomqtt
import msgspec
from msgspec.structs import replace

from probes.outbox import Flight, Outbox
from probes.spool import Spool
from probes.timesync import Offset
from sereno.clock import Clock
from sereno.errors import WireError
from sereno.mqtt import TOO_LARGE, Broker, Client, Complaints, code_of, connect
from sereno.tasks import raise_if_cancelled, together
from sereno.wire import VERSION, Ack, Batch, Result, Status, TopologyPart, decode, encode, topic

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
TURN_SECONDS = 1.0  # how often the sender looks for batches that nobody acknowledged
STATUS_SECONDS = 10.0
BATCH_BYTES = 256_000  # a backlog of failures with their evidence; brokers take a megabyte, or what they say
_ROOM_BYTES = 1_000  # topic, header and the names of a batch, beside its results
_LEAST_BYTES = 2_000
_SHORT_BYTES = 300
UNANSWERED = 3  # statuses in a row without an answer of a collector: somebody should know


class Delivery:
    """`put` results, `await run()` until cancelled."""

    def __init__(
        self,
        broker: Broker,
        probe: str,
        spool: Spool,
        clock: Clock,
        status: Callable[[], Status],
        on_topology: Callable[[TopologyPart], None],
    ) -> None:
        self._broker, self._probe, self._spool, self._clock = broker, probe, spool, clock
        self._status, self._on_topology = status, on_topology
        self._outbox = Outbox(spool.held())
        self._wake = asyncio.Event()
        self._say = asyncio.Event()
        self._complaints = Complaints(log, broker.shown)
        self._unanswered = 0
        self._epoch: int | None = None
        self._limit = BATCH_BYTES
        self._unfit: set[tuple[str, int]] = set()  # results that are sent otherwise than the spool has them
        self.offset = Offset()
        self._flush: asyncio.TimerHandle | None = None
        self.connected = asyncio.Event()

    def put(self, result: Result) -> Result:
        """Keeps a result, from here on for certain, and sends it soon; a failed one at once."""
        stamped = self._spool.append(result)
        self._outbox.add(stamped.boot, stamped.seq)
        if stamped.outcome == "failed":
            self._wake.set()
        elif self._flush is None and not self._wake.is_set():
            self._flush = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._wake.set)
        return stamped

    def trim(self) -> None:
        """Holds the spool to its bounds."""
        for boot, (first, last) in self._spool.trim(self._clock.now_us()):
            self._outbox.dropped(boot, first, last)

    def announce(self) -> None:
        """Says at once how it is: something of the status has changed."""
        self._say.set()

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        while True:
            pause = 0.0
            try:
                await self._connection()
            except aiomqtt.MqttError as error:
                if code_of(error) == TOO_LARGE:
                    self._limit = max(_LEAST_BYTES, self._limit // 2)
                pause = self._complaints.failed(error)
            raise_if_cancelled()
            self.connected.clear()
            await asyncio.sleep(pause)

    def notes(self) -> list[str]:
        """What a person should know of it, one line each."""
        trouble = self._complaints.trouble
        return [f"broker: {trouble}"] if trouble is not None else []

    async def _connection(self) -> None:
        offline = encode(Status(v=VERSION, probe=self._probe, state="offline"))
        will = aiomqtt.Will(topic("status", self._probe), offline, qos=1, retain=True)
        async with connect(self._broker, f"sereno-probe-{self._probe}", will) as client:
            await client.subscribe([(topic("acks", self._probe), 1), (topic("topology", self._probe), 1)])
            if client.maximum_packet is not None:
                self._limit = max(_LEAST_BYTES, min(self._limit, client.maximum_packet - _ROOM_BYTES))
            self._outbox.send_again()
            self._wake.set()
            self.connected.set()
            self._unanswered = 0
            self._complaints.connected()
            try:
                await together(self._receive(client), self._send(client), self._tell(client))
            except asyncio.CancelledError:  # we go on purpose: an orderly end takes the last will away
                with suppress(aiomqtt.MqttError):
                    await client.publish(topic("status", self._probe), offline, qos=1, retain=True, timeout=1)
                raise

    async def _receive(self, client: Client) -> None:
        acks = topic("acks", self._probe)
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            try:
                if str(message.topic) == acks:
                    self._acknowledged(decode(payload, Ack))
                elif payload:
                    self._on_topology(decode(payload, TopologyPart))
            except WireError as error:
                log.warning("%s: %s", message.topic, error)

    def _acknowledged(self, ack: Ack) -> None:
        now = self._clock.monotonic()
        if not self._outbox.heeds(ack.epoch, now):
            return
        rough = self.offset.rough(now)
        if ack.echo is not None and self.offset.heard(ack.echo, self._clock.now_us(), now):
            self._unanswered = 0
            if rough:
                self.announce()  # the clock's offset is news, and one more answer makes it more exact
        if ack.epoch != self._epoch:  # a collector that begins, perhaps because its own clock was set
            self._epoch = ack.epoch
            self.announce()
        for boot, (first, last) in self._outbox.acknowledged(ack, now):
            self._spool.forget(boot, first, last)
        self._wake.set()

    async def _send(self, client: Client) -> None:
        loop = asyncio.get_running_loop()
        while True:
            raise_if_cancelled()
            self._wake.clear()
            if self._flush is not None:
                self._flush.cancel()
                self._flush = None
            while (flight := self._outbox.next_batch(loop.time())) is not None:
                payload = self._batch(flight)
                if payload is not None:
                    await client.say(topic("results", self._probe), payload)
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await self._wake.wait()

    def _batch(self, flight: Flight) -> bytes | None:
        """None: the disk does not give it now (it comes again in a while), or has lost it."""
        bodies = self._spool.read(flight.boot, flight.first, flight.last)
        if len(bodies) != flight.last - flight.first + 1:
            self.trim()
            return None
        fitting = _newest_that_fit(bodies, self._limit)
        if len(fitting) < len(bodies):
            flight = self._outbox.shortened(flight, flight.last - len(fitting) + 1)
        results = [self._sendable(flight.boot, seq, body) for seq, body in enumerate(fitting, flight.first)]
        return encode(
            Batch(
                v=VERSION,
                probe=self._probe,
                boot=flight.boot,
                first=flight.first,
                oldest=self._outbox.oldest(),
                results=[msgspec.Raw(body) for body in results],
            )
        )

    def _sendable(self, boot: str, seq: int, body: bytes) -> bytes:
        """The body of a result; where no JSON is left of it, what is there as a string, for a person to look at.

        One such body would spoil its whole batch, for ever; so the collector knows its place, and its neighbours live.
        One that is larger than all the broker takes goes without its evidence.
        """
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            why, body = "is damaged: it goes to quarantine", _text(body[: self._limit // 2])
        else:
            if len(body) <= self._limit:
                return body
            why, body = "is larger than the broker takes: it goes without its evidence", _without_evidence(body)
        if (boot, seq) not in self._unfit:
            self._unfit.add((boot, seq))
            log.warning("result %d of boot %s in the spool %s", seq, boot, why)
        return body

    async def _tell(self, client: Client) -> None:
        while True:
            self._say.clear()
            if self._unanswered == UNANSWERED:
                log.warning("no collector answers through %s: results wait in the spool", self._broker.shown)
            self._unanswered += 1
            status = self._status()
            self.offset.asked(status.at or "")
            await client.say(topic("status", self._probe), encode(status), retain=True)
            raise_if_cancelled()
            self._complaints.lasting()
            with suppress(TimeoutError):
                async with asyncio.timeout(STATUS_SECONDS):
                    await self._say.wait()


def _newest_that_fit(bodies: list[bytes], limit: int) -> list[bytes]:
    """The end of them that is not larger than this, at least one."""
    total, first = 0, len(bodies)
    while first > 0 and (first == len(bodies) or total + len(bodies[first - 1]) + 1 <= limit):
        first -= 1
        total += len(bodies[first]) + 1
    return bodies[first:]


def _text(body: bytes) -> bytes:
    return msgspec.json.encode(body.decode("utf-8", "replace"))


def _without_evidence(body: bytes) -> bytes:
    """Its short words stay (what canaries said, what is doubted): the messages and seconds are what is large."""
    result = decode(body, Result)
    found = result.evidence if isinstance(result.evidence, dict) else {}
    short = {key: value for key, value in found.items() if len(msgspec.json.encode(value)) <= _SHORT_BYTES}
    return encode(replace(result, evidence={**short, "unsent": "the rest was larger than the broker takes"}))
