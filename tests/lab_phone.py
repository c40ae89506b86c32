"""A phone of a few lines for the lab's own tests: it knows no code of the project, so it cannot share its mistakes."""

import hashlib
import re
import secrets
import socket
import time
from dataclasses import dataclass

DOMAIN = "voice.lab.sereno"


@dataclass
class Message:
    """What came: the first line's number (0 for a request) and the headers, last one of a name winning."""

    text: str

    @property
    def code(self) -> int:
        return int(self.text.split()[1]) if self.text.startswith("SIP/2.0") else 0

    def header(self, name: str) -> str:
        found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", self.text)
        return found.group(1) if found else ""

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?im)^{name}\s*:\s*(.*?)\r?$", self.text)


class Phone:
    """One socket on loopback that asks an SBC."""

    def __init__(self, sbc: str, user: str = "9000", password: str = "") -> None:
        self.sbc, self.user, self.password = (sbc, 5060), user, password
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.body = ""  # an SDP, of requests
        self.own = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(
        self, method, uri, *, timeout=0.9, forced=False, max_forwards=70, extra="", to=None, once=True
    ) -> Message | None:
        """One request, never sent again; its final answer, or None for silence. Challenges are answered when `once` is
        false."""
        call, branch = secrets.token_hex(8), secrets.token_hex(8)
        route = f"Route: <sip:{self.sbc[0]}:5060;lr>\r\n" if forced else ""
        to = to or f"<{uri}>"
        for number in (1, 2):
            text = (
                f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.own};branch=z9hG4bK{branch}{number};rport\r\n{route}"
                f"Max-Forwards: {max_forwards}\r\nFrom: <sip:{self.user}@{DOMAIN}>;tag={call}\r\nTo: {to}\r\n"
                f"Call-ID: {call}\r\nCSeq: {number} {method}\r\nContact: <sip:{self.user}@{self.own}>\r\n"
                f"{extra}{_with(self.body)}"
            )
            self.socket.sendto(text.encode(), self.sbc)
            answer = self._final(f"{branch}{number}", timeout)
            if once or answer is None or answer.code not in {401, 407}:
                return answer
            extra = extra + self._authorize(answer, method, uri)
        return answer

    def _final(self, branch: str, timeout: float) -> Message | None:
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            message = self.receive(left)
            if message is not None and message.code >= 200 and branch in message.header("Via"):
                return message
        return None

    def receive(self, timeout: float) -> Message | None:
        self.socket.settimeout(timeout)
        try:
            return Message(self.socket.recv(65_535).decode())
        except TimeoutError:
            return None

    def reply(self, request: Message, line: str, body: str = "") -> None:
        """Answer a request that came to us."""
        vias = "".join(f"Via: {via}\r\n" for via in request.all("Via"))
        vias += "".join(f"Record-Route: {route}\r\n" for route in request.all("Record-Route"))
        text = (
            f"SIP/2.0 {line}\r\n{vias}From: {request.header('From')}\r\nTo: {request.header('To')};tag=us\r\n"
            f"Call-ID: {request.header('Call-ID')}\r\nCSeq: {request.header('CSeq')}\r\n"
            f"Contact: <sip:{self.user}@{self.own}>\r\n{_with(body)}"
        )
        self.socket.sendto(text.encode(), self.sbc)

    def _authorize(self, challenge: Message, method: str, uri: str) -> str:
        """RFC 2617 digest with qop=auth."""
        given = challenge.header("WWW-Authenticate") or challenge.header("Proxy-Authenticate")
        name = "Authorization" if challenge.code == 401 else "Proxy-Authorization"
        nonce = re.search(r'nonce="([^"]+)"', given).group(1)
        cnonce = secrets.token_hex(8)

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # SIP digest

        secret = md5(f"{self.user}:{DOMAIN}:{self.password}")
        qop = 'qop="auth"' in given
        middle = f"{nonce}:00000001:{cnonce}:auth" if qop else nonce
        response = md5(f"{secret}:{middle}:{md5(f'{method}:{uri}')}")
        more = f', qop=auth, nc=00000001, cnonce="{cnonce}"' if qop else ""
        return (
            f'{name}: Digest username="{self.user}", realm="{DOMAIN}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}"{more}\r\n'
        )


def _with(body: str) -> str:
    """The last headers of a message, and its body."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
