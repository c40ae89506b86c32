"""Results and how far they came: one row per (probe, boot, seq), cursors that never forget what was committed."""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, select

from sereno.ranges import Ranges
from sereno.store.bulk import insert_rows
from sereno.store.partitions import DAY_US, ensure_days
from sereno.store.tables import cursors, quarantine, results
from sereno.wire import Result, encode

_COLUMNS = ("element", "probe", "at_us", "boot", "seq", "check", "outcome", "reason", "arrived_us", "body")
_PAYLOAD_LIMIT = 20_000  # characters of a refused message that are kept for a person to look at


class Cursor(msgspec.Struct, kw_only=True):
    """What is committed of one boot of one probe. Below `oldest`, what is not committed never will be."""

    ranges: Ranges
    oldest: int = 1


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be taken as a result, and why."""

    probe: str
    why: str
    payload: str
    boot: str | None = None
    seq: int | None = None


Cursors = dict[tuple[str, str], Cursor]  # by (probe, boot)


def element_of(result: Result) -> str:
    """What a result is about, as the key under which results lie together: path, SBC, or the target's name."""
    if result.sbc is not None:
        return f"{result.sbc}/{result.core}" if result.core is not None else result.sbc
    return result.target or result.core or ""


def insert_results(connection: Connection, found: Sequence[Result], arrived_us: int) -> None:
    """Writes results that are not in the store yet."""
    if found:
        rows = [
            (
                element_of(result), result.probe, result.at_us, result.boot, result.seq, result.check, result.outcome,
                result.reason, arrived_us, encode(result).decode(),
            )
            for result in found
        ]  # fmt: skip
        ensure_days(connection, {result.at_us // DAY_US for result in found})
        insert_rows(connection, "results", _COLUMNS, rows)


def insert_refused(connection: Connection, refused: Sequence[Refused], arrived_us: int) -> None:
    """Writes what was refused, for a person to look at."""
    if refused:
        rows = [
            {
                "probe": each.probe,
                "boot": each.boot,
                "seq": each.seq,
                "arrived_us": arrived_us,
                "why": each.why.replace("\0", "␀"),
                "payload": each.payload[:_PAYLOAD_LIMIT].replace("\0", "␀"),  # PostgreSQL's text holds no NUL
            }
            for each in refused
        ]
        connection.execute(insert(quarantine), rows)


def load_cursors(connection: Connection) -> Cursors:
    """Every cursor there is."""
    return {
        (row.probe, row.boot): Cursor(ranges=Ranges(msgspec.json.decode(row.ranges)), oldest=row.oldest)
        for row in connection.execute(select(cursors))
    }


def save_cursors(connection: Connection, found: Cursors) -> None:
    """Writes these cursors over what was there."""
    for (probe, boot), cursor in found.items():
        row = {
            "probe": probe,
            "boot": boot,
            "ranges": msgspec.json.encode(list(cursor.ranges)).decode(),
            "oldest": cursor.oldest,
        }
        connection.execute(delete(cursors).where(cursors.c.probe == probe, cursors.c.boot == boot))
        connection.execute(insert(cursors), row)


def since(connection: Connection, from_us: int) -> Iterator[tuple[Result, int]]:
    """Results sent at `from_us` or later with their arrival, in the order of arrival."""
    rows = connection.execute(
        select(results.c.body, results.c.arrived_us)
        .where(results.c.at_us >= from_us)
        .order_by(results.c.arrived_us, results.c.at_us, results.c.probe, results.c.boot, results.c.seq)
    )
    decoder = msgspec.json.Decoder(Result)
    for body, arrived_us in rows:
        yield decoder.decode(body), arrived_us
