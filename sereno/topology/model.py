"""What is watched: the validated, frozen model of `topology.yaml`.

Shapes only; references between sections are checked in `validate.py`, files are read in `load.py`.
Durations are integer microseconds inside (`every_us`), written `1s`, `900ms` in the file.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from sereno.shape import Frozen, Name, PositiveDuration, Text

Codec = Literal["PCMA", "PCMU", "G722", "GSM", "iLBC", "speex", "L16"]
Failover = Literal["auto", "manual", "none"]


class Secret(Frozen):
    """A reference, never the secret: a file, or an environment variable."""

    file: Text | None = None
    env: Text | None = None


class Identify(Frozen):
    """How an answer proves who spoke: `header` holds the text `contains`."""

    header: Text
    contains: Text


class Core(Frozen):
    uri: Text
    identify: Identify | None = None
    prefix: Text | None = None
    members: Annotated[dict[Name, Text], Field(default_factory=dict)]  # servers inside it: `tcp:HOST:PORT`, `sip:…`


class Steer(Frozen):
    """How a transaction is forced to a core where a preloaded Route is not enough."""

    header: Text | None = None
    to: Text | None = None


class Tls(Frozen):
    """How TLS to an SBC is verified, and who the probe is (PEM files on the probe's machine)."""

    ca: Text | None = None  # the system's own authorities when absent
    server_name: Text | None = None  # in SNI and in the certificate; the address's host when absent
    certificate: Text | None = None  # mutual TLS
    key: Text | None = None
    certificate_days: Annotated[int, Field(ge=0)] = 14  # left at least, else its standing falls


class Sbc(Frozen):
    addresses: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
    primary: Name
    backup: Name | None = None
    backup_test: Literal["forced", "passive"] = "forced"
    place: Text | None = None
    steer: Steer | None = None
    identify: Identify | None = None
    tls: Tls | None = None
    rtp_ports: Text | None = None  # of its media, `20000-29999`: what a preflight tries


class Customer(Frozen):
    name: Text
    contract: Name
    locale: Text = "es_CO"
    contacts: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class Site(Frozen):
    customer: Name
    sbcs: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    failover: Failover = "auto"
    networks: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] = 1.0


class Account(Frozen):
    user: Text
    realm: Text
    password: Secret


class SignallingCheck(Frozen):
    """edge, options, natural."""

    every_us: PositiveDuration = Field(alias="every")
    timeout_us: PositiveDuration = Field(alias="timeout")


class RegisterCheck(Frozen):
    every_us: PositiveDuration = Field(alias="every")
    accounts: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    expires_us: PositiveDuration = Field(alias="expires", default=120_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=4_000_000)
    natural: bool = False  # for the service's domain too, unsteered, as a phone would
    fetch: bool = True  # before renewing, ask which bindings there are (RFC 3261 section 10.2.3)


class Pcap(Frozen):
    """The packets of failed and poor test calls, in files on the probe's machine."""

    folder: Text
    keep: Annotated[int, Field(ge=1, le=10_000)] = 50  # files; the oldest go
    packets: Annotated[int, Field(ge=100, le=100_000)] = 3_000  # of a call, its last ones
    max_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000  # of a file
    payload: bool = False  # headers alone otherwise


class CallCheck(Frozen):
    """`codecs` in order of preference, of those that pjsua2's wheel has."""

    every_us: PositiveDuration = Field(alias="every")
    account: Name
    to: Text
    hold_us: PositiveDuration = Field(alias="hold", default=20_000_000)
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1, strict=False)] = ("PCMA",)
    timeout_us: PositiveDuration = Field(alias="timeout", default=8_000_000)
    srtp: Literal["none", "optional", "required"] = "none"
    pcap: Pcap | None = None
    natural: bool = False  # `{core}` is then the service's domain


class TerminatingCheck(Frozen):
    """A call to an account of ours that is registered through one SBC at one core, made through the other ones."""

    every_us: PositiveDuration = Field(alias="every")
    account: Name
    callee: Name
    to: Text = "sip:{user}@{core}"
    hold_us: PositiveDuration = Field(alias="hold", default=5_000_000)
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1, strict=False)] = ("PCMA",)
    timeout_us: PositiveDuration = Field(alias="timeout", default=8_000_000)


class PstnCheck(Frozen):
    """Calls that cost money. Nothing has a default that could dial: who asks for it names number and limits."""

    every_us: PositiveDuration = Field(alias="every")
    account: Name
    numbers: Annotated[
        dict[str, Name], Field(min_length=1)
    ]  # the only ones ever dialled, and the account each leads to
    max_per_hour: Annotated[int, Field(ge=1, le=60)]  # of one probe, whatever else happens
    max_duration_us: PositiveDuration = Field(alias="max_duration")
    display: Text  # in From: what CDR and fraud systems know these calls by
    sbc: Name
    core: Name
    to: Text = "sip:{number}@{core}"
    hold_us: PositiveDuration = Field(alias="hold", default=5_000_000)
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1, strict=False)] = ("PCMA",)
    timeout_us: PositiveDuration = Field(alias="timeout", default=20_000_000)


class DnsCheck(Frozen):
    """Of every name that the file has: portals, SBCs given by name, the domain."""

    every_us: PositiveDuration = Field(alias="every", default=60_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=3_000_000)
    resolvers: Annotated[tuple[Text, ...], Field(strict=False)] = ()  # addresses; this machine's own when empty


class TcpCheck(Frozen):
    """Of the servers inside the cores (`cores.NAME.members`)."""

    every_us: PositiveDuration = Field(alias="every", default=5_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=2_000_000)


class Checks(Frozen):
    edge: SignallingCheck | None = None
    options: SignallingCheck | None = None
    natural: SignallingCheck | None = None
    register_: RegisterCheck | None = Field(alias="register", default=None)
    call: CallCheck | None = None
    terminating: TerminatingCheck | None = None
    pstn: PstnCheck | None = None
    dns: DnsCheck | None = None
    tcp: TcpCheck | None = None


class Probe(Frozen):
    network: Text
    vantage: Literal["outside", "inside"] = "outside"
    canaries: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    checks: Annotated[tuple[Text, ...], Field(strict=False)] | None = None


class Portal(Frozen):
    url: Text
    every_us: PositiveDuration = Field(alias="every", default=60_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=10_000_000)
    addresses: Annotated[tuple[Text, ...], Field(strict=False)] = ()  # that its name must lead to; any when empty
    status: Annotated[tuple[int, ...], Field(strict=False)] = ()  # good HTTP status codes; 200 to 399 when empty
    ca: Text | None = None
    grade: Literal["A+", "A", "B", "C"] = "B"  # the least TLS standing
    certificate_days: Annotated[int, Field(ge=0)] = 14  # left at least, else its standing falls


class Backup(Frozen):
    max_age_us: PositiveDuration = Field(alias="max_age")
    status_file: Text
    min_bytes: Annotated[int, Field(ge=1)] = 1


class Database(Frozen):
    dsn: Secret
    role: Literal["primary", "replica"] = "primary"
    replicas: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    backup: Backup | None = None
    every_us: PositiveDuration = Field(alias="every", default=30_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=5_000_000)
    max_lag_us: PositiveDuration = Field(alias="max_lag", default=60_000_000)


class Traffic(Frozen):
    prometheus: Text
    login: Secret | None = None  # `USER:PASSWORD`, or a bearer token
    registered: Text | None = None
    calls: Text | None = None
    every_us: PositiveDuration = Field(alias="every", default=15_000_000)
    timeout_us: PositiveDuration = Field(alias="timeout", default=5_000_000)


class Retention(Frozen):
    """How long the store keeps what (docs/store.md); verdicts, ledger, incidents and the audit log stay."""

    raw_us: PositiveDuration = Field(alias="raw", default=8 * 86_400_000_000)  # then runs stand for what is plainly ok
    results_us: PositiveDuration = Field(alias="results", default=400 * 86_400_000_000)  # runs, failures, calls
    quarantine_us: PositiveDuration = Field(alias="quarantine", default=30 * 86_400_000_000)
    events_us: PositiveDuration = Field(alias="events", default=400 * 86_400_000_000)  # when probes came and went


class Path(Frozen):
    """(SBC, core); its name is `sbc-1/core-a`."""

    sbc: Name
    core: Name
    role: Literal["primary", "backup"]
    passive: bool = False

    @property
    def name(self) -> str:
        return f"{self.sbc}/{self.core}"


class Topology(Frozen):
    """The whole file. Every section but service, cores and sbcs may be absent."""

    service: Name
    cores: Annotated[dict[Name, Core], Field(min_length=1)]
    sbcs: Annotated[dict[Name, Sbc], Field(min_length=1)]
    domain: Text | None = None
    timezone: Text = "UTC"
    effective: date | None = None
    customers: Annotated[dict[Name, Customer], Field(default_factory=dict)]
    sites: Annotated[dict[Name, Site], Field(default_factory=dict)]
    accounts: Annotated[dict[Name, Account], Field(default_factory=dict)]
    checks: Checks = Checks()
    probes: Annotated[dict[Name, Probe], Field(default_factory=dict)]
    portals: Annotated[dict[Name, Portal], Field(default_factory=dict)]
    databases: Annotated[dict[Name, Database], Field(default_factory=dict)]
    traffic: Annotated[dict[Name, Traffic], Field(default_factory=dict)]
    retention: Retention | None = None

    def paths(self) -> tuple[Path, ...]:
        """Every (SBC, core) pair that is watched, in file order: an SBC's primary first, then its backup."""
        found = []
        for name, sbc in self.sbcs.items():
            found.append(Path(sbc=name, core=sbc.primary, role="primary"))
            if sbc.backup is not None and sbc.backup != sbc.primary:
                found.append(Path(sbc=name, core=sbc.backup, role="backup", passive=sbc.backup_test == "passive"))
        return tuple(found)
