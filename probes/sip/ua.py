"""pjsua2 itself, in the one thread that owns it: start, accounts, transaction timers, the messages that pass.

Its asserts kill the process: an API call from another thread, an account deleted with a request pending, a callback's
parameters kept after its return. So callbacks only copy plain values and hand them on; nothing is ever deleted here.
"""

import ctypes
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pjsua2

from probes.sip._ticker import Ticker
from probes.sip.ipc import AccountSpec, Message, Renewal
from probes.sip.message import printable
from sereno.version import __version__

if TYPE_CHECKING:
    from probes.sip._ticker import Status

MAX_CALLS, MAX_ACCOUNTS = 4, 8  # compiled into the wheel: the fifth call is refused, the ninth account aborts
RTP_BLOCK = 20  # ports of a worker: four calls with RTP and RTCP, and room for those that close late
_SRTP = {
    "none": pjsua2.PJMEDIA_SRTP_DISABLED,
    "optional": pjsua2.PJMEDIA_SRTP_OPTIONAL,
    "required": pjsua2.PJMEDIA_SRTP_MANDATORY,
}  # SDES (RFC 4568)
FRAME_MS = 10  # of the conference bridge: the packet times of all codecs are multiples (PCMA 20, iLBC 30, L16 10)
_LOG_LEVEL = 4  # where pjsua writes whole messages
_LOG = re.compile(r"(RX|TX) \d+ bytes (?:Request|Response) msg .*?:\d+:\r?\n(.*?)(?:\r?\n?--end msg--|\Z)", re.DOTALL)
_CALL_ID = re.compile(r"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_PROBING = re.compile(r"^cseq[ \t]*:[ \t]*\d+[ \t]+OPTIONS", re.IGNORECASE | re.MULTILINE)  # the pulse of a call
_RENEWALS = 100
_KEEP = 200  # messages: four calls' ladders and eight registrations'
_TEXT_LIMIT = 4_000


class Log(pjsua2.LogWriter):
    """Takes SIP messages out of pjsip's log, with the instant of their passing."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: deque[tuple[str, Message]] = deque(maxlen=_KEEP)

    def write(self, entry: pjsua2.LogEntry) -> None:
        at_ns = time.monotonic_ns()
        found = _LOG.search(entry.msg)
        if found is None:
            return
        text = printable(found[2].encode("utf-8", "surrogateescape"), _TEXT_LIMIT)
        call_id = _CALL_ID.search(text)
        if call_id is not None and _PROBING.search(text) is None:
            self._messages.append((call_id[1], Message(at_ns, "sent" if found[1] == "TX" else "received", text)))

    def of(self, call_id: str | None, since_ns: int) -> tuple[Message, ...]:
        """The messages of a dialog or registration from an instant on, oldest first."""
        return tuple(m for known, m in self._messages if known == call_id and m.at_ns >= since_ns)

    def latest_call_id(self, since_ns: int) -> str | None:
        """Whose message went out last since an instant: that of what was just asked of pjsip."""
        for call_id, message in reversed(self._messages):
            if message.at_ns >= since_ns and message.direction == "sent":
                return call_id
        return None


RegState = Callable[[int, bool], None]  # status code, from the wire
Invited = Callable[[int, str], bool]  # pjsua's number of the call, the INVITE; whether it is taken


class Account(pjsua2.Account):
    """An account whose registration state goes to `on_state`; it refuses every call that `on_invite` does not take."""

    def __init__(self, spec: AccountSpec) -> None:
        super().__init__()
        self.spec = spec
        self.on_state: RegState | None = None
        self.on_invite: Invited | None = None
        self.renewals: tuple[Renewal, ...] = ()  # by pjsip itself, between our own registrations
        self._kept: list[pjsua2.Call] = []

    def onRegState(self, prm: pjsua2.OnRegStateParam) -> None:  # noqa: N802 - pjsua2's name
        """Hand on what came of a REGISTER."""
        if self.on_state is not None:
            self.on_state(int(prm.code), bool(prm.rdata.wholeMsg))
            return
        granted = int(prm.expiration) if int(prm.code) // 100 == 2 else 0  # noqa: PLR2004
        self.renewals = (*self.renewals, Renewal(at_ns=time.monotonic_ns(), granted_seconds=granted))[-_RENEWALS:]

    def onIncomingCall(self, prm: pjsua2.OnIncomingCallParam) -> None:  # noqa: N802 - pjsua2's name
        """603 for strangers: left ringing, four of them would take all calls of this worker."""
        if self.on_invite is not None and self.on_invite(int(prm.callId), str(prm.rdata.wholeMsg)):
            return
        call = pjsua2.Call(self, prm.callId)
        self.keep(call)
        operation = pjsua2.CallOpParam()
        operation.statusCode = 603
        call.hangup(operation)

    def keep(self, call: pjsua2.Call) -> None:
        """Hold a call's object until pjsip is done with the call."""
        self._kept = [*(one for one in self._kept if one.isActive()), call]


class UserAgent:
    """One pjsua2 endpoint on one local address; make it once per process."""

    def __init__(self, source: str, rtp_port: int, clock_rate: int) -> None:
        self._source, self._rtp_port = source, rtp_port
        self.clock_rate = clock_rate
        self._library = ctypes.CDLL(pjsua2._pjsua2.__file__)  # noqa: SLF001 - the symbols that Python does not get
        self.log = Log()
        self.endpoint = pjsua2.Endpoint()
        self._accounts: dict[str, Account] = {}
        self._ticker: Ticker | None = None
        self.endpoint.libCreate()
        self.endpoint.libInit(self._config(clock_rate))
        transport = pjsua2.TransportConfig()
        transport.port, transport.boundAddress = 0, source
        self._transport = self.endpoint.transportCreate(pjsua2.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        self._library.pjsua_set_no_snd_dev.restype = ctypes.c_void_p
        self._bridge = int(self._library.pjsua_set_no_snd_dev())  # the port of the conference bridge

    def _config(self, clock_rate: int) -> pjsua2.EpConfig:
        config = pjsua2.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = MAX_CALLS
        config.uaConfig.userAgent = f"Sereno/{__version__}"
        # The writer stands for the console, and gets no more than the console would.
        config.logConfig.level = config.logConfig.consoleLevel = _LOG_LEVEL
        config.logConfig.msgLogging = 1
        config.logConfig.writer = self.log
        config.medConfig.clockRate = clock_rate
        config.medConfig.audioFramePtime = FRAME_MS
        config.medConfig.noVad = True  # silence suppression would look like loss of the far end
        config.medConfig.ecTailLen = 0
        return config

    @property
    def sip_port(self) -> int:
        """Where it listens."""
        return int(self.endpoint.transportGetInfo(self._transport).localName.rpartition(":")[2])

    def poll(self, milliseconds: int) -> None:
        """Sleep until something happens on the network or a timer is due, at most so long, and deal with it."""
        self.endpoint.libHandleEvents(milliseconds)

    def transaction_timeout(self, seconds: float) -> None:
        """Timers B and F (RFC 3261 17.1) of transactions that begin from now on; 32 s otherwise."""
        self._library.pjsip_tsx_set_timers(0, 0, 0, max(100, round(seconds * 1000)))

    def account(self, spec: AccountSpec) -> Account:
        """The account of this key, made or changed to fit."""
        account = self._accounts.get(spec.key)
        if account is None:
            if len(self._accounts) >= MAX_ACCOUNTS:
                raise RuntimeError(f"a worker has at most {MAX_ACCOUNTS} accounts")
            account = Account(spec)
            account.create(self._account_config(spec))
            self._accounts[spec.key] = account
        elif account.spec != spec:
            account.modify(self._account_config(spec))
            account.spec = spec
        return account

    def known(self, key: str) -> Account | None:
        """The account of this key, if it was made."""
        return self._accounts.get(key)

    def registered(self) -> Iterator[Account]:
        """Accounts with a live binding."""
        return (account for account in self._accounts.values() if account.getInfo().regIsActive)

    def sound(self, *, on: bool) -> None:
        """The clock that drives media: on before the first call, off after the last.

        Ours: the null device's sleeps whole milliseconds, which is half a millisecond of jitter in all that we send.
        """
        if on and self._ticker is None:
            enter, get_frame = (
                int(ctypes.cast(function, ctypes.c_void_p).value or 0)
                for function in (self._library.pj_thread_register, self._library.pjmedia_port_get_frame)
            )
            samples = self.clock_rate * FRAME_MS // 1000
            self._ticker = Ticker(enter, get_frame, self._bridge, samples, FRAME_MS * 1_000_000)
        elif not on and self._ticker is not None:
            self._ticker.close()
            self._ticker = None

    def ticked(self) -> "Status | None":
        """What the clock says of itself since it was switched on; None: it is off."""
        return self._ticker.status() if self._ticker is not None else None

    def prefer(self, codecs: tuple[str, ...]) -> None:
        """Offer these codecs in this order, and no other; in one channel: L16 in two overruns pjsip's bridge."""
        known, wanted = self.endpoint.codecEnum2(), [codec.upper() for codec in codecs]
        for info in known:
            name, _, form = info.codecId.partition("/")
            chosen = name.upper() in wanted and not form.endswith("/2")
            self.endpoint.codecSetPriority(info.codecId, 255 - wanted.index(name.upper()) if chosen else 0)

    def _account_config(self, spec: AccountSpec) -> pjsua2.AccountConfig:
        config = pjsua2.AccountConfig()
        config.idUri = f'"{spec.display}" <{spec.aor}>' if spec.display else spec.aor
        config.regConfig.registrarUri = spec.registrar
        config.regConfig.registerOnAdd = False
        config.regConfig.timeoutSec = spec.expires_seconds
        config.regConfig.disableRegOnModify = True
        config.regConfig.retryIntervalSec = 0  # the schedule decides when to ask again
        config.regConfig.firstRetryIntervalSec = 0
        for name, value in spec.headers:
            config.regConfig.headers.append(header(name, value))
        config.sipConfig.authCreds.append(pjsua2.AuthCredInfo("digest", "*", spec.user, 0, spec.password))
        config.sipConfig.transportId = self._transport
        if spec.route is not None:
            config.sipConfig.proxies.append(spec.route)
        config.natConfig.contactRewriteUse = 0  # the Contact must stay ours to be recognised in the answer
        config.natConfig.viaRewriteUse = 0
        config.natConfig.sipOutboundUse = 0
        media = config.mediaConfig.transportConfig
        media.port, media.portRange, media.boundAddress = self._rtp_port, RTP_BLOCK - 2, self._source
        media.randomizePort = True  # the first; then in turn: a dead call's far end that still sends meets nobody
        config.mediaConfig.lockCodecEnabled = False  # a re-INVITE of ours, where several codecs are answered, may fail
        config.callConfig.timerUse = pjsua2.PJSUA_SIP_TIMER_OPTIONAL  # RFC 4028: told that we can, held to it if asked
        config.mediaConfig.srtpUse = _SRTP[spec.srtp]
        config.mediaConfig.srtpSecureSignaling = 0  # keys over plain SIP: the topology's choice, not ours to refuse
        return config


def header(name: str, value: str) -> pjsua2.SipHeader:
    """An extra header of a request."""
    extra = pjsua2.SipHeader()
    extra.hName, extra.hValue = name, value
    return extra


def words(error: pjsua2.Error) -> str:
    """`str()` of pjsua2's error is empty."""
    reason = str(error.reason).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"{error.title}: {reason} ({error.status})"
