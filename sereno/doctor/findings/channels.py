"""Messages get out: no channel fails, none of late was given up, and each has proved itself once."""

from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US
from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

_DAY_US = 86_400 * SECOND_US
_WAITED_US = 120 * SECOND_US


class Way(msgspec.Struct, frozen=True, kw_only=True):
    channel: str
    failing: bool
    reason: str | None
    given_up: int  # failed or expired within a day
    last_error: str | None
    oldest_waits_us: int | None
    receipts: int


def look(patient: Patient) -> list[Way] | None:
    """The outbox, by channel; None without a desk or channels."""
    from sqlalchemy import select

    from sereno.store.queries.outbox import ways
    from sereno.store.tables import outbox

    desk = patient.desk()
    if desk is None or not desk.channels:
        return None
    now_us, columns = patient.clock.now_us(), outbox.c
    with patient.store().read() as connection:
        found = [one for one in ways(connection, list(desk.channels)) if one.channel in desk.channels]
        query = select(columns.channel, columns.error).where(
            columns.created_us >= now_us - _DAY_US, columns.state.in_(("failed", "expired"))
        )
        lost = connection.execute(query.order_by(columns.id)).all()
    return [
        Way(
            channel=one.channel, failing=one.failing, reason=one.reason,
            given_up=sum(row.channel == one.channel for row in lost),
            last_error=next((row.error for row in reversed(lost) if row.channel == one.channel), None),
            oldest_waits_us=now_us - one.oldest_us if one.oldest_us is not None else None,
            receipts=one.counts.get("sent", 0),
        )
        for one in found
    ]  # fmt: skip


def judge(found: list[Way] | None) -> Iterator[Finding]:
    """A channel that fails is told by itself; one that was never tried is a hope."""
    for one in found or ():
        where = f"channel {one.channel}"
        if one.failing or (one.oldest_waits_us or 0) > _WAITED_US:
            yield broken("does not deliver: {why}", "sereno notify channels says since when; mend the far end or the "
                         "secret", where, why=one.reason or one.last_error or "messages wait")  # fmt: skip
        elif one.given_up:
            yield warning("{count} messages were given up within a day: {why}", "sereno notify list --state failed "
                          "--state expired", where, count=one.given_up, why=one.last_error or "")  # fmt: skip
        elif not one.receipts:
            yield warning("never delivered anything", "try it: sereno notify test --channel {channel}", where,
                          channel=one.channel)  # fmt: skip
    if found and all(one.receipts and not one.failing and not one.given_up for one in found):
        yield ok("deliver: {names}", names=", ".join(one.channel for one in found))


QUESTION = Question(name="channels", title="Channels", look=look, judge=judge)
