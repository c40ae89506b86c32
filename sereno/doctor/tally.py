"""The newest results, counted once for every finding that asks about them."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, select

from sereno.clock import SECOND_US
from sereno.store.tables import results
from sereno.wire import Result

MINUTES = 15  # calls are made once a minute or so, registrations twice
_BRIEF_US = 120 * SECOND_US  # of the checks that are made every second two minutes are enough
_MOST = 20_000
_SELDOM = ("register", "call", "terminating", "pstn", "https", "dns", "tcp", "database", "traffic")
_decode = msgspec.json.Decoder(Result).decode


class Kind(msgspec.Struct, frozen=True):
    """What results have in common that is counted together."""

    probe: str
    check: str
    sbc: str | None
    core: str | None
    outcome: str
    reason: str | None
    answered_by: str | None
    code: int | None
    account: str | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """`newest` are the last results of each (probe, check, element), in the order they were sent."""

    minutes: int
    results: Mapping[Kind, int]
    newest: tuple[Result, ...] = ()

    def of(self, *checks: str) -> list[tuple[Kind, int]]:
        """What was counted of some checks; of all when none is named."""
        return [(kind, count) for kind, count in self.results.items() if not checks or kind.check in checks]

    def probes(self) -> set[str]:
        """Those that measured something."""
        return {kind.probe for kind in self.results}


def taken(connection: Connection, now_us: int) -> Tally:
    """Counts what was sent of late; the newest first where there is more than can be read at once."""
    columns = results.c
    brief = select(columns.body).where(columns.at_us >= now_us - _BRIEF_US, columns.check.not_in(_SELDOM))
    seldom = select(columns.body).where(columns.at_us >= now_us - MINUTES * 60 * SECOND_US, columns.check.in_(_SELDOM))
    bodies: list[str] = []
    for query in (brief, seldom):
        bodies += connection.execute(query.order_by(columns.at_us.desc()).limit(_MOST)).scalars()
    return counted(_decode(body) for body in bodies)


def counted(found: Iterable[Result]) -> Tally:
    """The same of results at hand."""
    counts: Counter[Kind] = Counter()
    newest: dict[tuple[str | None, ...], Result] = {}
    for each in found:
        counts[
            Kind(
                each.probe, each.check, each.sbc, each.core, each.outcome, each.reason, each.answered_by, each.code,
                each.account,
            )
        ] += 1  # fmt: skip
        key = (each.probe, each.check, each.sbc, each.core, each.target, each.account, each.address)
        if key not in newest or newest[key].at < each.at:
            newest[key] = each
    return Tally(minutes=MINUTES, results=dict(counts), newest=tuple(sorted(newest.values(), key=lambda one: one.at)))
