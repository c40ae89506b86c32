"""Every table. Instants are integer microseconds UTC. JSON bodies are text written by msgspec.

One writer: the active collector. Alerting, in the same process, writes its own tables in its own transactions.
"""

from sereno.store.tables.base import Serial, String, metadata
from sereno.store.tables.delivery import (
    ODD,
    SECOND,
    checkpoints,
    cursors,
    probe_events,
    probe_statuses,
    quarantine,
    results,
    runs,
    stale_blocks,
    topologies,
)
from sereno.store.tables.desk import (
    activities,
    alarm_states,
    external_alerts,
    incident_messages,
    incident_timeline,
    incidents,
    mails,
    measure_hours,
    outbox,
    positions,
    problems,
    rota_overrides,
    silences,
    steps,
)
from sereno.store.tables.leading import collectors, commands, leaderships, lease
from sereno.store.tables.verdicts import isolations, ledger, ledger_days, ledger_revisions, maintenance, verdict_changes

__all__ = [
    "ODD",
    "SECOND",
    "Serial",
    "String",
    "activities",
    "alarm_states",
    "checkpoints",
    "collectors",
    "commands",
    "cursors",
    "external_alerts",
    "incident_messages",
    "incident_timeline",
    "incidents",
    "isolations",
    "leaderships",
    "lease",
    "ledger",
    "ledger_days",
    "ledger_revisions",
    "mails",
    "maintenance",
    "measure_hours",
    "metadata",
    "outbox",
    "positions",
    "probe_events",
    "probe_statuses",
    "problems",
    "quarantine",
    "results",
    "rota_overrides",
    "runs",
    "silences",
    "stale_blocks",
    "steps",
    "topologies",
    "verdict_changes",
]
