"""What people read of somebody else's alert: its own words, and where they come from."""

from alerting.machine import AlarmState
from alerting.words import say


def alert_title(state: AlarmState) -> tuple[str, dict[str, str]]:
    """The English id of an incident's title, and its values."""
    rule = str(next(iter(state.facts.get("alerts") or [state.name]))).partition(" ")[0]
    title = str(state.facts.get("title") or state.name)
    if title.startswith(rule):
        return "Alert {title}", {"title": title[:200]}
    return "Alert {rule}: {title}", {"rule": rule, "title": title[:200]}


def alert_evidence(language: str, state: AlarmState) -> str:
    """What it says, which ones fire, its guide, who generated it, and what we could not read in it."""
    facts = state.facts
    parts = []
    if facts.get("text"):
        parts.append(str(facts["text"])[:600])
    alerts = [str(one) for one in facts.get("alerts") or ()]
    if len(alerts) > 1:
        parts.append(
            say(language, "{count} alerts: {names}", count=facts.get("firing", 0), names="; ".join(alerts[:5]))
        )
    elif alerts:
        parts.append(alerts[0])
    if facts.get("truncated"):
        parts.append(say(language, "Alertmanager left {count} more out", count=facts["truncated"]))
    if facts.get("unknown"):
        parts.append(say(language, "gravity not known: {label}; taken as Normal", label=facts["unknown"]))
    if facts.get("guide"):
        parts.append(say(language, "guide: {url}", url=facts["guide"]))
    if facts.get("link"):
        parts.append(say(language, "seen at {url}", url=facts["link"]))
    return "; ".join(parts)
