"""What announced work, or work that somebody thinks of, would mean: by each contract, and for what is left."""

from collections.abc import Collection
from typing import Protocol

import msgspec

from sereno.answers.availability import Notice
from sereno.verdict import MaintenanceWindow

PROPOSED = 0  # the number of a window that is not announced yet


class SiteWord(msgspec.Struct, frozen=True, kw_only=True):
    """One site of a customer that the work touches, and what his contract's rule makes of it there."""

    site: str
    covered: bool  # the work covers it wholly: only then can its time be taken out
    notice: Notice


class CustomerWord(msgspec.Struct, frozen=True, kw_only=True):
    """A customer whose sites use what is worked on."""

    customer: str
    contract: str
    zone: str  # in which his contract counts days and hours
    notice: Notice  # of the customer as a whole
    sites: tuple[SiteWord, ...]
    received: bool = True  # the notice reached all of them, where it was sent by mail

    @property
    def kept(self) -> bool:
        """The contract's terms are kept: what of the time it takes out is a matter of what the work covers."""
        return not [why for why in self.notice.refused if why != "not_covered"]


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A site that would have nothing left, or one thing left, in [from, to); with what beside the work itself."""

    site: str
    left: int  # cores, or SBCs, that it could still use
    what: str  # cores | sbcs | paths
    from_us: int
    to_us: int
    windows: tuple[int, ...] = ()  # other announced windows that it takes for it
    down: tuple[str, ...] = ()  # kind:name of what is down already


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one window."""

    customers: tuple[CustomerWord, ...]
    dark: tuple[Loss, ...]
    thin: tuple[Loss, ...]
    overlapping: tuple[int, ...]  # other announced windows at the same time


class Works(Protocol):
    """Answers by the rule that the ledger uses."""

    def judge(
        self, proposed: MaintenanceWindow, down: Collection[tuple[str, str]], now_us: int, *, but: int | None = None
    ) -> Judged:
        """Of a window that is not announced yet; `but`: one that it would stand for. `down`: (kind, name) down now."""

    def announced(self, from_us: int, to_us: int) -> dict[int, tuple[CustomerWord, ...]]:
        """What each contract makes of every announced window that touches [from, to), by its number."""


__all__ = ["PROPOSED", "CustomerWord", "Judged", "Loss", "SiteWord", "Works"]
