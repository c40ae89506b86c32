"""Many rows at once: however many, all of them, in their order."""

from sqlalchemy import select

from sereno.store.bulk import insert_rows
from sereno.store.tables import verdict_changes

COLUMNS = ("kind", "name", "what", "state", "since_us", "at_us", "reason", "facts")


def test_any_number_of_rows_is_written_once_and_in_order(any_store):
    written = []
    for size in (0, 1, 3, 4, 5, 31, 36, 255, 256, 257, 600):
        rows = [("path", f"ñ'\"{size}/{number}", "check", "up", size, number, None, "{}") for number in range(size)]
        with any_store.write() as connection:
            insert_rows(connection, "verdict_changes", COLUMNS, iter(rows))
        written += [row[1] for row in rows]
    with any_store.read() as connection:
        found = connection.execute(select(verdict_changes.c.name).order_by(verdict_changes.c.id)).scalars().all()
        assert found == written
        empty = select(verdict_changes.c.id).where(verdict_changes.c.reason.is_not(None))
        assert connection.execute(empty).first() is None
