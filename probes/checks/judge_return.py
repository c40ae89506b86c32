"""What a call says that should come back to us: is location replicated, was it us who answered. Pure."""

from typing import Any

import msgspec

from probes.checks.recognise import Heard
from probes.sip.ipc import Inbound
from sereno.wire import Outcome, Reason, Result

UNKNOWN_THERE = frozenset({404, 480})  # a core that does not know the binding of a user, or not the user


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the whole, and what is known of the end that was called."""

    outcome: Outcome
    reason: Reason | None
    facts: dict[str, Any]
    detail: str | None = None


def not_found(found: Result, came: Inbound | None) -> bool:
    """The called core said that it has no binding, and nothing reached us: location is not (yet) replicated."""
    return found.check == "terminating" and found.code in UNKNOWN_THERE and found.answered_by != "sbc" and came is None


def judge_return(
    found: Result, came: Inbound | None, there: Heard | None, *, registered_at: str, started_ns: int
) -> Returned:
    """The outcome of a call with both its ends; `found` is what the caller's end says by itself."""
    outcome, reason, detail = found.outcome, found.reason, None
    if not_found(found, came):
        outcome, reason = "failed", "binding_missing"
        detail = (
            f"{found.core} answers {found.code} for a user that has just registered at {registered_at}: "
            "location is not replicated between the cores"
        )
    elif outcome == "ok" and came is None:
        outcome, reason, detail = "failed", "wrong_audio", "somebody answered, but not our account"
    elif outcome == "ok" and there is not None and there.signal != "ours":
        outcome, reason = "failed", "wrong_audio" if there.signal == "other" else "one_way"
        detail = "our signal did not reach the end that was called"
    elif reason == "dead_air" and there is not None and there.signal == "nothing":
        reason, detail = "one_way", "our signal did not reach the end that was called"
    return Returned(outcome=outcome, reason=reason, facts=_facts(found, came, there, started_ns), detail=detail)


def _facts(found: Result, came: Inbound | None, there: Heard | None, started_ns: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"invited": came is not None}
    if came is not None:
        facts |= {
            "invited_after_seconds": round(max(0, came.invited_ns - started_ns) / 1e9, 6),
            "caller": came.caller,
            "marked": came.marked,
            "refused_others": came.others or None,
            "codec": came.codec,
            "signal": there.signal if there is not None else None,
            # there and back the echo's delay is that of the caller's end
            "delay_seconds": there.echo_delay_seconds if there is not None and came.aligned else None,
        }
    if found.check == "terminating":
        if not_found(found, came):
            facts["location"] = "not_replicated"
        elif came is not None:
            facts["location"] = "replicated"
    return {key: value for key, value in facts.items() if value is not None}
