"""Activities that contracts oblige to: what is late is told to the desk once. Pure."""

from msgspec.structs import replace

from alerting.book import Book
from sereno.activity import Activity


class Activities:
    """The rows by number, and when the next one is late."""

    def __init__(self, book: Book) -> None:
        self.records: dict[int, Activity] = {}
        self.next_number = 1
        self._book = book

    def run(self, now_us: int) -> None:
        """Each late one is said once."""
        for one in list(self.records.values()):
            if _untold(one) and one.due_us < now_us:
                self.records[one.id] = replace(one, told_us=now_us)
                self._book.note(
                    f"activity/{one.id}/late", "activity_late", now_us,
                    "Activity {number} of {customer} is late: {what}",
                    {"number": one.id, "customer": one.customer, "what": one.what},
                )  # fmt: skip

    def next_due_us(self) -> int | None:
        """When the next one is late: the first instant after its date."""
        return min((one.due_us + 1 for one in self.records.values() if _untold(one)), default=None)

    def restore(self, records: tuple[Activity, ...]) -> None:
        self.records = {one.id: one for one in records}
        self.next_number = max(self.records, default=0) + 1


def _untold(one: Activity) -> bool:
    return one.waits and one.told_us is None


__all__ = ["Activities"]
