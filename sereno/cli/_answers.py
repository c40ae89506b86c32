"""What pages and reports ask of the engines, answered: the one place where they meet."""

from typing import Any, NamedTuple

from collector.account import LedgerAvailability
from collector.forensics.answers import StoreCases
from collector.works import LedgerWorks
from sereno.answers.availability import Availability
from sereno.answers.cases import Cases
from sereno.answers.oncall import OnCall
from sereno.answers.works import Works
from sereno.store import Store


class Answers(NamedTuple):
    """Handed to `create_app(…, answers=…)`."""

    availability: Availability
    cases: Cases
    works: Works
    oncall: OnCall


class StoreOnCall:
    """Who is on call by the desk that the store's collector last read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def at(self, at_us: int) -> dict[str, Any]:
        from sereno.cli._oncall import rostered, told

        return told(at_us, *rostered(self._store, at_us))


def answers_of(store: Store) -> Answers:
    """Everything that can be asked of the engines of a store."""
    return Answers(
        availability=LedgerAvailability(store),
        cases=StoreCases(store),
        works=LedgerWorks(store),
        oncall=StoreOnCall(store),
    )
