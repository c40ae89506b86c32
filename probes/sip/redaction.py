"""What may not be kept of a SIP message: credentials, media keys, passwords in URIs, what people wrote or keyed in.

Evidence is read by customers and stored for years. Lengths and structure stay, so that a mangled message still shows.
All patterns are linear: a hostile datagram of 64 KB costs no more than a few passes over it.
"""

import re

MARK = b"[redacted]"

# RFC 3261 sections 20.7, 20.28; folded lines belong to it (7.3.1). The value is the credentials.
_HEADER = re.compile(rb"(?im)^((?:proxy-)?authorization[ \t]*:[ \t]*)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)")
# RFC 7616 sections 3.4, 3.5, wherever they stand (Authentication-Info, a request quoted in a body): with the nonce,
# which any passer-by sees, they are enough to try passwords against at leisure.
_DIGEST = re.compile(rb"(?i)\b(response|rspauth|cnonce)([ \t]*=[ \t]*)(\"[^\"\r\n]*\"?|[0-9a-z+/=_.-]+)")
# RFC 4568 section 4 (SDES), RFC 4567 section 3 (MIKEY), RFC 4566 section 5.12 (k=).
_KEY = re.compile(rb"(?im)^(a=crypto:[0-9]{1,9}[ \t]+[^ \t\r\n]+[ \t]+|a=key-mgmt:[^ \t\r\n]+[ \t]+|k=)[^\r\n]+")
_INLINE = re.compile(rb"(?i)\binline:[a-z0-9+/=_-]+")
# RFC 3261 section 19.1.1: userinfo = user ":" password "@".
_PASSWORD = re.compile(rb"(?i)(\bsips?:[^\s<>\"@:;,]{1,255}:)[^\s<>\"@]{1,255}@")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_TYPE = re.compile(rb"(?im)^(?:content-type|c)[ \t]*:[ \t]*([^\s;]+)")
_SHOWN = frozenset({b"application/sdp", b"message/sipfrag"})  # the rest is what people wrote (MESSAGE) or keyed (INFO)


def redact(data: bytes) -> bytes:
    """The message without its secrets; what is left out is marked where it stood."""
    data = _without_body(data)
    data = _HEADER.sub(rb"\1" + MARK, data)
    data = _DIGEST.sub(rb"\1\2" + MARK, data)
    data = _KEY.sub(rb"\1" + MARK, data)
    data = _INLINE.sub(b"inline:" + MARK, data)
    return _PASSWORD.sub(rb"\1" + MARK + b"@", data)


def _without_body(data: bytes) -> bytes:
    """A body that is neither SDP nor a part of a SIP message gives way to its length."""
    end = _END_OF_HEADERS.search(data)
    if end is None or end.end() == len(data) or not _is_sip(data[: end.start()]):
        return data
    kind = _TYPE.search(data, 0, end.start())
    if kind is not None and kind[1].lower() in _SHOWN:
        return data
    return data[: end.end()] + b"[body of %d octets left out]" % (len(data) - end.end())


def _is_sip(head: bytes) -> bool:
    """Whether the first line is a status line or a request line (RFC 3261 section 7)."""
    first = head.lstrip(b"\r\n").partition(b"\n")[0].strip().upper()
    return first.startswith(b"SIP/2.0") or first.endswith(b"SIP/2.0")
