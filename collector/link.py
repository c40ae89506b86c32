"""The collector's side of MQTT: results and statuses come in; acks and topology parts are retained messages.

What is retained is a desired state by topic: a new connection publishes all of it, so a broker may forget everything.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Literal

import aiomqtt
import msgspec

from sereno.mqtt import Broker, Client, Complaints, NotTakenError, connect, words
from sereno.tasks import raise_if_cancelled, together
from sereno.wire import TOPIC_PREFIX

log = logging.getLogger(__name__)

# Messages taken together into one transaction: a commit costs as much as a hundred results, and whoever comes next
# waits for what goes before. Small messages go in by the hundred, large ones (500 results, 200 kB) nearly alone.
GATHER = 256
GATHER_BYTES = 256_000
_BEHIND = 12  # messages waiting: then what counts is to catch up, by fewer and larger commits
_CATCH_UP = 4
_SILENT_SECONDS = 0.05
_FILTERS = (f"{TOPIC_PREFIX}/results/+", f"{TOPIC_PREFIX}/status/+")


class Incoming(msgspec.Struct, frozen=True):
    """One message of a probe; the broker's access list vouches for the topic's name."""

    kind: Literal["results", "status"]
    probe: str
    payload: bytes


class Link:
    """`await run()` until cancelled; `retain` at any time."""

    def __init__(
        self, broker: Broker, on_messages: Callable[[Sequence[Incoming]], None], may_speak: Callable[[], bool]
    ) -> None:
        self._broker, self._on_messages, self._may_speak = broker, on_messages, may_speak
        self._retained: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}  # an ordered set
        self._wake = asyncio.Event()
        self._complaints = Complaints(log, broker.shown)
        self._not_taken: set[str] = set()
        self.connected = asyncio.Event()

    def retain(self, topic: str, payload: bytes) -> None:
        """From now on `topic` says `payload`."""
        self._retained[topic] = payload
        self._dirty[topic] = None
        self._wake.set()

    async def run(self) -> None:
        """Connects, and connects again."""
        while True:
            pause = 0.0
            try:
                await self._connection()
            except aiomqtt.MqttError as error:
                pause = self._complaints.failed(error)
            raise_if_cancelled()
            self.connected.clear()
            await asyncio.sleep(pause)

    async def _connection(self) -> None:
        async with connect(self._broker, "sereno-collector") as client:
            self._dirty = dict.fromkeys(self._retained)
            await client.subscribe([(filter_, 1) for filter_ in _FILTERS])
            self.connected.set()
            self._complaints.connected()
            await together(self._receive(client), self._publish(client))

    async def _receive(self, client: aiomqtt.Client) -> None:
        messages = client.messages
        async for message in messages:
            gathered, size = [message], len(message.payload or b"")
            most = GATHER_BYTES * (_CATCH_UP if len(messages) > _BEHIND else 1)
            while len(messages) and len(gathered) < GATHER and size < most:
                message = await anext(messages)  # noqa: PLW2901
                gathered.append(message)
                size += len(message.payload or b"")
            self._on_messages([found for each in gathered if (found := _incoming(each)) is not None])
            self._complaints.lasting()
            await asyncio.sleep(0)

    async def _publish(self, client: Client) -> None:
        while True:
            self._wake.clear()
            while self._dirty:
                if not self._may_speak():  # acknowledged is what the writer has committed, and nothing else
                    await asyncio.sleep(_SILENT_SECONDS)
                    raise_if_cancelled()
                    continue
                topic = next(iter(self._dirty))
                del self._dirty[topic]
                try:
                    await client.say(topic, self._retained[topic], retain=True)
                except NotTakenError as error:  # one probe's topic; the others still need us
                    if topic not in self._not_taken:
                        self._not_taken.add(topic)
                        log.warning("broker %s: %s", self._broker.shown, words(error))
                raise_if_cancelled()
            await self._wake.wait()


def _incoming(message: aiomqtt.Message) -> Incoming | None:
    _, _, rest = str(message.topic).partition(TOPIC_PREFIX + "/")
    kind, _, probe = rest.partition("/")
    payload = message.payload if isinstance(message.payload, bytes) else b""
    if kind == "status":
        return Incoming("status", probe, payload) if payload else None  # empty: a retained status was taken away
    return Incoming("results", probe, payload)
