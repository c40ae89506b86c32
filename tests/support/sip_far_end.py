"""A SIP far end of a test's own: answers calls as told, echoes their RTP, does what real far ends do inside a call."""

import re
import secrets
import socket
import threading
import time
from contextlib import suppress

_CODECS = {"PCMU": "0 PCMU/8000", "GSM": "3 GSM/8000", "PCMA": "8 PCMA/8000", "G722": "9 G722/8000"}


def sdp(host, port, formats, extra=()):
    """An answer with these formats (`8 PCMA/8000`), each as m= and rtpmap."""
    numbers = " ".join(each.partition(" ")[0] for each in formats)
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP {numbers}"]
    return "\r\n".join([*lines, *(f"a=rtpmap:{each}" for each in formats), *extra, ""])


def offered(message):
    """The formats of an offer as `8 PCMA/8000`, in its order."""
    numbers = re.search(r"m=audio \d+ \S+ ([\d ]+)", message)[1].split()
    names = dict(re.findall(r"a=rtpmap:(\d+) (\S+)", message))
    static = {value.partition(" ")[0]: value.partition(" ")[2] for value in _CODECS.values()}
    return [f"{number} {names.get(number) or static[number]}" for number in numbers]


class Dialog:
    """One call, its RTP echoed by a thread of its own until it is over."""

    def __init__(self, host, invite, peer):
        self.invite, self.peer, self.tag = invite, peer, secrets.token_hex(4)
        self.requests, self.refused, self.answers = [], 0, []
        self.cseq = 100
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtp.settimeout(0.2)
        self.packets, self.over = [], threading.Event()
        self.thread = threading.Thread(target=self._echo, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.rtp.getsockname()[1]

    def _echo(self):
        with self.rtp:
            while not self.over.is_set():
                with suppress(TimeoutError):
                    data, where = self.rtp.recvfrom(4096)
                    self.packets.append((time.monotonic(), data))
                    self.rtp.sendto(data, where)


class FarEnd:
    """Answers every INVITE with `answer(far_end, dialog, offer)`: (code and phrase, headers, body).

    `later(far_end, dialog)` is called in a thread of its own once the ACK of a 200 is there. Context manager.
    """

    def __init__(self, host, answer, later=None):
        self.host, self._answer, self._later = host, answer, later
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.dialogs, self.invites, self.methods = {}, [], []

    def __enter__(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.socket.close()
        for dialog in self.dialogs.values():
            dialog.over.set()
            dialog.thread.join(5)

    @property
    def dialog(self):
        """The only call."""
        (found,) = self.dialogs.values()
        return found

    def _serve(self):
        with suppress(OSError):
            while True:
                data, peer = self.socket.recvfrom(65_535)
                message = data.decode()
                if message.strip():
                    self._take(message, peer)

    def _take(self, message, peer):
        method, call_id = message.split(" ", 1)[0], field(message, "Call-ID")
        dialog = self.dialogs.get(call_id)
        if method == "SIP/2.0":
            if dialog is not None:
                dialog.answers.append(message)
                if "INVITE" in field(message, "CSeq") and not message.startswith("SIP/2.0 1"):
                    self.send(dialog, "ACK", cseq=int(field(message, "CSeq").split()[0]))
            return
        self.methods.append(method)
        if method == "INVITE":
            self._invited(message, peer, dialog, call_id)
        elif method == "ACK":
            if dialog is not None and self._later is not None and not dialog.requests:
                dialog.requests.append("later")
                threading.Thread(target=self._later, args=(self, dialog), daemon=True).start()
        elif dialog is not None:
            self.reply(message, peer, "200 OK", dialog.tag)
            if method == "BYE":
                dialog.over.set()

    def _invited(self, message, peer, dialog, call_id):
        self.invites.append(message)
        if dialog is None:
            dialog = self.dialogs[call_id] = Dialog(self.host, message, peer)
        code, headers, body = self._answer(self, dialog, message)
        self.reply(message, peer, code, dialog.tag, headers, body)

    def reply(self, request, peer, code, tag, headers=(), body=""):
        kept = [line for line in request.split("\r\n") if line.lower().startswith(("via:", "record-route:"))]
        lines = [f"SIP/2.0 {code}", *kept, f"From: {field(request, 'From')}"]
        to = field(request, "To")
        lines += [f"To: {to}" if ";tag=" in to else f"To: {to};tag={tag}", f"Call-ID: {field(request, 'Call-ID')}"]
        lines += [f"CSeq: {field(request, 'CSeq')}", "Server: core-a", f"Contact: <sip:{self.host}:{self.port}>"]
        lines += ["Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE", *headers]
        self._put(lines, body, peer)

    def send(self, dialog, method, headers=(), body="", cseq=None):
        """A request of ours inside the dialog."""
        if cseq is None:
            dialog.cseq = cseq = dialog.cseq + 1
        target = re.search(r"<([^>]+)>", field(dialog.invite, "Contact"))[1]
        via = f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(6)}"
        lines = [f"{method} {target} SIP/2.0", f"Via: {via}", "Max-Forwards: 70"]
        lines += [f"From: {field(dialog.invite, 'To')};tag={dialog.tag}", f"To: {field(dialog.invite, 'From')}"]
        lines += [f"Call-ID: {field(dialog.invite, 'Call-ID')}", f"CSeq: {cseq} {method}"]
        lines += [f"Contact: <sip:{self.host}:{self.port}>", *headers]
        self._put(lines, body, dialog.peer)

    def _put(self, lines, body, peer):
        lines = [*lines, *(["Content-Type: application/sdp"] if body else []), f"Content-Length: {len(body)}"]
        with suppress(OSError):
            self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), peer)


def field(message, name):
    """A header's value."""
    short = {"Call-ID": "i", "From": "f", "To": "t", "Contact": "m"}.get(name, name)
    return re.search(rf"^(?:{name}|{short})\s*:\s*(.*?)\r$", message, re.IGNORECASE | re.MULTILINE)[1]
