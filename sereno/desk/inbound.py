"""The ways into a desk: the models of `inbound:`, `api:` and `secrets:` in `desk.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from sereno.shape import Frozen, Name, PositiveDuration, Text
from sereno.topology.model import Secret

Urgency = Literal["alto", "medio", "bajo"]
Impact = Literal["organizacion", "departamento", "individual"]
Part = Literal["incidents", "alerts"]
Senders = Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]  # addresses, and `@domain`s
INCIDENT_WORDS = (  # what customers write when something broke, folded: no accents, small letters
    "caida", "caido", "caidos", "falla", "fallas", "fallo", "fallando", "incidente", "incidencia", "intermitencia",
    "intermitente", "sin audio", "sin linea", "sin lineas", "sin servicio", "sin tono", "no funciona", "no funcionan",
    "no hay audio", "no entran", "no salen", "no suena", "no timbra", "no se escucha", "no podemos llamar",
    "no puedo llamar", "se corta", "se cortan", "urgente", "down", "incident", "intermittent", "no audio", "no service",
    "not working", "no dial tone", "one-way audio", "outage", "urgent",
)  # fmt: skip


class Mailbox(Frozen):
    """A mailbox whose messages become tickets: one message, one ticket; replies join theirs."""

    imap: Text
    user: Text
    secret: Secret
    folder: Text = "INBOX"
    done: Text | None = None  # where messages go once taken; else they stay, marked as read
    ca: Text | None = None  # whom TLS believes; the system's authorities by default
    every_us: PositiveDuration = Field(alias="every", default=20_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=20_000_000)
    kind: Literal["auto", "request", "incident"] = "auto"
    words: Annotated[tuple[Text, ...], Field(strict=False)] = INCIDENT_WORDS
    hourly: Annotated[int, Field(ge=1, le=10_000)] = 20  # messages of one sender; what is more is kept and not opened
    senders: Annotated[dict[Name, Senders], Field(default_factory=dict)]  # of each customer
    own: Annotated[tuple[Text, ...], Field(strict=False)] = ()  # the desk's own addresses: mail from them is a loop
    authserv: Text | None = None  # the server whose Authentication-Results (RFC 8601) are believed


class Gravity(Frozen):
    """How grave what carries a label is; the desk's contract makes a priority of it."""

    urgency: Urgency
    impact: Impact


class Alerts(Frozen):
    """How Alertmanager's labels are read."""

    labels: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] = ("priority", "severity")
    gravity: Annotated[dict[Text, Gravity], Field(default_factory=dict)]
    expire_us: PositiveDuration = Field(alias="expire", default=86_400_000_000)


class Inbound(Frozen):
    """What comes from outside."""

    mail: Mailbox | None = None
    alerts: Alerts = Alerts(gravity={})


class Client(Frozen):
    """A program that may act; `token` refers to the SHA-256 of its token, never to the token."""

    token: Secret
    may: Annotated[tuple[Part, ...], Field(min_length=1, strict=False)]


class Api(Frozen):
    """Who may use the API."""

    clients: Annotated[dict[Name, Client], Field(default_factory=dict)]


class Secrets(Frozen):
    """What the desk itself signs with."""

    links: Secret | None = None
