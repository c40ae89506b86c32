"""What late results change of the past: was → became, with why, and outages that nobody could be told of. Pure.

An outage is *found late* when the ledger did not have it and results of its time came too late to be heard live: it is
over when it is found, so it concerns the desk's record and the customer's figures, and wakes nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from collector.ledger.fold import Interval
from collector.verdicts.samples import Timing
from sereno.clock import iso
from sereno.store.queries.revisions import LateResults, Revision
from sereno.topology.model import Topology
from sereno.verdict import LEDGER_REVISED, Change

FOUND = "found"  # neither true nor false: it happened, and does not last
TOLD_KINDS = ("service", "site", "core", "sbc", "path")
_TOLD = 200  # changes that one finding carries to the desk; the ledger keeps all


class Piece(NamedTuple):
    """Time of an element of which the ledger says something else now."""

    kind: str
    name: str
    from_us: int
    to_us: int
    was: str
    became: str


Stated = Iterable[tuple[str, str, str, int, int]]  # kind, name, state, from, to


def stated(intervals: Iterable[Interval]) -> list[tuple[str, str, str, int, int]]:
    """Intervals as what they say, without their reasons."""
    return [(one.kind, one.name, one.state, one.from_us, one.to_us) for one in intervals]


def weighed(intervals: Iterable[Interval]) -> list[tuple[str, str, str, int, int]]:
    """As `stated`, an outage with the interval of the check that decided it: that is in the figures, too."""
    return [
        (
            one.kind,
            one.name,
            f"{one.state}/{one.interval_us}" if one.state == "down" else one.state,
            one.from_us,
            one.to_us,
        )
        for one in intervals
    ]


def changed(old: Stated, new: Stated) -> list[Piece]:
    """Where two accounts of the same time differ; what an account leaves out is unknown."""
    before, after = _by_element(old), _by_element(new)
    found: list[Piece] = []
    for element in sorted(before.keys() | after.keys()):
        was, became = before.get(element, []), after.get(element, [])
        edges = sorted({edge for _, begin, end in (*was, *became) for edge in (begin, end)})
        for begin, end in pairwise(edges):
            states = _at(was, begin), _at(became, begin)
            last = found[-1] if found else None
            if states[0] == states[1]:
                continue
            if last and (last.kind, last.name, last.to_us, last.was, last.became) == (*element, begin, *states):
                found[-1] = last._replace(to_us=end)
            else:
                found.append(Piece(*element, begin, end, *states))
    return found


def _by_element(account: Stated) -> dict[tuple[str, str], list[tuple[str, int, int]]]:
    found: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for kind, name, state, from_us, to_us in account:
        found.setdefault((kind, name), []).append((state, from_us, to_us))
    for spans in found.values():
        spans.sort(key=lambda one: one[1])
    return found


def _at(spans: Sequence[tuple[str, int, int]], at_us: int) -> str:
    return next((state for state, begin, end in spans if begin <= at_us < end), "unknown")


def new_outages(old: Stated, new: Iterable[Interval]) -> list[Interval]:
    """Outages of which the old account had nothing."""
    known = [(kind, name, begin, end) for kind, name, state, begin, end in old if state == "down"]
    return [
        one
        for one in new
        if one.state == "down"
        and one.kind in TOLD_KINDS
        and not any(
            (kind, name) == (one.kind, one.name) and begin < one.to_us and end > one.from_us
            for kind, name, begin, end in known
        )
    ]


def late_limits(topology: Topology) -> dict[str, int]:
    """Per check: a result that takes longer than this from its sending to its arrival cannot be heard live."""
    timing = Timing(topology)
    return {check: timing.live_hold_us(check) + timing.timeout_us[check] for check in timing.every_us}


def note(late: Sequence[LateResults], refolded: str) -> str:
    """Why the past changed, in the operators' language; `refolded` where no result came late."""
    if not late:
        return refolded
    parts = [
        f"{one.probe} ({one.results}), enviados {_span(one.first_us, one.last_us)},"
        f" llegados {_span(one.first_arrived_us, one.last_arrived_us)}"
        for one in late
    ]
    one = len(late) == 1
    return f"resultados tardíos de {'la sonda' if one else 'las sondas'} " + "; ".join(parts)


def _span(first_us: int, last_us: int) -> str:
    return iso(first_us) if first_us == last_us else f"{iso(first_us)} a {iso(last_us)}"


def revisions_of(pieces: Iterable[Piece], why: str, now_us: int) -> list[Revision]:
    """The notes that go beside the ledger."""
    return [Revision(now_us, *piece, why) for piece in pieces]


def finding(
    service: str, outages: Sequence[Interval], revised: Sequence[Revision], why: str, now_us: int
) -> Change | None:
    """What the desk is told; None where nothing that it looks after changed."""
    told = [one for one in revised if one.kind in TOLD_KINDS]
    if not outages and not told:
        return None
    facts: Mapping[str, Any] = {
        "note": why,
        "outages": [
            {"kind": one.kind, "name": one.name, "from_us": one.from_us, "to_us": one.to_us, "reason": one.reason}
            for one in outages
        ],
        "changes": [
            {
                "kind": one.kind,
                "name": one.name,
                "from_us": one.from_us,
                "to_us": one.to_us,
                "was": one.was,
                "became": one.became,
            }
            for one in told[:_TOLD]
        ],
    }
    return Change(
        kind="monitor",
        name=service,
        what=LEDGER_REVISED,
        state=FOUND,
        since_us=min([one.from_us for one in outages] + [one.from_us for one in told]),
        at_us=now_us,
        reason="late_results",
        facts=dict(facts),
    )
