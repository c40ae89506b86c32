"""One mailbox over IMAP (RFC 3501): what is new since a place, fetched without marking it, then marked or moved.

Everything blocks, so a thread of its own runs it; each step is bounded by the mailbox's timeout.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from imaplib import IMAP4
from urllib.parse import urlsplit

import imap_tools
import msgspec
from imap_tools.errors import ImapToolsError

from alerting.mailbox.message import LONGEST_RAW
from sereno.clock import SECOND_US
from sereno.desk.inbound import Mailbox
from sereno.errors import SerenoError

_PORTS = {"imap": 143, "imaps": 993}
_BAD = (ImapToolsError, IMAP4.error, ssl.SSLError, OSError, ValueError)


class MailboxError(SerenoError):
    """The mailbox cannot be read now; one line that says which, why, and what to look at."""


class Place(msgspec.Struct, frozen=True):
    """Where a reader stands: UIDs count within one UIDVALIDITY (RFC 3501 §2.3.1.1)."""

    validity: int
    uid: int


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """One message, its beginning."""

    uid: int
    raw: bytes
    size: int


class Imap:
    """An open mailbox; `close` from any thread ends what blocks."""

    def __init__(self, box: Mailbox, secret: str) -> None:
        self._box, self._secret = box, secret
        self.shown = f"{box.imap} ({box.user}, {box.folder})"
        url = urlsplit(box.imap)
        self._host = url.hostname or ""
        try:
            self._client = self._connected(url.scheme, url.port or _PORTS[url.scheme])
        except _BAD as error:
            raise self._fault(error) from None
        try:
            self._client.login(box.user, secret, box.folder)
        except _BAD as error:
            self.leave()
            raise self._fault(error) from None

    def _connected(self, scheme: str, port: int) -> imap_tools.BaseMailBox:
        seconds = self._box.timeout_us / SECOND_US
        trust = ssl.create_default_context(cafile=self._box.ca)
        if scheme == "imaps":
            return imap_tools.MailBox(self._host, port, timeout=seconds, ssl_context=trust)
        plain = imap_tools.MailBoxUnencrypted(self._host, port, timeout=seconds)
        if "STARTTLS" in plain.client.capabilities:
            plain.client.starttls(trust)
        elif not _is_loopback(plain.client.sock):
            plain.client.shutdown()
            raise MailboxError(f"{self.shown}: no TLS offered, and the password would travel in the open; use imaps://")
        return plain

    def place(self) -> Place:
        """The folder's end as it is now."""
        try:
            said = self._client.folder.status(self._box.folder, ["UIDVALIDITY", "UIDNEXT"])
            return Place(said["UIDVALIDITY"], said["UIDNEXT"] - 1)
        except (*_BAD, KeyError) as error:
            raise self._fault(error) from None

    def unseen(self) -> list[int]:
        """UIDs that nobody has read."""
        return self._uids("UNSEEN")

    def after(self, uid: int) -> list[int]:
        """UIDs above this one, in order; `N:*` always names the last message, also below N."""
        return [one for one in self._uids(f"UID {uid + 1}:*") if one > uid]

    def _uids(self, criteria: str) -> list[int]:
        try:
            self._client.client.noop()  # lets the server tell of what came since
            return sorted(int(uid) for uid in self._client.uids(criteria) if uid is not None)
        except _BAD as error:
            raise self._fault(error) from None

    def fetch(self, uids: list[int]) -> Iterator[Fetched]:
        """The messages, one at a time; one that is gone meanwhile is left out."""
        for uid in uids:
            try:
                _, data = self._client.client.uid("FETCH", str(uid), f"(RFC822.SIZE BODY.PEEK[]<0.{LONGEST_RAW}>)")
            except _BAD as error:
                raise self._fault(error) from None
            pieces = [piece for piece in data or [] if isinstance(piece, tuple) and len(piece) > 1]
            if not pieces:
                continue
            head, raw = pieces[0][0], pieces[0][1]
            yield Fetched(uid=uid, raw=raw, size=max(_size(head), len(raw)))

    def done(self, uid: int) -> None:
        """Marked as read, or moved: for people; the desk knows by its own rows what it has taken."""
        try:
            if self._box.done is None:
                self._client.flag(str(uid), imap_tools.MailMessageFlags.SEEN, True)
                return
            if not self._client.folder.exists(self._box.done):
                self._client.folder.create(self._box.done)
            self._client.move(str(uid), self._box.done)
        except _BAD as error:
            raise self._fault(error) from None

    def close(self) -> None:
        """Now, whatever it is doing."""
        try:
            self._client.client.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            return

    def leave(self) -> None:
        """In order, from the thread that uses it."""
        with suppress(*_BAD):
            self._client.client.shutdown()
        with suppress(OSError):
            self._client.client.sock.close()

    def _fault(self, error: BaseException) -> MailboxError:
        if isinstance(error, MailboxError):
            return error
        words = " ".join(str(error).replace(self._secret, "…").split())[:200] or type(error).__name__
        return MailboxError(f"{self.shown}: {words}; see the server, the user and its secret in desk.yaml")


def _size(head: bytes) -> int:
    """RFC822.SIZE of a FETCH response's beginning."""
    _, mark, rest = head.partition(b"RFC822.SIZE ")
    digits = rest.split(b" ", 1)[0].strip(b")")
    return int(digits) if mark and digits.isdigit() else 0


def _is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getpeername()[0]).is_loopback
