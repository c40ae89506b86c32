"""Test calls of a window: what a report tells of setting up calls and of how they sounded."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select, text

from sereno.store.tables import CALLS, results

_CHUNK = 10_000


class Heard(msgspec.Struct, frozen=True):
    """One direction of a call's media, as far as it is asked for."""

    mos_lq: float | None = None
    mos_cq: float | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call as far as it is asked for; everything else of the result is passed over."""

    outcome: str
    sbc: str | None = None
    core: str | None = None
    reason: str | None = None
    setup_seconds: float | None = None
    post_dial_delay_seconds: float | None = None
    disconnect_seconds: float | None = None
    media: dict[str, Heard] = {}


def calls(connection: Connection, from_us: int, to_us: int) -> Iterator[Call]:
    """Calls of paths sent in [from, to), in order. Calls are never compacted (docs/store.md): rows are all there is."""
    columns = results.c
    query = (
        select(columns.body)
        .where(columns.at_us >= from_us, columns.at_us < to_us, text(CALLS))
        .order_by(columns.at_us, columns.probe, columns.boot, columns.seq)
        .execution_options(yield_per=_CHUNK)
    )
    decode = msgspec.json.Decoder(Call).decode
    for (body,) in connection.execute(query):
        yield decode(body)
