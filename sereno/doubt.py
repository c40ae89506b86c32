"""When a failure says nothing because the probe's own network was in doubt: one rule for probe and collector.

A canary that is dead while something else answers is the canary's own fault; only when every one is silent and nobody
answered the check either is the failure the probe's own (docs/verdicts.md, 3).
"""

from collections.abc import Mapping

# The check was answered once; that it broke off later proves nothing of a network that is gone now.
_BROKEN_OFF = frozenset({"no_media", "one_way", "cut_off", "bye_unanswered"})


def own_network(answered_by: str | None, reason: str | None, canaries: Mapping[str, bool]) -> bool:
    """Whether a failure is to be put down to the probe's own network."""
    if not canaries or any(canaries.values()):
        return False
    return answered_by in {None, "none"} or reason in _BROKEN_OFF
