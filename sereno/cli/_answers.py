"""What pages and reports ask of the engines, answered: the one place where they meet."""

from typing import NamedTuple

from collector.account import LedgerAvailability
from collector.forensics.answers import StoreCases
from collector.works import LedgerWorks
from sereno.answers.availability import Availability
from sereno.answers.cases import Cases
from sereno.answers.works import Works
from sereno.store import Store


class Answers(NamedTuple):
    """Handed to `create_app(…, answers=…)`."""

    availability: Availability
    cases: Cases
    works: Works


def answers_of(store: Store) -> Answers:
    """Everything that can be asked of the engines of a store."""
    return Answers(availability=LedgerAvailability(store), cases=StoreCases(store), works=LedgerWorks(store))
