"""What the error budget is read from: which blocks of the ledger moved, and live verdicts since it last spoke."""

from sqlalchemy import Connection, func, select

from sereno.store.tables import ledger, verdict_changes
from sereno.verdict import VERDICT


def blocks_after(connection: Connection, kind: str, row: int, block_us: int) -> list[int]:
    """Blocks of time of which rows were added after a row, for one kind of element."""
    block = ledger.c.from_us - ledger.c.from_us % block_us
    query = select(block).where(ledger.c.id > row, ledger.c.kind == kind).distinct()
    return [int(one) for one in connection.execute(query).scalars()]


class LiveVerdicts:
    """Verdict changes of one kind of element, read as they come, kept for as long as the ledger is behind."""

    def __init__(self) -> None:
        self._position: int | None = None
        self._changes: dict[str, list[tuple[int, str]]] = {}  # per element: since when, which state

    def take(self, connection: Connection, kind: str, open_us: int, cutoff_us: int) -> None:
        """Read on; forget what lies before `open_us` but for the last word."""
        columns = verdict_changes.c
        mine = (columns.kind == kind, columns.what == VERDICT)
        if self._position is None:
            newest = select(func.max(columns.id)).where(*mine, columns.at_us < cutoff_us).group_by(columns.name)
            self._add(connection, columns.id.in_(newest))
            self._add(connection, *mine, columns.at_us >= cutoff_us)
        else:
            self._add(connection, *mine, columns.id > self._position)
        self._position = int(connection.execute(select(func.max(columns.id))).scalar() or 0)
        for changes in self._changes.values():
            while len(changes) > 1 and changes[1][0] <= open_us:
                del changes[0]

    def _add(self, connection: Connection, *wanted: object) -> None:
        columns = verdict_changes.c
        query = select(columns.name, columns.since_us, columns.state).where(*wanted).order_by(columns.id)  # type: ignore[arg-type]
        for name, since_us, state in connection.execute(query):
            changes = self._changes.setdefault(name, [])
            while changes and changes[-1][0] >= since_us:
                changes.pop()  # it began earlier than was said before
            changes.append((int(since_us), state))

    def spans(self, name: str, from_us: int, to_us: int) -> list[tuple[str, int, int]]:
        """(state, from, to) within [from, to); nothing before the first word."""
        changes = self._changes.get(name)
        if not changes:
            return []
        ends = [since_us for since_us, _ in changes[1:]] + [to_us]
        return [
            (state, max(since_us, from_us), min(end, to_us))
            for (since_us, state), end in zip(changes, ends, strict=True)
            if max(since_us, from_us) < min(end, to_us)
        ]
