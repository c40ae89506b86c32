"""What was announced of a scope, and what each contract's rule makes of it: counted or not, and why."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from collector.availability import parts_of
from collector.exclusion import Judged, Plans, contract_names, judged
from collector.ledger import spans
from collector.ledger.spans import Spans
from collector.verdicts.overlay import Coverage
from sereno.answers.availability import Exclusion, Notice, Refusal
from sereno.availability import Scope
from sereno.contract import Contract
from sereno.store.queries.ledger import Announced
from sereno.topology.model import Topology


def notices_of(
    topology: Topology,
    contracts: Mapping[str, Contract],
    announced: Iterable[Announced],
    scope: Scope,
    out: Spans,
    window: tuple[int, int],
    plans: Plans | None = None,
) -> tuple[Notice, ...]:
    """Every announced window that touches the scope within a window of time, once for each of its contracts.

    What it covers is read from the plan of its beginning.
    """
    plans = plans or Plans(topology)
    found = []
    for one in announced:
        if (
            one.window.from_us >= window[1]
            or one.window.to_us <= window[0]
            or not _touches(topology, scope, one, plans)
        ):
            continue
        names = contract_names(topology, contracts, scope)
        found += [_notice(topology, contracts[name], scope, one, out, plans) for name in names]
    return tuple(found)


def exclusions_of(
    topology: Topology,
    contracts: Mapping[str, Contract],
    announced: Iterable[Announced],
    scope: Scope,
    out: Spans,
    plans: Plans | None = None,
) -> tuple[Exclusion, ...]:
    """The excluded time, cut wherever the windows that it rests on change."""
    plans = plans or Plans(topology)
    names = contract_names(topology, contracts, scope)
    rests: list[tuple[int, Spans]] = []
    for one in announced:
        accepted = [span for name in names for span in judged(one.window, contracts[name].at(one.window.from_us)).spans]
        inside = spans.intersect(spans.union(accepted), out)
        if inside and _touches(topology, scope, one, plans):
            rests.append((one.number, inside))
    edges = sorted({edge for span in (out, *(inside for _, inside in rests)) for pair in span for edge in pair})
    found: list[Exclusion] = []
    for begin, end in pairwise(edges):
        if not spans.intersect([(begin, end)], out):
            continue
        windows = tuple(number for number, inside in rests if spans.intersect([(begin, end)], inside))
        joins = bool(found) and (found[-1].to_us, found[-1].windows) == (begin, windows)
        from_us = found.pop().from_us if joins else begin
        found.append(Exclusion(from_us=from_us, to_us=end, windows=windows))
    return tuple(found)


def _notice(topology: Topology, contract: Contract, scope: Scope, one: Announced, out: Spans, plans: Plans) -> Notice:
    window = one.window
    version = contract.at(window.from_us)
    said, terms = judged(window, version), version.maintenance
    excluded_us = spans.total(spans.intersect(said.spans, out))
    return Notice(
        number=one.number,
        scope_kind=window.scope_kind,
        scope_name=window.scope_name,
        from_us=window.from_us,
        to_us=window.to_us,
        announced_us=window.announced_us if one.received else None,
        critical_fix=window.critical_fix,
        cancelled_us=one.cancelled_us,
        who=one.who,
        contract=contract.name,
        notice_days=said.notice_days if one.received else None,
        least_days=None if terms is None else terms.notice_days[0],
        most_days=None if terms is None else terms.notice_days[1],
        hours=None if terms is None else terms.window,
        same_day=terms is not None and terms.critical_fix == "same_day",
        refused=tuple(_refused(said, one, excluded_us)),
        excluded_us=excluded_us,
        sites=_covered(topology, scope, one, plans),
    )


def _refused(said: Judged, one: Announced, excluded_us: int) -> Iterator[Refusal]:
    for why in said.refused:
        yield "not_received" if why == "after_begin" and not one.received else why
    if said.spans and not excluded_us:
        yield "not_covered"


def _coverage(one: Announced, part: Scope, plans: Plans) -> Coverage:
    return Coverage(plans.at(one.window.from_us, part), [(one.window.scope_kind, one.window.scope_name)])


def _covered(topology: Topology, scope: Scope, one: Announced, plans: Plans) -> tuple[str, ...]:
    parts = _parts(topology, scope)
    return tuple(part.name for part in parts if _coverage(one, part, plans).covers(part.kind, part.name))


def _parts(topology: Topology, scope: Scope) -> list[Scope]:
    if scope.kind == "service" and topology.sites:
        return [Scope("site", name) for name in topology.sites]
    return parts_of(topology, scope)


def _touches(topology: Topology, scope: Scope, one: Announced, plans: Plans) -> bool:
    """Whether the work is on anything that the scope uses."""
    for part in _parts(topology, scope):
        coverage = _coverage(one, part, plans)
        if coverage.covers(part.kind, part.name) or _uses(coverage, part):
            return True
    return False


def _uses(coverage: Coverage, part: Scope) -> bool:
    paths = coverage.topology.paths()
    if part.kind == "site":
        sbcs = set(coverage.topology.sites[part.name].sbcs)
        return any(coverage.covers("path", path.name) for path in paths if path.sbc in sbcs)
    sides = {"sbc": 0, "core": 1}
    if part.kind in sides:
        mine = [path for path in paths if (path.sbc, path.core)[sides[part.kind]] == part.name]
        return any(coverage.covers("path", path.name) for path in mine)
    return False
