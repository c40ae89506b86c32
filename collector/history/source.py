"""Results of a store as the ledger folds them."""

from sqlalchemy import Connection

from collector.ledger.blocks import Basis, Kept
from collector.ledger.fold import Fold
from sereno.store.queries import results


class StoreSource:
    """A source over an open connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def feed(self, fold: Fold, from_us: int, to_us: int) -> None:
        """Adds what was sent in [from, to) to the fold, in order of `at`."""
        for result, at_us in results.in_order(self._connection, from_us, to_us):
            fold.add(result, at_us)

    def first_us(self) -> int | None:
        """When the first result of all was sent."""
        span = results.span(self._connection)
        return None if span is None else span[0]

    def checkpoint(self, from_us: int, basis: Basis) -> Kept | None:
        """None is kept yet: every fold begins at the first result."""
        return None
