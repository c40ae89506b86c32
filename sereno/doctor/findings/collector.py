"""A collector leads: somebody judges, alerts and writes. A standby reaches the broker, or it could not take over."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from sereno.clock import SECOND_US, iso
from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

STALE_US = 10 * SECOND_US


class Leading(msgspec.Struct, frozen=True, kw_only=True):
    """`renewed_us`: when somebody last said that he leads; `deaf`: collectors without a broker."""

    now_us: int
    renewed_us: int | None
    host: str = ""
    deaf: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    changes: int = 0  # of the writer, within the hour


def look(patient: Patient) -> Leading:
    """The lease, and what each collector says of itself."""
    from sqlalchemy import select

    from sereno.store.collectors import GONE_US, presences
    from sereno.store.lease import host_of, read
    from sereno.store.tables import leaderships

    now_us = patient.clock.now_us()
    with patient.store().read() as connection:
        lease = read(connection)
        here = [one for one in presences(connection) if now_us - one.seen_us <= GONE_US]
        hour = select(leaderships.c.holder).where(leaderships.c.from_us >= now_us - 3_600 * SECOND_US)
        holders = connection.execute(hour.order_by(leaderships.c.epoch)).scalars().all()
    return Leading(
        now_us=now_us,
        renewed_us=lease.renewed_us if lease is not None and lease.holder else None,
        host=host_of(lease.holder) if lease is not None else "",
        deaf=tuple(host_of(one.name) for one in here if one.broker is False),
        versions=tuple(sorted({one.version for one in here})),
        changes=sum(one != other for one, other in pairwise(holders)),  # who took files up anew is no other
    )


_OFTEN = 6


def judge(leading: Leading) -> Iterator[Finding]:
    """Nobody who leads is the gravest of all: then nobody is told of anything."""
    if leading.renewed_us is None:
        yield broken("no collector runs on this store: nothing is judged and nobody is told", "start `sereno up`, or "
                     "`sereno collector` (systemctl start sereno-collector)")  # fmt: skip
    elif leading.now_us - leading.renewed_us > STALE_US:
        yield broken(
            "no collector runs on this store since {at}: nothing is judged and nobody is told", "start it, and read "
            "the last lines of its log (DATA/logs/collector.log, or journalctl -u sereno-collector)", leading.host,
            at=iso(leading.renewed_us),
        )  # fmt: skip
    else:
        yield ok("one leads", leading.host)
    for host in leading.deaf:
        yield broken("this collector does not reach the broker", "see what is said of the broker, from that host",
                     host)  # fmt: skip
    if len(leading.versions) > 1:
        yield warning("collectors of several versions share this store: {versions}", "bring all to the newest",
                      versions=", ".join(leading.versions))  # fmt: skip
    if leading.changes >= _OFTEN:
        yield warning(
            "the writer changed {count} times within an hour", "look for a process that starts again and again: its "
            "log says why", count=leading.changes,
        )  # fmt: skip


QUESTION = Question(name="collector", title="Collector", look=look, judge=judge)
