# ruff: noqa: N802, N815, A002 - the names are pjsua2's own
# What Sereno uses of pjsua2-python 2.15.1; the wheel has no types. Written by hand.

from collections.abc import Iterator
from types import ModuleType
from typing import Generic, TypeVar

_T = TypeVar("_T")

_pjsua2: ModuleType

PJSIP_TRANSPORT_UDP: int
PJSIP_ROLE_UAC: int
PJSIP_EVENT_TIMER: int
PJSIP_EVENT_RX_MSG: int
PJSIP_EVENT_TRANSPORT_ERROR: int
PJSIP_EVENT_USER: int
PJSIP_TSX_STATE_COMPLETED: int
PJSIP_TSX_STATE_TERMINATED: int
PJSIP_INV_STATE_CONFIRMED: int
PJSIP_INV_STATE_DISCONNECTED: int
PJMEDIA_TYPE_AUDIO: int
PJSUA_CALL_MEDIA_ACTIVE: int
PJSUA_CALL_MEDIA_REMOTE_HOLD: int
PJSUA_INVALID_ID: int
PJSUA_SIP_TIMER_INACTIVE: int
PJSUA_SIP_TIMER_OPTIONAL: int
PJSUA_SIP_TIMER_ALWAYS: int
PJMEDIA_SRTP_DISABLED: int
PJMEDIA_SRTP_OPTIONAL: int
PJMEDIA_SRTP_MANDATORY: int

class Error(Exception):
    status: int
    title: str
    reason: str
    srcFile: str
    srcLine: int

class _Vector(Generic[_T]):
    def append(self, x: _T) -> None: ...
    def __iter__(self) -> Iterator[_T]: ...
    def __len__(self) -> int: ...

class StringVector(_Vector[str]): ...
class AuthCredInfoVector(_Vector["AuthCredInfo"]): ...
class SipHeaderVector(_Vector["SipHeader"]): ...
class ToneDescVector(_Vector["ToneDesc"]): ...
class CodecInfoVector2(_Vector["CodecInfo"]): ...
class CallMediaInfoVector(_Vector["CallMediaInfo"]): ...

class LogEntry:
    level: int
    msg: str
    threadId: int
    threadName: str

class LogWriter:
    def __init__(self) -> None: ...
    def write(self, entry: LogEntry) -> None: ...

class UaConfig:
    maxCalls: int
    threadCnt: int
    mainThreadOnly: bool
    userAgent: str

class LogConfig:
    msgLogging: int
    level: int
    consoleLevel: int
    writer: LogWriter

class MediaConfig:
    clockRate: int
    sndClockRate: int
    noVad: bool
    ecTailLen: int
    audioFramePtime: int

class EpConfig:
    uaConfig: UaConfig
    logConfig: LogConfig
    medConfig: MediaConfig

class TransportConfig:
    port: int
    portRange: int
    boundAddress: str
    randomizePort: bool

class TransportInfo:
    localName: str

class CodecInfo:
    codecId: str
    priority: int

class Media: ...

class AudioMedia(Media):
    def startTransmit(self, sink: AudioMedia) -> None: ...
    def getRxLevel(self) -> int: ...
    def getTxLevel(self) -> int: ...
    def adjustRxLevel(self, level: float) -> None: ...
    def adjustTxLevel(self, level: float) -> None: ...

class ToneDesc:
    freq1: int
    freq2: int
    on_msec: int
    off_msec: int

class ToneGenerator(AudioMedia):
    def createToneGenerator(self, clock_rate: int = ..., channel_count: int = ...) -> None: ...
    def play(self, tones: ToneDescVector, loop: bool = ...) -> None: ...
    def stop(self) -> None: ...

class AudioMediaRecorder(AudioMedia):
    def createRecorder(self, file_name: str) -> None: ...

class AudDevManager:
    def setNullDev(self) -> None: ...
    def setNoDev(self) -> object: ...
    def getPlaybackDevMedia(self) -> AudioMedia: ...

class Endpoint:
    def libCreate(self) -> None: ...
    def libInit(self, config: EpConfig) -> None: ...
    def libStart(self) -> None: ...
    def libHandleEvents(self, msec_timeout: int) -> int: ...
    def transportCreate(self, type: int, config: TransportConfig) -> int: ...
    def transportGetInfo(self, id: int) -> TransportInfo: ...
    def audDevManager(self) -> AudDevManager: ...
    def codecEnum2(self) -> CodecInfoVector2: ...
    def codecSetPriority(self, codec_id: str, priority: int) -> None: ...

class AuthCredInfo:
    def __init__(self, scheme: str, realm: str, user_name: str, data_type: int, data: str) -> None: ...

class SipHeader:
    hName: str
    hValue: str

class SipTxOption:
    headers: SipHeaderVector

class AccountRegConfig:
    registrarUri: str
    registerOnAdd: bool
    disableRegOnModify: bool
    headers: SipHeaderVector
    timeoutSec: int
    retryIntervalSec: int
    firstRetryIntervalSec: int

class AccountSipConfig:
    authCreds: AuthCredInfoVector
    proxies: StringVector
    transportId: int

class AccountCallConfig:
    timerUse: int

class AccountNatConfig:
    contactRewriteUse: int
    viaRewriteUse: int
    sipOutboundUse: int

class AccountMediaConfig:
    transportConfig: TransportConfig
    lockCodecEnabled: bool
    srtpUse: int
    srtpSecureSignaling: int

class AccountConfig:
    idUri: str
    regConfig: AccountRegConfig
    sipConfig: AccountSipConfig
    callConfig: AccountCallConfig
    natConfig: AccountNatConfig
    mediaConfig: AccountMediaConfig

class AccountInfo:
    regIsActive: bool

class SipRxData:
    wholeMsg: str

class OnRegStateParam:
    status: int
    code: int
    reason: str
    rdata: SipRxData
    expiration: int

class OnIncomingCallParam:
    callId: int
    rdata: SipRxData

class Account:
    def __init__(self) -> None: ...
    def create(self, config: AccountConfig, make_default: bool = ...) -> None: ...
    def modify(self, config: AccountConfig) -> None: ...
    def setRegistration(self, renew: bool) -> None: ...
    def getInfo(self) -> AccountInfo: ...
    def onRegState(self, prm: OnRegStateParam) -> None: ...
    def onIncomingCall(self, prm: OnIncomingCallParam) -> None: ...

class CallSetting:
    audioCount: int
    videoCount: int

class CallOpParam:
    opt: CallSetting
    statusCode: int
    reason: str
    txOption: SipTxOption
    def __init__(self, use_default_call_setting: bool = ...) -> None: ...

class CallSendRequestParam:
    method: str
    txOption: SipTxOption

class CallMediaInfo:
    index: int
    type: int
    status: int
    audioConfSlot: int

class CallInfo:
    localUri: str
    role: int
    state: int
    lastStatusCode: int
    callIdString: str
    media: CallMediaInfoVector

class CodecParamInfo:
    frameLen: int

class CodecParamSetting:
    frmPerPkt: int

class CodecParam:
    info: CodecParamInfo
    setting: CodecParamSetting

class StreamInfo:
    codecName: str
    codecClockRate: int
    remoteRtpAddress: str
    audCodecParam: CodecParam

class MathStat:
    n: int
    mean: int
    max: int
    min: int
    last: int

class RtcpStreamStat:
    updateCount: int
    pkt: int
    loss: int
    reorder: int
    dup: int
    discard: int
    jitterUsec: MathStat

class RtcpStat:
    txStat: RtcpStreamStat
    rxStat: RtcpStreamStat
    rttUsec: MathStat

class JbufState:
    avgDelayMsec: int

class StreamStat:
    rtcp: RtcpStat
    jbuf: JbufState

class MediaTransportInfo:
    localRtpName: str

class SipTransaction:
    role: int
    method: str
    state: int
    statusCode: int

class TsxStateEvent:
    tsx: SipTransaction
    type: int

class SipEventBody:
    tsxState: TsxStateEvent

class SipEvent:
    body: SipEventBody

class OnCallStateParam: ...
class OnCallMediaStateParam: ...

class OnCallTsxStateParam:
    e: SipEvent

class OnCallTransferRequestParam:
    statusCode: int

class OnCallReplaceRequestParam:
    statusCode: int

class Call:
    def __init__(self, account: Account, call_id: int = ...) -> None: ...
    def makeCall(self, dst_uri: str, prm: CallOpParam) -> None: ...
    def reinvite(self, prm: CallOpParam) -> None: ...
    def hangup(self, prm: CallOpParam) -> None: ...
    def sendRequest(self, prm: CallSendRequestParam) -> None: ...
    def answer(self, prm: CallOpParam) -> None: ...
    def isActive(self) -> bool: ...
    def getInfo(self) -> CallInfo: ...
    def getAudioMedia(self, med_idx: int) -> AudioMedia: ...
    def getStreamInfo(self, med_idx: int) -> StreamInfo: ...
    def getStreamStat(self, med_idx: int) -> StreamStat: ...
    def getMedTransportInfo(self, med_idx: int) -> MediaTransportInfo: ...
    def onCallState(self, prm: OnCallStateParam) -> None: ...
    def onCallMediaState(self, prm: OnCallMediaStateParam) -> None: ...
    def onCallTsxState(self, prm: OnCallTsxStateParam) -> None: ...
