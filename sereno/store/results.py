"""Results and how far they came: one row per (probe, boot, seq), cursors that never forget what was committed."""

import functools
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, insert, select, text

from sereno.ranges import Ranges
from sereno.store.bulk import insert_rows
from sereno.store.partitions import DAY_US, ensure_days
from sereno.store.tables import cursors, quarantine, results
from sereno.wire import Result, encode

_COLUMNS = ("probe", "boot", "seq", "at_us", "element", "check", "outcome", "reason", "arrived_us", "body")
_SAVE = text(
    "INSERT INTO cursors (probe, boot, ranges, oldest) VALUES (:probe, :boot, :ranges, :oldest) "
    "ON CONFLICT (probe, boot) DO UPDATE SET ranges = excluded.ranges, oldest = excluded.oldest"
)
_json = msgspec.json.Encoder().encode
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
    cause: str = "malformed"  # of `WireError.cause`; counted, not stored


Cursors = dict[tuple[str, str], Cursor]  # by (probe, boot)


def element_of(result: Result) -> str:
    """What a result is about, as the key under which results lie together: path, SBC, or the target's name."""
    if result.sbc is not None:
        return _element(result.sbc, result.core)
    return result.target or result.core or ""


def insert_results(connection: Connection, found: Sequence[Result], arrived_us: int) -> None:
    """Writes results that are not in the store yet."""
    bodies = [encode(result).decode() for result in found]
    insert_fresh(connection, [(result, result.at_us) for result in found], bodies, arrived_us)


def insert_fresh(
    connection: Connection, fresh: Sequence[tuple[Result, int]], bodies: Sequence[str], arrived_us: int
) -> None:
    """Writes results that are not in the store yet, with their `at` and as they came."""
    if not fresh:
        return
    rows = [
        (
            one.probe, one.boot, one.seq, at_us,
            _element(one.sbc, one.core) if one.sbc is not None else element_of(one),
            one.check, one.outcome, one.reason, arrived_us, body,
        )
        for (one, at_us), body in zip(fresh, bodies, strict=True)
    ]  # fmt: skip
    ensure_days(connection, {row[3] // DAY_US for row in rows})
    insert_rows(connection, "results", _COLUMNS, rows)


@functools.lru_cache(maxsize=65_536)
def _element(sbc: str, core: str | None) -> str:
    return f"{sbc}/{core}" if core is not None else sbc


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
    decode = msgspec.json.Decoder(list[tuple[int, int]]).decode
    rows = connection.execute(select(cursors.c.probe, cursors.c.boot, cursors.c.ranges, cursors.c.oldest))
    return {
        (probe, boot): Cursor(ranges=Ranges.kept(decode(ranges)), oldest=oldest) for probe, boot, ranges, oldest in rows
    }


def save_cursors(connection: Connection, found: Cursors) -> None:
    """Writes these cursors over what was there."""
    if found:
        rows = [
            {
                "probe": probe,
                "boot": boot,
                "ranges": _json(list(cursor.ranges)).decode(),
                "oldest": cursor.oldest,
            }
            for (probe, boot), cursor in found.items()
        ]
        connection.execute(_SAVE, rows)


def lately(connection: Connection, from_us: int, limit: int) -> int:
    """From when to read so that no more than so many results come, `from_us` at the earliest."""
    newest = select(results.c.at_us).where(results.c.at_us >= from_us).order_by(results.c.at_us.desc())
    found = connection.execute(newest.offset(limit).limit(1)).scalar()
    return from_us if found is None else int(found)


def of_checks(connection: Connection, checks: Sequence[str], from_us: int, to_us: int) -> Iterator[tuple[Result, int]]:
    """Results of some checks sent in `[from, to)` with their arrival, in the order of arrival."""
    columns = results.c
    rows = connection.execute(
        select(columns.body, columns.arrived_us)
        .where(columns.at_us >= from_us, columns.at_us < to_us, columns.check.in_(checks))
        .order_by(columns.arrived_us, columns.at_us, columns.probe, columns.boot, columns.seq)
    )
    decoder = msgspec.json.Decoder(Result)
    for body, arrived_us in rows:
        yield decoder.decode(body), arrived_us


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
