"""How grave a group is: by its own alarms alone, what it brought joins quietly."""

from collections.abc import Mapping

from alerting.causes.model import Group, Key
from alerting.causes.sorts import is_fault
from alerting.causes.view import View
from alerting.machine import AlarmState
from sereno.alarms import Alarms
from sereno.verdict import VERDICT

_WEIGHT = {"alto": 0, "medio": 1, "bajo": 2, "organizacion": 0, "departamento": 1, "individual": 2}


def gravity(view: View, group: Group, states: Mapping[Key, AlarmState], alarms: Alarms) -> tuple[str, str, str, bool]:
    """(lead alarm, urgency, impact, pages) of a group by its own alarms alone: what it brought joins quietly."""
    held = _told_apart([states[key] for key in group.members], view)
    loud = [state for state in held if not view.quiet(state)] or held
    coming = [states[key] for key in group.members if states[key].bad and group.own(states[key])]  # not fired yet
    coming = [state for state in coming if view.what(state) != "sbc_isolated"]  # a mark, and for hours no fault
    own = next(filter(None, ([state for state in some if group.own(state)] for some in (loud, held, coming))), loud)
    if not any(is_fault(view.what(state)) for state in own):  # it works badly; what others say of it counts as much
        own = [*own, *(state for state in loud if state.kind == "external" and state not in own)]
    order = list(alarms.alarms)
    rated = []
    for state in own:
        alarm = alarms.alarms[state.alarm]
        urgency, impact, pages = alarm.urgency, alarm.impact, alarm.page
        if state.kind == "external":  # its own labels say
            urgency, impact = state.facts.get("urgency", urgency), state.facts.get("impact", impact)
        sbc_lost = group.cause.kind == "sbc" and alarm.what == VERDICT
        if sbc_lost and state.kind == "sbc" and not _critical(view):
            impact = "departamento"
        elif (
            (sbc_lost and state.kind == "path" and _critical(view))
            or _half(view, alarm.what)
            or (group.many and is_fault(alarm.what))
        ):
            impact, pages = "organizacion", True
        weight = _WEIGHT[urgency] + _WEIGHT[impact]
        rated.append((weight, order.index(state.alarm), state.alarm, urgency, impact, pages))
    rated.sort()
    _, _, lead, urgency, impact, pages = rated[0]
    return lead, urgency, impact, pages


def _critical(view: View) -> bool:
    """A site (the system, where there are none) keeps one SBC or none."""
    sites = view.topology.sites.values()
    if sites:
        return any(view.keeps(site) <= 1 for site in sites if any(name in view.sbcs for name in site.sbcs))
    return sum(1 for name in view.topology.sbcs if name not in view.sbcs) <= 1


def _half(view: View, what: str) -> bool:
    """On half of the paths, or of the SBCs, or more, and on more than one SBC: no longer a matter of one of them."""
    if what not in {"intermittent", "mos_bad"}:
        return False
    held = view.held("path" if what == "intermittent" else "sbc", what)
    several = len({name.partition("/")[0] for name in held}) > 1 or len(view.topology.sbcs) == 1
    return several and 2 * len(held) >= len(view.topology.paths() if what == "intermittent" else view.topology.sbcs)


def _told_apart(members: list[AlarmState], view: View) -> list[AlarmState]:
    """The alarms that fired; an SBC that its inside probe reaches is cut off from the Internet, and not dead.

    That is known before its alarm has held for as long as it must, and said until it has cleared: of what recovers the
    one is heard a moment before the other.
    """
    unreachable = "sbc_unreachable_internet"
    cut = {state.name for state in members if view.what(state) == unreachable and (state.bad or state.held)}
    return [
        state for state in members
        if (state.phase != "pending" or (state.name in cut and view.what(state) == unreachable))
        and not (state.kind == "sbc" and state.name in cut and view.what(state) == VERDICT)
    ]  # fmt: skip
