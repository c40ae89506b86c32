"""Which incident each cause belongs to: opened, promoted, eased, merged, reopened, resolved (docs/alarms.md).

One rule keeps it small: a cause takes the incident that already bears its name, else one that holds an alarm it now
explains, else one that resolved within 30 minutes, else, once it has settled, a new one.
"""

from alerting.reconcile.round import Reconciler

__all__ = ["Reconciler"]
