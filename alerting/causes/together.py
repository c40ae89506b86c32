"""Many alike that fail together are one cause, though nobody can name it: a storm is one incident and one page.

Five elements of a kind with the same alarm, each of which began within ten seconds of the one before (a minute for
conditions, whose windows end at different times), are gathered on the smallest element that holds them all.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from alerting.causes.model import Group, Key
from alerting.causes.plan import Plan
from alerting.causes.sorts import is_fault
from alerting.machine import AlarmState
from sereno.alarms import Alarm
from sereno.incident import Element

MANY = 5
_GAP_US = 10 * 1_000_000
_SLOW_GAP_US = 60 * 1_000_000
_KINDS = frozenset({"core", "sbc", "path", "site", "network", "portal", "database"})


def gathered(
    groups: Sequence[Group], states: Mapping[Key, AlarmState], alarms: Mapping[str, Alarm], plan: Plan
) -> list[Group]:
    """The groups, with those that are one storm made one."""
    kept: dict[tuple[str, Element, str], Group] = {}
    alike: dict[tuple[str, str, str], list[tuple[int, Group]]] = defaultdict(list)
    for group in groups:
        own = [states[key] for key in group.members if states[key].phase == "firing" and group.own(states[key])]
        if group.cause.kind not in _KINDS or group.class_ != "service" or not own:
            kept[group.class_, group.cause, group.topic] = group
            continue
        first = min(own, key=lambda state: state.bad_since_us)
        alike[group.cause.kind, alarms[first.alarm].what, group.topic].append((first.bad_since_us, group))
    for (_, what, _), mine in alike.items():
        mine.sort(key=lambda pair: (pair[0], pair[1].cause.name))
        for cluster in _clusters(mine, _GAP_US if is_fault(what) else _SLOW_GAP_US):
            for group in [_one(cluster, plan)] if len(cluster) >= MANY else cluster:
                place = (group.class_, group.cause, group.topic)
                kept[place] = _joined(kept[place], group) if place in kept else group
    return list(kept.values())


def _clusters(mine: list[tuple[int, Group]], gap_us: int) -> list[list[Group]]:
    found: list[list[Group]] = []
    last_us: int | None = None
    for began_us, group in mine:
        if last_us is not None and began_us - last_us <= gap_us:
            found[-1].append(group)
        else:
            found.append([group])
        last_us = began_us
    return found


def _one(cluster: list[Group], plan: Plan) -> Group:
    """One group on the smallest element that holds them all."""
    causes = tuple(sorted((group.cause for group in cluster), key=lambda cause: (cause.kind, cause.name)))
    return Group(
        class_="service",
        cause=_holder(causes, plan),
        members=tuple(sorted(key for group in cluster for key in group.members)),
        elements=tuple(dict.fromkeys((*causes, *(part for group in cluster for part in group.elements)))),
        topic=cluster[0].topic,
        many=True,
    )


def _holder(causes: Sequence[Element], plan: Plan) -> Element:
    if causes[0].kind in {"path", "network"}:
        sbcs = {cause.name.partition("/")[0] for cause in causes}
        rests = {cause.name.partition("/")[2] for cause in causes}
        if len(sbcs) == 1:
            return Element("sbc", min(sbcs))
        if len(rests) == 1 and "" not in rests:
            return Element("core" if causes[0].kind == "path" else "network", min(rests))
    return Element("service", plan.topology.service)


def _joined(one: Group, other: Group) -> Group:
    """Two groups that came to have one cause."""
    return replace(
        one,
        members=tuple(sorted({*one.members, *other.members})),
        elements=tuple(dict.fromkeys((*one.elements, *other.elements))),
        many=one.many and other.many,
    )
