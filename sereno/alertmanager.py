"""Alertmanager's webhook, version 4: what it posts, strictly read, and as the desk's order carries it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from sereno.clock import SECOND_US
from sereno.errors import WireError

VERSION = "4"
MOST_ALERTS = 10_000
MOST_LABELS = 100
LONGEST_LABEL = 1_000  # characters; what is longer is cut, with an ellipsis that says so
LONGEST_ANNOTATION = 4_000
_MOST_TRUNCATED = 1_000_000.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Status = Literal["firing", "resolved"]


class Alert(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One alert as it is posted. A firing one ends in the year 1."""

    status: Status
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = msgspec.field(default="", name="generatorURL")
    fingerprint: str = msgspec.field(default="")


class Webhook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole message; newer servers may add keys, which are left alone."""

    version: str
    group_key: str
    truncated_alerts: float = 0  # a whole number; JSON has but one kind
    status: Status
    receiver: str
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(default="", name="externalURL")
    alerts: list[Alert]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as the desk's inbox carries it."""

    fingerprint: str
    status: Status
    starts_us: int
    ends_us: int | None
    labels: dict[str, str]
    annotations: dict[str, str]
    group: dict[str, str]
    generator: str
    truncated: int = 0  # alerts of its group that the server left out

    @property
    def name(self) -> str:
        """The rule that spoke."""
        return self.labels.get("alertname", "alert")

    @property
    def since_us(self) -> int:
        """When it began; or, of one that resolved, when it ended."""
        ended = self.status == "resolved" and self.ends_us is not None
        return max(self.ends_us or 0, self.starts_us) if ended else self.starts_us


class _Versioned(msgspec.Struct, frozen=True):
    version: Any = None


def decode(raw: bytes) -> Webhook:
    """The message; WireError, in one line, for anything else."""
    try:
        version = msgspec.json.decode(raw, type=_Versioned).version
        if version != VERSION:
            said = f"version {version!r}" if version is not None else "no version"
            raise WireError(f"{said}: this desk takes Alertmanager's webhook version {VERSION!r}", cause="version")
        found = msgspec.json.decode(raw, type=Webhook)
    except msgspec.MsgspecError as error:
        raise WireError(f"not Alertmanager's webhook version {VERSION}: {error}") from None
    except (UnicodeError, RecursionError, ValueError) as error:
        raise WireError(f"not JSON: {' '.join(str(error).split())[:200]}") from None
    if len(found.alerts) > MOST_ALERTS:
        raise WireError(f"{len(found.alerts)} alerts in one message; set max_alerts to {MOST_ALERTS} at most")
    for alert in found.alerts:
        _check(alert)
    return found


def _check(alert: Alert) -> None:
    if not (alert.fingerprint.isascii() and alert.fingerprint.isalnum() and len(alert.fingerprint) <= 64):  # noqa: PLR2004
        raise WireError(f"fingerprint {alert.fingerprint[:80]!r} is none")
    if len(alert.labels) > MOST_LABELS or len(alert.annotations) > MOST_LABELS:
        raise WireError(f"alert {alert.fingerprint} has over {MOST_LABELS} labels or annotations")
    for moment in (alert.starts_at, alert.ends_at):
        if moment is not None and moment.tzinfo is None:
            raise WireError(f"alert {alert.fingerprint}: {moment.isoformat()} has no time zone")


def told(message: Webhook) -> list[Told]:
    """Each alert by itself, with the labels of its group, short enough to keep."""
    group = _short(message.group_labels, LONGEST_LABEL)
    return [
        Told(
            fingerprint=alert.fingerprint,
            status=alert.status,
            starts_us=_us(alert.starts_at),
            ends_us=None if alert.status == "firing" or alert.ends_at is None else _us(alert.ends_at),
            labels=_short(alert.labels, LONGEST_LABEL),
            annotations=_short(alert.annotations, LONGEST_ANNOTATION),
            group=group,
            generator=alert.generator_url[:LONGEST_LABEL],
            truncated=int(min(max(0.0, message.truncated_alerts), _MOST_TRUNCATED)),
        )
        for alert in message.alerts
    ]


def _us(moment: datetime) -> int:
    """µs since 1970; before it (the year 1 stands for "not yet") 0."""
    if moment.year < _EPOCH.year:
        return 0
    since = moment - _EPOCH
    return max(0, (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds)


def _short(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    return {_cut(key, longest): _cut(value, longest) for key, value in texts.items()}


def _cut(text: str, longest: int) -> str:
    """PostgreSQL keeps no NUL, and nobody reads more than this."""
    text = text.replace("\x00", "�")
    return text if len(text) <= longest else text[: longest - 1] + "…"


__all__ = ["Alert", "Told", "Webhook", "decode", "told"]
