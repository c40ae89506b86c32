"""How grave it is, once people judge it anew."""

from msgspec.structs import replace

from alerting import clocks
from alerting.acts import report
from alerting.acts.act import Act
from alerting.book import MONITOR
from alerting.escalation.machine import LOUD, WAITING
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, grade, say


def priority(act: Act) -> None:
    """Another priority: by name, or from urgency and impact by the contract's matrix. The clocks follow."""
    before = act.record
    move(before, "priority")
    if before.opened_by == MONITOR:
        raise RefusedError(f"el incidente {before.number} lo abrió el monitor: su prioridad sale de lo que está roto")
    fields = {name: value for name, value in report.given(act).items() if name in {"urgency", "impact"}}
    if act.text("priority") is None and not fields:
        raise RefusedError("falta la prioridad: --priority, o --urgency y --impact")
    wanted = report.priority(act, before, fields, before.priority)
    if wanted == before.priority and not fields:
        raise RefusedError(f"el incidente {before.number} ya es {wanted}")
    after = replace(
        before, **fields, priority=wanted, priority_peak=clocks.worst([wanted, before.priority_peak]),
        customers=dict.fromkeys(before.customers, wanted),
    )  # fmt: skip
    after = act.desk.impact.reprioritised(before, after)
    was = grade(before)
    note = act.text("note")
    line = say(DESK_LANGUAGE, "priority {was} → {grade}", was=was, grade=grade(after))
    after = act.put(after, f"{line}: {note}" if note else line)
    if (
        wanted in LOUD
        and clocks.heavier(wanted, before.priority)
        and after.state in WAITING
        and after.kind == "incident"
    ):
        act.desk.escalation.page(after, "promoted", act.at_us)
