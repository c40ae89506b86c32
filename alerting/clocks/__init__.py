"""Service-level clocks of an incident, pure: what each affected customer's contract promised, and what became of it.

`promise` makes a clock, `owed` follows what the monitor sees, `people` what people decide, `time` what only time does.
"""

from alerting.clocks.grades import heavier, worst
from alerting.clocks.owed import owed
from alerting.clocks.people import merged, redated, repaused, reprioritised
from alerting.clocks.promise import due, end, ended
from alerting.clocks.time import again, missed_since, next_due_us, overdue, passed, running_out, warned_since

__all__ = [
    "again",
    "due",
    "end",
    "ended",
    "heavier",
    "merged",
    "missed_since",
    "next_due_us",
    "overdue",
    "owed",
    "passed",
    "redated",
    "repaused",
    "reprioritised",
    "running_out",
    "warned_since",
    "worst",
]
