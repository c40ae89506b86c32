"""Bundling, pure: one message in a storm, not forty.

For each person on each channel the first few messages of a minute go out singly; what is more is held and becomes one
list at the minute's end. While a storm lasts, a list a minute is all that goes. A page graver than all that was told in
the minute is never held. Ends of several incidents in one instant are one list at once.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from alerting.effects import Item, Notification
from sereno.incident import PRIORITIES

log = logging.getLogger(__name__)
_SINGLY = frozenset({"digest", "test", "audit"})  # never held
_OVER = frozenset({"resolved", "found_late"})
Key = tuple[str, str]  # person, channel


class Held(msgspec.Struct, frozen=True):
    """A message that waits for its list."""

    message: Notification
    item: Item


class OpenList(msgspec.Struct, frozen=True):
    """A list that a far end keeps as an open alert, until all of its incidents are over."""

    message: Notification
    numbers: tuple[int, ...]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """The present minute of one person on one channel."""

    person: str
    channel: str
    until_us: int
    singly: int = 0
    gravest: int = len(PRIORITIES)  # place among the priorities of the gravest page told in it
    storm: bool = False  # it began with a list: nothing goes singly but what is graver
    held: tuple[Held, ...] = ()
    lists: tuple[OpenList, ...] = ()

    @property
    def key(self) -> Key:
        return self.person, self.channel


class Bundler:
    """Messages go in by `admit`; at the end of every instant `settle` gives those that go out."""

    def __init__(
        self, burst: int, within_us: int, listed: Callable[[tuple[Held, ...], int], Notification],
        keeps_state: frozenset[str] = frozenset(), keeps_lists: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        """`keeps_state`: channels whose far end keeps alerts of its own; `keeps_lists`: for which a list is one too."""
        self.bundles: dict[Key, Bundle] = {}
        self._burst, self._within_us, self._listed = burst, within_us, listed
        self._keeps_state, self._keeps_lists = keeps_state, keeps_lists
        self._fresh: dict[Key, list[Held]] = {}
        self._direct: list[Notification] = []

    def admit(self, message: Notification, item: Item | None) -> None:
        """A message that was decided now; without an item it is of no incident, or for a customer, and passes."""
        if item is None or message.what in _SINGLY or message.what == "acknowledged":
            self._direct.append(message)
        elif message.what == "resolved" and message.channel in self._keeps_state:  # for its state; no person reads it
            self._direct += [message, *self._closed(message)]
        else:
            self._fresh.setdefault((message.to, message.channel), []).append(Held(message, item))

    def next_due_us(self) -> int | None:
        """When the next list falls due."""
        return min((one.until_us for one in self.bundles.values() if one.held), default=None)

    def settle(self, now_us: int) -> list[Notification]:
        """What goes out at this instant, in order."""
        found, self._direct = self._direct, []
        for key, bundle in list(self.bundles.items()):
            if bundle.until_us <= now_us:
                found += self._turn(key, bundle, now_us)
        for key, fresh in self._fresh.items():
            found += self._sort(key, fresh, now_us)
        self._fresh = {}
        return found

    def _turn(self, key: Key, bundle: Bundle, now_us: int) -> list[Notification]:
        """A minute is over: its list, if it has one, and then a minute of lists only; else nothing is remembered."""
        if not bundle.held:
            if bundle.lists:
                self.bundles[key] = replace(bundle, singly=0, gravest=len(PRIORITIES), storm=False)
            else:
                del self.bundles[key]
            return []
        message = self._listed(_last_words(bundle.held), now_us)
        self.bundles[key] = replace(
            bundle, until_us=now_us + self._within_us, singly=0, gravest=_place(message), storm=True, held=(),
            lists=self._kept(bundle, message),
        )  # fmt: skip
        return [message]

    def _sort(self, key: Key, fresh: list[Held], now_us: int) -> list[Notification]:
        """Those of one instant: which go singly, which wait."""
        known = self.bundles.get(key)
        if known is None or known.until_us <= now_us:
            lists = known.lists if known is not None else ()
            known = Bundle(person=key[0], channel=key[1], until_us=now_us + self._within_us, lists=lists)
        found: list[Notification] = []
        ends = [one for one in fresh if one.message.what in _OVER]
        if len(ends) > 1:  # told together, at once if anything may still go
            fresh = [one for one in fresh if one.message.what not in _OVER]
            if not known.storm and known.singly < self._burst:
                found.append(self._listed(tuple(ends), now_us))
                known = replace(known, singly=known.singly + 1)
            else:
                known = replace(known, held=(*known.held, *ends))
        for one in sorted(fresh, key=lambda held: PRIORITIES.index(held.message.priority)):
            place = _place(one.message)
            graver = one.message.page and place < known.gravest
            if graver or (not known.storm and known.singly < self._burst and not _waits(known, one)):
                found.append(one.message)
                gravest = min(place, known.gravest) if one.message.page else known.gravest
                known = replace(known, singly=known.singly + 1, gravest=gravest)
            else:
                known = replace(known, held=(*known.held, one))
        self.bundles[key] = known
        return found

    def _kept(self, bundle: Bundle, message: Notification) -> tuple[OpenList, ...]:
        if bundle.channel not in self._keeps_lists:
            return ()
        numbers = tuple(one.number for one in message.items if one.what not in _OVER)
        return (*bundle.lists, OpenList(replace(message, body="", rows=()), numbers)) if numbers else bundle.lists

    def _closed(self, message: Notification) -> Iterable[Notification]:
        """What waits to be said of it there is said no more; the lists that are over with it are closed."""
        bundle = self.bundles.get((message.to, message.channel))
        if bundle is None:
            return
        left = []
        for one in bundle.lists:
            numbers = tuple(number for number in one.numbers if number != message.incident)
            if numbers:
                left.append(replace(one, numbers=numbers))
            else:
                told = one.message
                yield replace(
                    told, key=f"{told.key}/resolved", what="resolved", page=False, at_us=message.at_us, items=()
                )
        held = tuple(one for one in bundle.held if one.item.number != message.incident)
        self.bundles[bundle.key] = replace(bundle, lists=tuple(left), held=held)

    def drop(self) -> None:
        """What was admitted in this instant was not decided after all."""
        self._fresh, self._direct = {}, []

    def restore(self, bundles: Iterable[Bundle]) -> None:
        """Become what was remembered."""
        self.bundles = {one.key: one for one in bundles}
        self.drop()


def _waits(bundle: Bundle, held: Held) -> bool:
    """Something of the same incident is held: its next word goes into the same list."""
    return any(one.item.number == held.item.number for one in bundle.held)


def _last_words(held: tuple[Held, ...]) -> tuple[Held, ...]:
    """The last word on each incident; a page where one of them was."""
    found: dict[int, Held] = {}
    for one in held:
        before = found.pop(one.item.number, None)
        page = one.message.what not in _OVER and (one.message.page or (before is not None and before.message.page))
        found[one.item.number] = Held(replace(one.message, page=page), one.item)
    return tuple(found.values())


def _place(message: Notification) -> int:
    return PRIORITIES.index(message.priority)


def as_rows(bundles: Mapping[Key, Bundle]) -> dict[Key, str]:
    """As they are stored."""
    return {key: msgspec.json.encode(bundle).decode() for key, bundle in bundles.items()}


def from_rows(bodies: Iterable[str]) -> tuple[Bundle, ...]:
    """As they were stored; one that another version wrote and this one cannot read is begun anew, and that is said."""
    found = []
    for body in bodies:
        try:
            found.append(msgspec.json.decode(body, type=Bundle))
        except msgspec.MsgspecError as error:
            log.error("a list that waited cannot be read, its incidents are on the page: %s", error)  # noqa: TRY400
    return tuple(found)


__all__ = ["Bundle", "Bundler", "Held", "as_rows", "from_rows"]
