"""What was changed shortly before a fault, read from what was said: the first question of whoever is woken.

Work that was announced begins and ends, an attacked SBC leaves service and returns, files are taken up anew, another
collector takes over, a silence ends, people write down what they did (`sereno incidents change`). All of these come
as changes of what is said, so that a rebuilt desk knows them too; of each sort and element the last one counts.
"""

from collections.abc import Iterable, Mapping

from sereno.alarms.silence import Silence
from sereno.incident import PlatformChange
from sereno.incident.change import ChangeWord
from sereno.verdict import Change

BEFORE_US = 10 * 60 * 1_000_000  # what was changed so long before a fault may have to do with it
MOST = 5
LONGEST = 300  # letters of what a person writes
_DIGEST = 12

PLATFORM_CHANGE = "platform_change"
_STATES: Mapping[tuple[str, str], ChangeWord] = {
    ("maintenance_window", "open"): "maintenance_began",
    ("maintenance_window", "over"): "maintenance_ended",
    ("sbc_isolated", "true"): "isolated",
    ("sbc_isolated", "false"): "returned",
}
_ANY: Mapping[str, ChangeWord] = {
    "topology_in_use": "topology",
    "desk_in_use": "desk",
    "alarms_in_use": "alarms",
    "takeover": "takeover",
    "silence_ended": "unsilenced",
    PLATFORM_CHANGE: "recorded",
}
WHATS = frozenset({what for what, _ in _STATES} | set(_ANY))


def told(change: Change) -> PlatformChange | None:
    """The change as an incident tells it; None for what is none."""
    word = _STATES.get((change.what, change.state)) or _ANY.get(change.what)
    if word is None or (change.what.endswith("_in_use") and not change.facts.get("before")):
        return None
    who = change.facts.get("who")
    return PlatformChange(
        at_us=change.since_us or change.at_us,
        what=word,
        kind=change.kind,
        name=change.name,
        text=change.reason,
        who=str(who) if who else None,
    )


def before(world: Iterable[Change], since_us: int, now_us: int) -> tuple[PlatformChange, ...]:
    """The last few changes from shortly before `since_us` until now, the oldest first."""
    found = [
        one
        for change in world
        if change.what in WHATS and (one := told(change)) is not None and since_us - BEFORE_US <= one.at_us <= now_us
    ]
    return tuple(sorted(found, key=lambda one: (one.at_us, one.what, one.kind, one.name))[-MOST:])


def recorded(kind: str, name: str, text: str, who: str, now_us: int) -> Change:
    """What a person wrote down."""
    facts = {"who": who}
    return Change(
        kind=kind,  # type: ignore[arg-type]  # a scope, checked against the topology
        name=name, what=PLATFORM_CHANGE, state="recorded", since_us=now_us, at_us=now_us, reason=text[:LONGEST],
        facts=facts,
    )  # fmt: skip


def in_use(service: str, what: ChangeWord, digest: str, before: str | None, now_us: int) -> Change:
    """A file is in use from now on; `before` is the digest of the one that was, if any was."""
    return Change(
        kind="monitor", name=service, what=f"{what}_in_use", state=digest[:_DIGEST], since_us=now_us, at_us=now_us,
        facts={"before": before[:_DIGEST]} if before else {},
    )  # fmt: skip


def unsilenced(service: str, silence: Silence) -> Change:
    """A silence is over; who reads the incident that then opens wants to know why it is told now."""
    at_us = silence.cancelled_us or silence.to_us
    return Change(
        kind="monitor", name=service, what="silence_ended", state=str(silence.id), since_us=at_us, at_us=at_us,
        reason=silence.why, facts={"who": silence.who},
    )  # fmt: skip


def taken_over(service: str, epoch: int, now_us: int) -> Change:
    """A collector became the writer; the first one took nothing over."""
    return Change(kind="monitor", name=service, what="takeover", state=str(epoch), since_us=now_us, at_us=now_us)
