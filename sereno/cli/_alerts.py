"""Alerts of a recording, as the desk reads them."""

import hashlib

from alerting.desk import DeskMachine
from alerting.external import Gathered, Reading
from collector.stream import AlertTold
from sereno.alertmanager import Told
from sereno.clock import parse_instant
from sereno.desk.inbound import Alerts
from sereno.errors import UsageError
from sereno.incident import Element
from sereno.verdict import VERDICT


def gathered(machine: DeskMachine) -> Gathered:
    """What this machine's desk makes of alerts."""

    def known(element: Element) -> bool:
        said = machine.world.get((element.kind, element.name, VERDICT))
        if said is not None:
            return said.state != "unknown"
        return any((kind, name) == (element.kind, element.name) for kind, name, _ in machine.world)

    alerts = machine.model.inbound.alerts if machine.model is not None else Alerts(gravity={})
    return Gathered(Reading(machine.topology, machine.alarms, alerts), known)


def told_of(event: AlertTold, at_us: int) -> Told:
    """The alert as the webhook would have brought it; `starts_us` is 0 where nobody said when it began."""
    labels = "\n".join(f"{key}={value}" for key, value in sorted(event.labels.items()))
    begun = _instant("startsAt", event.starts_at)
    ended = _instant("endsAt", event.ends_at) if event.status == "resolved" else None
    return Told(
        fingerprint=event.fingerprint or hashlib.sha256(labels.encode()).hexdigest()[:16],
        status=event.status,
        starts_us=begun or 0,
        ends_us=(ended or at_us) if event.status == "resolved" else None,
        labels=event.labels,
        annotations=event.annotations,
        group=event.group_labels,
        generator="",
    )


def _instant(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
