"""From a SIP URI to socket addresses: literals cost nothing, names are asked by RFC 3263 and kept for their TTL.

What is known goes on being used while it is asked again, and while the DNS fails: a monitor that went blind because a
resolver did would tell of an outage that is not there. That it is old is told (`Known.trouble`).
"""

import asyncio
import contextlib
import functools
from collections.abc import Sequence

import msgspec

from probes.sip.errors import NetworkError
from probes.sip.locate import Address, Dns, Located, literal, locate
from probes.sip.uri import SipUri

__all__ = ["Address", "Known", "Resolver"]

LEAST_TTL_SECONDS = 1.0
MOST_TTL_SECONDS = 3_600.0  # an address that moves is noticed within the hour, whatever the zone says
AGAIN_SECONDS = 5.0  # after a failure
REFRESH_SECONDS = 5.0  # given to a question that nobody waits for

_literal = functools.lru_cache(maxsize=4096)(literal)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a name now: its targets, how old that is, and why it is older than its TTL, if it is."""

    located: Located
    age_seconds: float
    trouble: str | None = None

    @property
    def targets(self) -> tuple[Address, ...]:
        return self.located.targets


class _Entry:
    def __init__(self) -> None:
        self.located: Located | None = None
        self.at = self.due = 0.0
        self.trouble: str | None = None
        self.task: asyncio.Task[None] | None = None


class Resolver:
    """Names to addresses, for one event loop. `close()` it when names were asked for."""

    def __init__(self, servers: Sequence[str] = (), *, dns: Dns | None = None) -> None:
        self._dns = dns or Dns(servers)
        self._entries: dict[SipUri, _Entry] = {}

    def use(self, servers: Sequence[str]) -> None:
        """Ask these resolvers from now on (none: the machine's own); what is known is asked again."""
        if tuple(servers) != self._dns.servers:
            self._dns = Dns(servers)
            for entry in self._entries.values():
                entry.due = 0.0

    async def resolve(self, uri: SipUri, *, timeout_seconds: float) -> Address:
        """The first target over the URI's own transport, UDP where it names none; NetworkError `dns`."""
        if uri.named_transport is None and uri.scheme != "sips" and uri.is_name:
            uri = msgspec.structs.replace(uri, params=(*uri.params, "transport=udp"))
        return await self.first(uri, seconds=timeout_seconds)

    @staticmethod
    def literal(uri: SipUri) -> Address | None:
        """The address of a URI that needs no resolving."""
        return _literal(uri.host, uri.effective_port, uri.transport)

    async def first(self, uri: SipUri, *, seconds: float) -> Address:
        """The target that a phone would try first, over the transport that the name chooses; NetworkError `dns`."""
        known = _literal(uri.host, uri.effective_port, uri.transport)
        return known if known is not None else (await self.targets(uri, seconds=seconds)).targets[0]

    async def targets(self, uri: SipUri, *, seconds: float) -> Known:
        """Every target of a name: from memory at once, else in time; NetworkError `dns`."""
        loop = asyncio.get_running_loop()
        entry = self._entries.setdefault(uri, _Entry())
        if loop.time() >= entry.due and entry.task is None:
            limit = REFRESH_SECONDS if entry.located is not None else seconds
            entry.task = loop.create_task(self._refresh(uri, entry, limit))
        if entry.located is None and entry.task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.shield(entry.task)
        known = self.known(uri)
        if known is None:
            raise NetworkError("dns", entry.trouble or f"{uri.host}: no answer from the resolver in {seconds:g} s")
        return known

    def known(self, uri: SipUri) -> Known | None:
        """What is known without asking."""
        entry = self._entries.get(uri)
        if entry is None or entry.located is None:
            return None
        age = asyncio.get_running_loop().time() - entry.at
        return Known(located=entry.located, age_seconds=age, trouble=entry.trouble)

    def due_seconds(self, uri: SipUri) -> float:
        """How long until the name is worth asking again."""
        entry = self._entries.get(uri)
        return 0.0 if entry is None else max(0.0, entry.due - asyncio.get_running_loop().time())

    async def renew(self, uri: SipUri) -> None:
        """Ask if it is due, and wait for the answer; failures are remembered, not raised."""
        with contextlib.suppress(NetworkError):
            await self.targets(uri, seconds=REFRESH_SECONDS)
        entry = self._entries[uri]
        if entry.task is not None:
            await asyncio.shield(entry.task)

    async def close(self) -> None:
        """Nothing is asked any more."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refresh(self, uri: SipUri, entry: _Entry, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds + 0.5):  # dnspython keeps its own time, and a little more
                found = await locate(uri, self._dns, seconds=seconds)
        except (NetworkError, TimeoutError) as error:
            entry.trouble = str(error) or f"{uri.host}: no answer from the resolver in {seconds:g} s"
            entry.due = loop.time() + (AGAIN_SECONDS if entry.located is not None else 0.0)
        else:
            entry.trouble = found.trouble
            if found.trouble is not None and entry.located is not None:
                entry.due = loop.time() + AGAIN_SECONDS  # half an answer does not replace a whole one
                return
            entry.located, entry.at = found, loop.time()
            entry.due = entry.at + min(max(found.ttl_seconds, LEAST_TTL_SECONDS), MOST_TTL_SECONDS)
        finally:
            entry.task = None
