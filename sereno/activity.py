"""An activity that a contract obliges the operator to (SOW): due, done, with what evidence."""

from typing import Any

import msgspec

from sereno.clock import iso


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table `activities`."""

    id: int
    customer: str
    what: str
    due_us: int
    who: str
    recorded_us: int
    incident: int | None = None
    done_us: int | None = None
    evidence: str | None = None
    cancelled_us: int | None = None
    told_us: int | None = None  # when the desk was told that it is late

    @property
    def waits(self) -> bool:
        """Neither done nor let go."""
        return self.done_us is None and self.cancelled_us is None

    def late(self, now_us: int) -> bool:
        """It was not done when it was due, or is still not."""
        return self.cancelled_us is None and self.due_us < (now_us if self.done_us is None else self.done_us)


def activity_json(activity: Activity, now_us: int) -> dict[str, Any]:
    """The shape of `sereno activities --json`."""
    return {
        "id": activity.id,
        "customer": activity.customer,
        "incident": activity.incident,
        "what": activity.what,
        "due": iso(activity.due_us),
        "done": None if activity.done_us is None else iso(activity.done_us),
        "evidence": activity.evidence,
        "late": activity.late(now_us),
        "who": activity.who,
        "recorded": iso(activity.recorded_us),
        "cancelled": None if activity.cancelled_us is None else iso(activity.cancelled_us),
    }
