"""What a REGISTER's answer means (docs/reasons.md). Pure: what a worker saw goes in, what is said comes out."""

import re

import msgspec

from probes.sip.identify import BLOCKED, LOOPS, MISSTEERED, Speaker, sip_class, speaker
from probes.sip.ipc import Registered
from probes.sip.ladder import Ladder, Request, read
from probes.sip.message import Reply, split_values
from sereno.topology.model import Topology
from sereno.wire import AnsweredBy, Outcome, Reason

_URI = re.compile(r"sips?:(?:([^@<>;]*)@)?([^;<>?]+)", re.IGNORECASE)
_EXPIRES = re.compile(r";[ \t]*expires[ \t]*=[ \t]*\"?([0-9]{1,10})", re.IGNORECASE)
_SECONDS = re.compile(r"[ \t]*([0-9]{1,10})")
_TOO_BRIEF = 423
_CHALLENGES = frozenset({401, 407})
_NONCE = re.compile(r",?[ \t]*(?:nonce|opaque)[ \t]*=[ \t]*(?:\"[^\"]*\"?|[^,]*)", re.IGNORECASE)
REFUSED = frozenset({401, 403, 404, 407})


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the target; `started_ns` is when its first message went out."""

    outcome: Outcome
    reason: Reason | None = None
    answered_by: AnsweredBy | None = None
    answered_core: str | None = None
    code: int | None = None
    phrase: str | None = None
    retry_after_seconds: float | None = None
    expires_seconds: float | None = None
    started_ns: int
    duration_seconds: float
    bindings: int | None = None
    contact: str | None = None
    min_expires_seconds: int | None = None
    detail: str | None = None


def judge_register(seen: Registered, topology: Topology, *, sbc: str, core: str | None) -> Judged:
    """The outcome of one registration through this SBC to this core; to any core where it is None (natural)."""
    ladder = read(seen.messages)
    sent = ladder.sent("REGISTER")
    started_ns = sent[0].at_ns if sent else seen.started_ns
    if seen.ending in {"busy", "error"} or not sent:
        detail = seen.detail or "pjsua2 sent nothing"
        return _judged("invalid", "probe_fault", started_ns, seen.ended_ns, detail=detail)
    final = ladder.final("REGISTER")
    if final is None and seen.ending == "answered":  # it went on and on: the last answer is as good as the first
        final = next((each for each in reversed(ladder.heard("REGISTER")) if each.reply.final), None)
    if final is None:
        reason: Reason = "transport" if seen.ending == "transport" else "timeout"
        return _judged("failed", reason, started_ns, seen.ended_ns, answered_by="none")
    reply = final.reply
    who = speaker(reply, topology, sbc=sbc, core=core, plane="options" if core is not None else "natural")
    expires = granted(reply, _contact(sent))
    outcome, reason_said = _meaning(reply.code, who, core, expires)
    return _judged(
        outcome,
        reason_said,
        started_ns,
        final.at_ns,
        answered_by=who.by,
        answered_core=who.core,
        code=reply.code,
        phrase=reply.phrase,
        retry_after_seconds=float(reply.retry_after) if reply.retry_after is not None else None,
        detail=seen.detail or _unanswered(reply, sent),
        contact=_contact(sent),
        bindings=listed(reply) if reply.code < 300 else None,  # noqa: PLR2004
        min_expires_seconds=_min_expires(ladder),
        expires_seconds=float(expires) if outcome == "ok" and expires is not None else None,
    )


def holds(reply: Reply, contact: str) -> bool:
    """Whether this Contact of ours is among the bindings of a 200, with time left."""
    return bool(granted(reply, contact))


def _unanswered(reply: Reply, sent: list[Request]) -> str | None:
    """Words for a challenge that was not answered: the password was never tried."""
    asked = [value for name in ("www-authenticate", "proxy-authenticate") for value in reply.values(name)]
    if reply.code not in _CHALLENGES or any(request.credentials for request in sent):
        return None
    if not asked:
        return f"a {reply.code} without a challenge: there is nothing to answer"
    # RFC 7616 section 3.3: of qop pjsip knows auth, of algorithms MD5 and SHA-256.
    return f"its challenge could not be answered (MD5 and SHA-256 with qop auth are known): {_NONCE.sub('', asked[0])}"


def listed(reply: Reply) -> int:
    """Every binding of the account is in a 200 (RFC 3261 section 10.3, step 8): ours and those of others."""
    return sum(_address(v) is not None for header in reply.values("contact") for v in split_values(header))


def _min_expires(ladder: Ladder) -> int | None:
    """What the registrar insisted on with a 423 (RFC 3261 section 10.2.8), in this transaction or the one before."""
    found = [
        _SECONDS.fullmatch(value.rstrip())
        for answer in ladder.heard("REGISTER")
        if answer.reply.code == _TOO_BRIEF
        for value in answer.reply.values("min-expires")
    ]
    return next((int(each[1]) for each in reversed(found) if each is not None), None)


def _judged(outcome: Outcome, reason: Reason | None, started_ns: int, ended_ns: int, **fields: object) -> Judged:
    seconds = round(max(0, ended_ns - started_ns) / 1e9, 7)
    return Judged(outcome=outcome, reason=reason, started_ns=started_ns, duration_seconds=seconds, **fields)  # type: ignore[arg-type]


def _contact(sent: list[Request]) -> str | None:
    return sent[-1].contact


def granted(reply: Reply, contact: str | None) -> int | None:
    """The expiry that a 200 gives *our* binding; None when our Contact is not in it (RFC 3261 section 10.2.4)."""
    ours = _address(contact or "")
    for value in (v for header in reply.values("contact") for v in split_values(header)):
        if ours is not None and _address(value) == ours:
            own = _EXPIRES.search(value)
            if own is not None:
                return int(own[1])
            general = [_SECONDS.match(each) for each in reply.values("expires")]
            return next((int(found[1]) for found in general if found is not None), 0)
    return None


def _address(contact: str) -> tuple[str, str] | None:
    found = _URI.search(contact)
    return ((found[1] or ""), found[2].strip().lower()) if found else None


def _meaning(code: int, who: Speaker, core: str | None, expires: int | None) -> tuple[Outcome, Reason | None]:
    if code == BLOCKED:
        return "invalid", "blocked"
    if core is not None and who.by == "core" and who.core != core:
        return "failed", "wrong_core"
    if code < 300:  # noqa: PLR2004
        return ("ok", None) if expires else ("failed", "binding_missing")
    if code in MISSTEERED and who.by == "sbc":
        return "invalid", "steering"
    return "failed", _refusal(code)


def _refusal(code: int) -> Reason:
    if code in REFUSED:
        return "auth"
    return "loop" if code in LOOPS else sip_class(code)
