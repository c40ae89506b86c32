"""One module a resource: `operations(context)` declares what can be asked of it."""

from collections.abc import Iterator

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Operation
from dashboards.web.api.resources import (
    accounts,
    alarms,
    alertmanager,
    availability,
    forensics,
    health,
    incident_acts,
    incidents,
    maintenance,
    oncall,
    paths,
    reports,
    silences,
    tokens,
    verdicts,
)

RESOURCES = (
    verdicts, paths, availability, incidents, incident_acts, maintenance, alarms, silences, health, forensics, reports,
    oncall, accounts, tokens, alertmanager,
)  # fmt: skip


def every_operation(context: Context) -> Iterator[Operation]:
    """All of them, in the order in which the document has them."""
    for resource in RESOURCES:
        yield from resource.operations(context)
