"""Root cause, pure: which smallest element explains everything that is wrong now (docs/alarms.md).

Each alarm that is not idle gets one cause: probe's own network < path < SBC < core < all (the service). Alarms with
one cause are a group; a group is one incident, or none yet.
"""

from alerting.causes.attach import below
from alerting.causes.gravity import gravity
from alerting.causes.hushed import hushed
from alerting.causes.model import RANK, Group, Key
from alerting.causes.sorts import BUDGET, is_fault, topic_of
from alerting.causes.view import SBC_GONE, View, is_echo

__all__ = [
    "BUDGET",
    "RANK",
    "SBC_GONE",
    "Group",
    "Key",
    "View",
    "below",
    "gravity",
    "hushed",
    "is_echo",
    "is_fault",
    "topic_of",
]
