"""The messages of a preflight, without I/O: an OPTIONS that an ALG would touch, and the copy that the far side returns.

The responder returns what it received only to who proved its address with a cookie: it answers nobody with more octets
than it got from them, so it cannot be used to flood a third party. The copy travels in base64: an ALG that rewrites
addresses on the way back finds none in it.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets

import msgspec

from sereno.version import __version__

COOKIE = "X-Sereno-Cookie"
SOURCE = "X-Sereno-Source"
TOS = "X-Sereno-Tos"
_COOKIE = re.compile(rb"(?im)^x-sereno-cookie[ \t]*:[ \t]*([0-9a-f]{16})[ \t]*\r?$")
_SEEN = re.compile(rb"(?im)^x-sereno-(source|tos)[ \t]*:[ \t]*([^\r\n]{1,64})")
_COPIED = re.compile(rb"(?im)^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[^\r\n]*")
_FIRST = re.compile(rb"OPTIONS [^\r\n]{1,512} SIP/2\.0\r?\n")
COOKIE_SECONDS = 60


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it left here."""

    data: bytes
    branch: str
    via: str
    contact: str
    sdp: bytes


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """What the far side saw of it."""

    data: bytes
    source: str
    tos: int | None


def request(uri: str, local: str, *, cookie: str | None = None) -> Asked:
    """An OPTIONS with an SDP, as a phone behind a NAT would send it: everywhere the private address of this machine."""
    branch = "z9hG4bK" + secrets.token_hex(10)
    host = local.rpartition(":")[0]
    family = "IP6" if host.startswith("[") else "IP4"
    bare = host.strip("[]")
    sdp = (
        f"v=0\r\no=- 1 1 IN {family} {bare}\r\ns=-\r\nc=IN {family} {bare}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    ).encode()
    via, contact = f"SIP/2.0/UDP {local};rport;branch={branch}", f"<sip:preflight@{local}>"
    lines = [
        f"OPTIONS {uri} SIP/2.0",
        f"Via: {via}",
        "Max-Forwards: 70",
        f"From: <sip:preflight@{local}>;tag={secrets.token_hex(6)}",
        f"To: <{uri}>",
        f"Call-ID: {secrets.token_hex(12)}",
        "CSeq: 1 OPTIONS",
        f"Contact: {contact}",
        *([f"{COOKIE}: {cookie}"] if cookie else []),
        "Accept: application/sdp",
        f"User-Agent: Sereno/{__version__}",
        "Content-Type: application/sdp",
        f"Content-Length: {len(sdp)}",
    ]
    data = ("\r\n".join(lines) + "\r\n\r\n").encode() + sdp
    return Asked(data=data, branch=branch, via=via, contact=contact, sdp=sdp)


def answer(received: bytes, source: tuple[str, int], tos: int | None, cookies: tuple[str, ...]) -> bytes | None:
    """The responder's answer: a cookie to a stranger, the copy to who has one; None for what is no OPTIONS.

    Of the cookies that hold, the first is the newest.
    """
    if not _FIRST.match(received):
        return None
    head = received.partition(b"\r\n\r\n")[0]
    copied = [found[0].decode("utf-8", "replace") for found in _COPIED.finditer(head)][:20]
    known = _COOKIE.search(head)
    trusted = known is not None and any(hmac.compare_digest(known[1].decode(), cookie) for cookie in cookies)
    host, port = source
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    told = (
        [f"{SOURCE}: {shown}", *([f"{TOS}: {tos}"] if tos is not None else [])]
        if trusted
        else [f"{COOKIE}: {cookies[0]}"]
    )
    body = base64.b64encode(received) if trusted else b""
    kind = ["Content-Type: application/octet-stream"] if trusted else []
    lines = ["SIP/2.0 200 OK", *copied, "Server: sereno-preflight", *told, *kind, f"Content-Length: {len(body)}"]
    data = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    return data if trusted or len(data) <= len(received) else None


def cookies_of(secret: bytes, source: tuple[str, int], at: float) -> tuple[str, ...]:
    """What proves that somebody receives at this address: this minute's cookie, and the one before."""
    minute = int(at // COOKIE_SECONDS)
    texts = [f"{source[0]}|{source[1]}|{now}".encode() for now in (minute, minute - 1)]
    return tuple(hmac.new(secret, text, hashlib.sha256).hexdigest()[:16] for text in texts)


def cookie_in(reply: bytes) -> str | None:
    """The cookie that the responder offers."""
    found = _COOKIE.search(reply)
    return found[1].decode() if found else None


def copy_in(reply: bytes) -> Copy | None:
    """The copy in the responder's answer; None where there is none that can be read."""
    head, _, body = reply.partition(b"\r\n\r\n")
    told = {found[1].decode().lower(): found[2].decode("ascii", "replace").strip() for found in _SEEN.finditer(head)}
    if "source" not in told:
        return None
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        return None
    tos = told.get("tos", "")
    return Copy(data=data, source=told["source"], tos=int(tos) if tos.isdecimal() and len(tos) <= 3 else None)  # noqa: PLR2004
