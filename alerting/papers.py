"""What the desk keeps beside its incidents: messages to customers, problem records, agreed activities. Pure."""

from collections.abc import Mapping

from alerting.activities import Activities
from alerting.book import Book
from alerting.customers import Letters
from alerting.problems import Problems
from sereno.activity import Activity
from sereno.contract import Contract
from sereno.desk import Desk
from sereno.desk.customers import Recurrence
from sereno.problem import ProblemRecord
from sereno.topology.model import Topology


class Papers:
    """The three of them; `run` after each round and act does what is due."""

    def __init__(
        self, book: Book, topology: Topology, desk: Desk | None, contracts: Mapping[str, Contract], desk_contract: str
    ) -> None:
        self.letters = Letters(book, topology, desk, contracts, desk_contract)
        self.problems = Problems(book, desk.problems if desk is not None else Recurrence())
        self.activities = Activities(book)

    def run(self, now_us: int) -> None:
        """Everything of theirs that is due."""
        self.problems.run(now_us)
        self.letters.run(now_us)
        self.activities.run(now_us)

    def next_due_us(self) -> int | None:
        """When they have something to do next."""
        dues = (self.letters.next_due_us(), self.activities.next_due_us())
        return min((due for due in dues if due is not None), default=None)

    def mark(self) -> tuple[dict[int, ProblemRecord], int, dict[int, Activity], int]:
        """Where they stand, for `back_to`."""
        problems, activities = self.problems, self.activities
        return dict(problems.records), problems.next_number, dict(activities.records), activities.next_number

    def back_to(self, mark: tuple[dict[int, ProblemRecord], int, dict[int, Activity], int]) -> None:
        """As if nothing had been written since."""
        self.problems.records, self.problems.next_number = mark[0], mark[1]
        self.activities.records, self.activities.next_number = mark[2], mark[3]

    def restore(self, problems: tuple[ProblemRecord, ...], activities: tuple[Activity, ...]) -> None:
        self.problems.restore(problems)
        self.activities.restore(activities)


__all__ = ["Papers"]
