"""Replies in the manner of RFC 4475: odd but right, and wrong. Written for these tests; `{…}` come from the request."""

VIA, FROM, TO, CALL_ID, CSEQ = "{via}", "{from}", "{to};tag=far", "{call_id}", "{cseq}"
GOOD = f"SIP/2.0 200 OK\r\nVia: {VIA}\r\nFrom: {FROM}\r\nTo: {TO}\r\nCall-ID: {CALL_ID}\r\nCSeq: {CSEQ}\r\n\r\n"

# Right by the grammar, however it looks: a probe takes them as the answer (RFC 4475 section 3.1.1).
RIGHT = {
    "lower case and compact": (
        f"SIP/2.0 200 OK\r\nv:{VIA}\r\nF: {FROM}\r\nT : {TO}\r\ni:{CALL_ID}\r\ncSeQ:{CSEQ}\r\nl:0\r\n\r\n"
    ),
    "folded everywhere": (
        f"SIP/2.0 200 OK\r\nVia:\r\n  {VIA}\r\nFrom:\r\n\t{FROM}\r\nTo: {TO}\r\nCall-ID:\r\n {CALL_ID}\r\nCSeq:\r\n  "
        f"{CSEQ}\r\nSubject: one\r\n two\r\n\r\n"
    ),
    "no phrase": GOOD.replace("200 OK", "200 "),
    "a phrase in Cyrillic and octets of no meaning": GOOD.replace("OK", "готово \x01\x02"),
    "an unknown good code": GOOD.replace("200 OK", "299 Good as well"),
    "quotes with commas, colons and brackets": GOOD.replace("To: ", 'To: "a, \\"b\\": <c>;tag=no" '),
    "headers that nobody knows": GOOD.replace("CSeq", "X-%!~*'+: ;;,,\"\r\nP.q_r: \r\nCSeq"),
    "bare line feeds": GOOD.replace("\r\n", "\n"),
    "empty lines first": "\r\n\r\n" + GOOD,
    "a body longer than told": GOOD.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nmuch longer than that"),
    "Retry-After beyond all": GOOD.replace("CSeq", f"Retry-After: {'9' * 400}\r\nCSeq"),
    "dates out of range": GOOD.replace("CSeq", "Date: Fri, 99 Foo 0000 99:99:99 XST\r\nExpires: 99999999999\r\nCSeq"),
    "500 headers": GOOD.replace("CSeq", "".join(f"X-{n}: {n}\r\n" for n in range(500)) + "CSeq"),
}

# Not an answer to what was asked: a probe goes on waiting (sections 3.1.2, 3.3; RFC 3261 sections 8.1.3.3, 17.1.3).
WRONG = {
    "another branch": GOOD.replace(VIA, "{via}x"),
    "no branch": GOOD.replace(VIA, "SIP/2.0/UDP 127.0.0.1:5060"),
    "a second Via": GOOD.replace(VIA, "{via}, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother"),
    "1000 Vias": GOOD.replace(
        f"Via: {VIA}\r\n", f"Via: {VIA}\r\n" + "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKo\r\n" * 999
    ),
    "ours under others": GOOD.replace(VIA, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother, {via}"),
    "another method": GOOD.replace(CSEQ, "1 INVITE"),
    "another number": GOOD.replace(CSEQ, "2 OPTIONS"),
    "a number beyond 32 bits": GOOD.replace(CSEQ, "36893488147419103232 OPTIONS"),
    "another call": GOOD.replace(CALL_ID, "somebody-else"),
    "another From tag": GOOD.replace(FROM, "<sip:preflight@192.0.2.1>;tag=other"),
    "no CSeq": GOOD.replace(f"CSeq: {CSEQ}\r\n", ""),
    "no Via": GOOD.replace(f"Via: {VIA}\r\n", ""),
    "version 7": GOOD.replace("SIP/2.0 200", "SIP/7.0 200"),
    "a code of four digits": GOOD.replace("200 OK", "4294967301 better not break the receiver"),
    "code 000": GOOD.replace("200 OK", "000 Nothing"),
    "code 700": GOOD.replace("200 OK", "700 Beyond"),
    "digits of another script": GOOD.replace("200 OK", "٢٠٠ OK"),
    # RFC 3261 section 18.3: a response whose datagram ends before its body MUST be discarded.
    "a body shorter than told": GOOD.replace("\r\n\r\n", "\r\nContent-Length: 9999\r\n\r\nx"),
    "a negative length": GOOD.replace("\r\n\r\n", "\r\nContent-Length: -999\r\n\r\n"),
    "a request": "OPTIONS sip:a SIP/2.0\r\n" + GOOD.partition("\r\n")[2],
    "only a line": "SIP/2.0 200 OK\r\n",
    "cut in the Via": GOOD[:40],
    "no colon": GOOD.replace("From: ", "From "),
    "a space before everything": " " + GOOD,
    "nothing but line ends": "\r\n" * 30_000,
    "an HTTP answer": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


def filled(text: str, request: bytes) -> bytes:
    """The reply to this request; what is no UTF-8 stays as it is."""
    headers = {}
    for line in request.decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower().replace("-", "_"), value)
    for name in ("via", "from", "to", "call_id", "cseq"):
        text = text.replace("{" + name + "}", headers[name])
    return text.encode("utf-8", "surrogateescape")
