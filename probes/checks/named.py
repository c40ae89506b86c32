"""SBCs given by name: one target of measurement for each target that RFC 3263 finds behind the name.

Each has its own series of results, told apart by their `address` as the addresses of a literal SBC are, so that the
same rule holds: up if all answer, degraded if some, down if none (docs/adr/0012). A name that leads nowhere yet stays
one target, whose checks fail with `dns`.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from probes.checks.base import Target
from probes.checks.expand import SIGNALLING, spread
from probes.sip.resolve import Resolver
from probes.sip.uri import SipUri, parse_uri

log = logging.getLogger(__name__)

FIRST_SECONDS = 1.0  # given to the resolver before measuring begins with what is known
_LEAST_SECONDS = 0.5  # between two looks
_MOST_SECONDS = 60.0


class Names:
    """The targets of a topology with their names resolved, kept so while time passes."""

    def __init__(self, targets: Sequence[Target], resolver: Resolver) -> None:
        self._targets, self._resolver = list(targets), resolver
        self._uris: dict[str, SipUri] = {
            target.address: parse_uri(target.address)
            for target in targets
            if target.check in SIGNALLING and target.name is not None and target.address is not None
        }

    async def first(self, seconds: float = FIRST_SECONDS) -> list[Target]:
        """The targets to begin with: whoever is not resolved by then stays a name."""
        if self._uris:
            asking = [asyncio.ensure_future(self._resolver.renew(uri)) for uri in self._uris.values()]
            _, late = await asyncio.wait(asking, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return self.now()

    async def watch(self, changed: Callable[[list[Target]], object]) -> None:
        """For ever: ask again when a TTL is over, and tell the new targets whenever they differ. Ends if no names."""
        told = {target.key for target in self.now()}
        while self._uris:
            due = min(self._resolver.due_seconds(uri) for uri in self._uris.values())
            await asyncio.sleep(min(max(due, _LEAST_SECONDS), _MOST_SECONDS))
            await asyncio.gather(*(self._resolver.renew(uri) for uri in self._uris.values()))
            found = self.now()
            keys = {target.key for target in found}
            if keys != told:
                log.info("names lead elsewhere: %d targets, %d new", len(keys), len(keys - told))
                told = keys
                changed(found)

    def now(self) -> list[Target]:
        """Every target by what is known; one address that two names share is measured once per kind and path."""
        found: dict[tuple[str | None, ...], Target] = {}
        for target in self._targets:
            for one in self._behind(target):
                key = one.key if one.check not in SIGNALLING else (one.check, one.sbc, one.core, one.address)
                found.setdefault(key, one)
        return spread(list(found.values()))

    def notes(self) -> list[str]:
        """What people should know of the names: one line for each that the DNS does not answer for."""
        lines = []
        for written, uri in self._uris.items():
            known = self._resolver.known(uri)
            if known is None:
                lines.append(f"{written}: not resolved")
            elif known.trouble is not None:
                lines.append(f"{written}: {known.trouble}; its targets of {known.age_seconds:.0f} s ago are measured")
        return lines

    def _behind(self, target: Target) -> list[Target]:
        uri = self._uris.get(target.address or "") if target.check in SIGNALLING else None
        known = self._resolver.known(uri) if uri is not None else None
        if known is None:
            return [target]
        return [
            msgspec.structs.replace(target, address=one.uri, transport=one.transport, written=target.address)
            for one in known.targets
        ]
