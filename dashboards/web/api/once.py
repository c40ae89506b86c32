"""The same request again: what was answered under an Idempotency-Key is answered again, and not done twice.

Orders to the desk have it of the inbox, for ever. What changes accounts has it here, for a while and in this process.
"""

import hashlib
import re
from collections import OrderedDict
from typing import NamedTuple

from dashboards.web.refusal import Refused
from sereno.clock import Clock

FORM = re.compile("^[!-~]{1,100}$")
_SECONDS = 900.0
_MOST = 1_000


class Given(NamedTuple):
    """An answer, and what it was the answer to."""

    at: float
    asked: bytes
    status: int
    raw: bytes
    headers: dict[str, str]


class Once:
    """Answers by caller, operation and key; the oldest are forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given: OrderedDict[str, Given] = OrderedDict()

    def again(self, name: str, asked: bytes) -> Given | None:
        """What was answered to this before; Refused where the key was another request's."""
        found = self._given.get(name)
        if found is None or self._clock.monotonic() - found.at > _SECONDS:
            return None
        if found.asked != _digest(asked):
            raise Refused(409, "this Idempotency-Key was used for another request")
        return found

    def keep(self, name: str, asked: bytes, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self._given[name] = Given(self._clock.monotonic(), _digest(asked), status, raw, headers)
        while len(self._given) > _MOST:
            self._given.popitem(last=False)


def _digest(asked: bytes) -> bytes:
    return hashlib.sha256(asked).digest()
