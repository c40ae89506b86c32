"""Canaries: hosts that have nothing to do with the softswitch. If none answers, the probe's own network is in doubt.

They are asked at every failure, and now and then without one, so that a canary that died is known before it is needed.
`sip:host` gets an OPTIONS (any final reply will do); `tcp:host:port`, and a SIP address over TCP or TLS, a connection
(which must be accepted).
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri
from sereno.errors import UsageError

TIMEOUT_SECONDS = 0.5
PERIOD_SECONDS = 30.0
SILENT_ROUNDS = 3  # in a row, while another canary or a path answered: then it is the canary's fault


class Canaries:
    """One round asks all of them at once; failures that happen together share a round.

    A canary testifies for a failure if it answered after that check was sent: a round in progress or finished serves
    every failure whose check was sent before the round began.
    """

    def __init__(self, targets: Sequence[str], sip: SipClient, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._targets = tuple(targets)
        self._sip = sip
        self._timeout_seconds = timeout_seconds
        self._round: asyncio.Task[Mapping[str, bool]] | None = None
        self._began = 0.0
        self.rounds = 0
        self.last: dict[str, bool] | None = None  # what the newest round said; None: there was none yet
        self._silent = dict.fromkeys(self._targets, 0)
        for target in self._targets:
            check_canary(target)

    def __bool__(self) -> bool:
        return bool(self._targets)

    async def testify(self, sent: float) -> Mapping[str, bool]:
        """Who answered after `sent` (the loop's clock)."""
        loop = asyncio.get_running_loop()
        if self._round is None or self._began < sent or self._round.cancelled():
            self._began = loop.time()
            self.rounds += 1
            self._round = loop.create_task(self._ask_all())
        return await asyncio.shield(self._round)

    async def watch(self, period_seconds: float = PERIOD_SECONDS) -> None:
        """Asks now and then, for ever."""
        while True:
            await self.testify(asyncio.get_running_loop().time())
            await asyncio.sleep(period_seconds)

    def notes(self) -> list[str]:
        """Which of them are at fault, one line each, and what is missing for a trusted testimony."""
        found = [
            f"canary {target} did not answer {rounds} times in a row: mend or replace it"
            for target, rounds in self._silent.items()
            if rounds >= SILENT_ROUNDS
        ]
        if len(self._targets) == 1:
            found.append(f"only one canary ({self._targets[0]}): when it dies, failures of the service look like ours")
        return found

    async def _ask_all(self) -> Mapping[str, bool]:
        answers = await asyncio.gather(*(self._ask(target) for target in self._targets))
        self.last = dict(zip(self._targets, answers, strict=True))
        for target, answered in self.last.items():
            self._silent[target] = 0 if answered else self._silent[target] + 1
        return self.last

    async def _ask(self, target: str) -> bool:
        if target.startswith("tcp:"):
            return await _connects(*_host_port(target), self._timeout_seconds)
        to = parse_uri(target)
        if to.transport != "udp":
            return await _connects(to.host, to.effective_port, self._timeout_seconds)
        ask = Ask(to=to, uri=f"sip:{to.hostport}", timeout_seconds=self._timeout_seconds)
        return (await self._sip.options(ask)).kind == "answered"

    async def close(self) -> None:
        """End a round in progress."""
        if self._round is not None and not self._round.done():
            self._round.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._round


def check_canary(target: str) -> None:
    """UsageError unless it is a SIP address or `tcp:host:port`."""
    if target.startswith("tcp:"):
        _host_port(target)
    else:
        parse_uri(target)


def _host_port(target: str) -> tuple[str, int]:
    host, _, port = target.removeprefix("tcp:").rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004
        raise UsageError(f"canary {target!r} is not tcp:host:port")
    return host.strip("[]"), int(port)


async def _connects(host: str, port: int, timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # refused, unreachable, no such name; TimeoutError is one too
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
