"""SIP messages without I/O: OPTIONS requests go out as bytes, replies come in as records (RFC 3261 sections 7, 8, 20).

The parser has one promise: any bytes give a `Reply` or `SipSyntaxError`, nothing else. It is lenient where the
meaning is plain (bare LF, leading empty lines, folded and compact headers) and strict where it is not.
"""

import functools
import re

import msgspec

from probes.sip.built import native
from probes.sip.errors import SipSyntaxError
from probes.sip.redaction import redact
from sereno.version import __version__

_STATUS = re.compile(r"SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
_REQUEST = re.compile(r"[A-Z]+[ \t]+\S+[ \t]+SIP/2\.0", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)")
_SECONDS = re.compile(r"[0-9]{1,9}(?![0-9])")
_LENGTH = re.compile(r"[0-9]{1,9}")
_END = re.compile(rb"(?<=\n)\r?\n")  # of the head
_NO_BODY = b"Content-Length: 0\r\n\r\n"
# A quoted string always matches, to the end of the value when it never closes: linear on hostile input.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|\Z)', re.DOTALL)
_SPLIT_VALUES = re.compile(rf'{_QUOTED.pattern}|[^,"]+|,', re.DOTALL)
COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
    "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip
# The usual spellings of the usual headers: most names are looked up here and need no closer look.
_USUAL = {
    name: name.lower()
    for name in (
        "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Content-Type", "Server", "User-Agent",
        "Allow", "Accept", "Supported", "Max-Forwards", "Record-Route", "Retry-After", "Warning", "WWW-Authenticate",
        "Proxy-Authenticate", "Expires", "Allow-Events", "Accept-Encoding", "Accept-Language", "Date",
    )
}  # fmt: skip
MANDATORY = ("via", "from", "to", "call-id", "cseq")  # RFC 3261 section 8.1.1; a reply copies them (8.2.6.2)
MAX_FORWARDS = 70  # RFC 3261 section 8.1.1.6


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed status message; header names in lower case and in their long form, in order of arrival."""

    code: int
    phrase: str
    headers: tuple[tuple[str, str], ...]
    branch: str | None
    vias: int
    cseq: int
    method: str
    to_tag: str | None
    call_id: str
    retry_after: int | None = None

    def values(self, name: str) -> list[str]:
        """Every value of a header, by its long name in any case."""
        wanted = name.lower()
        return [value for key, value in self.headers if key == wanted]

    @property
    def final(self) -> bool:
        return self.code >= 200  # noqa: PLR2004  # RFC 3261 section 7.2


native.use(Reply)


class OptionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One OPTIONS: what is asked (`uri`, `route`, `headers`), and who asks."""

    uri: str
    local: str
    branch: str
    call_id: str
    tag: str
    probe: str
    cseq: int = 1
    route: str | None = None
    headers: tuple[str, ...] = ()
    max_forwards: int = MAX_FORWARDS
    transport: str = "UDP"
    sender: str | None = None  # the whole From of a request that is made again


def default_sender(probe: str, local: str, tag: str) -> str:
    """The From of a new request."""
    return f"<sip:{probe}@{local}>;tag={tag}"


class Template(msgspec.Struct, frozen=True):
    """An OPTIONS but for what is new in each one: five pieces of text, and how many line ends the whole has."""

    pieces: tuple[str, str, str, str, str]
    line_ends: int

    def filled(self, *, local: str, branch: str, sender: str, call_id: str) -> bytes:
        """The bytes of the request."""
        asked, limit, to, cseq, rest = self.pieces
        text = f"{asked}{local};rport;branch={branch}{limit}{sender}{to}{call_id}{cseq}{local}{rest}"
        if not text.count("\r") == text.count("\n") == self.line_ends:
            raise ValueError("a header of an OPTIONS holds a line break")
        return text.encode()


@functools.lru_cache(maxsize=1024)
def template(
    uri: str, route: str | None, headers: tuple[str, ...], max_forwards: int, transport: str, probe: str, cseq: int
) -> Template:
    """The OPTIONS of one path (RFC 3261 section 11.1); `rport` asks for the answer where we sent from (RFC 3581)."""
    # RFC 3261 sections 8.1.1.8 (a sips Request-URI wants a sips Contact) and 19.1.1 (the transport parameter).
    scheme = "sips" if uri.lower().startswith("sips:") else "sip"
    carried = "" if transport == "UDP" else f";transport={transport.lower()}"
    end, last = "\r\n", "Content-Length: 0\r\n\r\n"
    own = "".join(f"{header}{end}" for header in headers)
    return Template(
        (
            f"OPTIONS {uri} SIP/2.0{end}Via: SIP/2.0/{transport} ",
            f"{end}Max-Forwards: {max_forwards}{end}{f'Route: {route}{end}' if route else ''}From: ",
            f"{end}To: <{uri}>{end}Call-ID: ",
            f"{end}CSeq: {cseq} OPTIONS{end}Contact: <{scheme}:{probe}@",
            f"{carried}>{end}{own}Accept: application/sdp{end}User-Agent: Sereno/{__version__}{end}{last}",
        ),
        # request line, Via, Max-Forwards, From, To, Call-ID, CSeq, Contact, Accept, User-Agent, length, the empty one
        12 + len(headers) + bool(route),
    )


def build_options(request: OptionsRequest) -> bytes:
    """The bytes of an OPTIONS."""
    form = template(
        request.uri,
        request.route,
        request.headers,
        request.max_forwards,
        request.transport,
        request.probe,
        request.cseq,
    )
    return form.filled(
        local=request.local,
        branch=request.branch,
        sender=request.sender or default_sender(request.probe, request.local, request.tag),
        call_id=request.call_id,
    )


def parse_reply(data: bytes) -> Reply:
    """The reply in a datagram; SipSyntaxError, and nothing else, when there is none."""
    return native.parse(data) or parse_unusual(data)


def parse_unusual(data: bytes) -> Reply:
    """Any reply, by the rules; what is of the usual shape was parsed by the C part already, to the same effect."""
    first, *rest = _lines(data.decode("utf-8", "replace").lstrip("\r\n"))
    status = _STATUS.fullmatch(first)
    if status is None:
        what = "a request, not a reply" if _REQUEST.fullmatch(first) else "no status line"
        raise SipSyntaxError(f"{what}: {first[:60]!r}", request=what.startswith("a request"))
    headers = _headers(rest)
    known: dict[str, str] = {}
    for name, value in headers:
        known.setdefault(name, value)
    missing = [name for name in MANDATORY if name not in known]
    if missing:
        raise SipSyntaxError(f"mandatory header missing: {', '.join(missing)}")
    cseq = _CSEQ.fullmatch(known["cseq"])
    if cseq is None:
        raise SipSyntaxError(f"CSeq is not a number and a method: {known['cseq'][:60]!r}")
    vias = [via for name, value in headers if name == "via" for via in split_values(value)]
    retry = _SECONDS.match(known.get("retry-after", ""))
    return Reply(
        code=int(status[1]),
        phrase=(status[2] or "").strip(),
        headers=tuple(headers),
        branch=_parameter(vias[0], "branch") if vias else None,
        vias=len(vias),
        cseq=int(cseq[1]),
        method=cseq[2].upper(),
        to_tag=_parameter(_after_address(known["to"]), "tag"),
        call_id=known["call-id"],
        retry_after=int(retry[0]) if retry else None,
    )


def check_length(data: bytes, reply: Reply) -> None:
    """SipSyntaxError when a datagram ends before its body does (RFC 3261 section 18.3): a reply is dropped then."""
    if data.endswith(_NO_BODY):
        return
    for value in reply.values("content-length"):
        if not _LENGTH.fullmatch(value):
            raise SipSyntaxError(f"Content-Length is no number: {value[:40]!r}")
        message = data.lstrip(b"\r\n")
        end = _END.search(message)
        came = len(message) - end.end() if end is not None else 0
        if int(value) > came:
            raise SipSyntaxError(f"cut short: Content-Length is {value}, {came} octets came")


def _lines(text: str) -> list[str]:
    """The lines of the head; a bare LF ends one too (and is what makes it slow)."""
    head = text.partition("\r\n\r\n")[0].removesuffix("\r\n")  # in a datagram the last empty line may be missing
    lines = head.split("\r\n")
    if head.count("\n") == len(lines) - 1:
        return lines
    return re.split(r"\r?\n", re.split(r"\r?\n\r?\n", text, maxsplit=1)[0])


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    """Name and value of each header, folded lines joined by one space (RFC 3261 section 7.3.1)."""
    headers: list[tuple[str, str]] = []
    for line in _unfolded(lines):
        name, colon, value = line.partition(":")
        usual = _USUAL.get(name)
        if usual is not None and colon:
            headers.append((usual, value.strip()))
            continue
        name = name.rstrip(" \t")
        if not colon or not _TOKEN.fullmatch(name):
            raise SipSyntaxError(f"not a header: {line[:60]!r}")
        name = name.lower()
        headers.append((COMPACT.get(name, name), value.strip()))
    return headers


def _unfolded(lines: list[str]) -> list[str]:
    if not any(line[:1] in {" ", "\t"} for line in lines):
        return lines
    unfolded: list[str] = []
    for line in lines:
        if line[:1] in {" ", "\t"}:
            if not unfolded:
                raise SipSyntaxError("a folded line before any header")
            unfolded[-1] += " " + line.strip()
        else:
            unfolded.append(line)
    return unfolded


def split_values(value: str) -> list[str]:
    """The comma-separated values of a header; commas inside quotes do not separate."""
    if "," not in value:
        stripped = value.strip()
        return [stripped] if stripped else []
    values, current = [], ""
    for piece in _SPLIT_VALUES.findall(value):
        if piece == ",":
            values.append(current.strip())
            current = ""
        else:
            current += piece
    values.append(current.strip())
    return [value for value in values if value]


def _after_address(value: str) -> str:
    """What follows the name-addr: header parameters; URI parameters inside <> are not ours."""
    bare = _QUOTED.sub("", value) if '"' in value else value
    return bare.partition(">")[2] if "<" in bare else bare


def _parameter(value: str, name: str) -> str | None:
    for part in value.split(";")[1:]:
        key, _, text = part.partition("=")
        if key.strip().lower() == name:
            return text.strip().strip('"') or None
    return None


def printable(data: bytes, limit: int) -> str:
    """Text of a message for evidence: secrets out, garbage made visible, cut at `limit` characters."""
    text = redact(data).decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"
