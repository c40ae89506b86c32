"""Somebody else is told when this monitor is blind: the dead man's switch."""

from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: "true" it goes out, "false" it does not, for `reason`; None: nothing was said of it yet."""

    declared: bool
    state: str | None = None
    reason: str | None = None


def look(patient: Patient) -> Beat | None:
    """The desk's heartbeat, and what was said of it last; None without a desk that tells anybody."""
    from sereno.store.changes import last_said

    desk = patient.desk()
    if desk is None or not desk.people:
        return None
    if desk.heartbeat is None:
        return Beat(declared=False)
    patient.leading()
    with patient.store().read() as connection:
        said = [change for (kind, _, what), change in last_said(connection).items() if (kind, what) == _ABOUT]
    newest = max(said, key=lambda one: one.at_us, default=None)
    return Beat(declared=True, state=newest.state if newest else None, reason=newest.reason if newest else None)


_ABOUT = ("monitor", "heartbeat")


def judge(beat: Beat | None) -> Iterator[Finding]:
    """A monitor that is dead tells nobody."""
    if beat is None:
        return
    if not beat.declared:
        yield warning(
            "no heartbeat goes out: nobody would notice that the monitor itself is dead",
            "write `heartbeat:` in desk.yaml, to a service of others (docs/notifications.md)",
        )
    elif beat.state == "false":
        yield broken("the heartbeat does not go out: {why}", "mend that; whoever listens will call soon",
                     why=beat.reason or "")  # fmt: skip
    elif beat.state == "true":
        yield ok("goes out")


QUESTION = Question(name="heartbeat", title="Heartbeat", look=look, judge=judge)
