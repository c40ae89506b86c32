"""Signed tokens of links in messages: this person may do this to that incident, until then. No store, no session.

`v1.KEY.GRANT.MAC`: an HMAC-SHA256 (RFC 2104) over the first three, compared in constant time. The same grant gives
the same token, so a message that is sent twice carries one link.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from sereno.clock import SECOND_US, iso
from sereno.errors import ConfigError, SerenoError

ACK = "ack"
VARIABLE = "SERENO_LINK_SECRET"
FILE = "link.secret"
LIFE_US = 7 * 86_400 * SECOND_US  # a page of a Friday is still answered on Monday; an old mailbox opens nothing
LONGEST = 1_024  # characters of a token; more is not looked at
SHORTEST_SECRET = 16
_VERSION = "v1"
_ACTION = re.compile(r"[a-z_]{1,16}")
_KEY = re.compile(r"[0-9a-f]{8}")

Fault = Literal["forged", "expired", "other"]  # not ours or garbled; too old; for another incident or act


class TokenError(SerenoError):
    """A link that opens nothing, and why in one sentence; `fault` lets a page say it in its reader's language."""

    def __init__(self, fault: Fault, what: str) -> None:
        self.fault: Fault = fault
        super().__init__(what)


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """What a link allows."""

    number: int
    person: str
    action: str
    expires_us: int


class Key(msgspec.Struct, frozen=True):
    """One signing secret; `id` tells which of several it is and nothing of it."""

    id: str
    secret: bytes


class Keyring:
    """The first key signs; every key verifies, so that links outlive a change of secret."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)
        if not self._keys:
            raise ValueError("a keyring without keys signs nothing")

    def issue(self, grant: Grant) -> str:
        """The token of a grant."""
        if grant.number < 1 or not grant.person or not _ACTION.fullmatch(grant.action):
            raise ValueError(f"{grant} grants nothing that a link can carry")
        key = self._keys[0]
        signed = f"{_VERSION}.{key.id}.{_text(msgspec.json.encode(grant))}"
        return f"{signed}.{_text(_mac(key, signed))}"

    def read(self, token: str, now_us: int, *, action: str = ACK, number: int | None = None) -> Grant:
        """What the token grants now; TokenError when it does not grant this."""
        grant = self._verified(token)
        if grant.action != action or (number is not None and grant.number != number):
            raise TokenError("other", f"this link is for incident {grant.number} ({grant.action}), not for this")
        if now_us >= grant.expires_us:
            raise TokenError("expired", f"this link expired at {iso(grant.expires_us)}; open the incident's page")
        return grant

    def _verified(self, token: str) -> Grant:
        """The grant if one of our keys signed exactly this."""
        forged = TokenError("forged", "this link is not one of ours, or was cut short; open it from the message again")
        if len(token) > LONGEST or not token.isascii():
            raise forged
        version, _, rest = token.partition(".")
        key_id, _, rest = rest.partition(".")
        body, _, mac = rest.partition(".")
        if version != _VERSION or not _KEY.fullmatch(key_id):
            raise forged
        said = _bytes(mac)
        key = next((key for key in self._keys if key.id == key_id), None)
        if key is None or said is None or not hmac.compare_digest(said, _mac(key, f"{version}.{key_id}.{body}")):
            raise forged
        try:
            return msgspec.json.decode(_bytes(body) or b"", type=Grant)
        except msgspec.DecodeError:
            raise forged from None


def ack_url(keys: Keyring, page: str, number: int, person: str, at_us: int) -> str:
    """The link under which this person acknowledges this incident; `at_us` is when he is told."""
    token = keys.issue(Grant(number, person, ACK, at_us + LIFE_US))
    return f"{page.rstrip('/')}/ack/{token}"


def key_of(secret: str) -> Key:
    """The key of a secret text."""
    raw = secret.encode()
    return Key(hmac.new(raw, b"sereno link key id", hashlib.sha256).hexdigest()[:8], raw)


def keyring(text: str, where: str) -> Keyring:
    """The keys in a secret, one a line: the first signs, the others are still believed; ConfigError for a weak one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or min(map(len, lines)) < SHORTEST_SECRET:
        raise ConfigError(
            where, f"has a secret of under {SHORTEST_SECRET} characters", "write what `openssl rand -hex 32` prints"
        )
    return Keyring(map(key_of, lines))


def keys_in(folder: Path) -> Keyring:
    """The keys of a data directory: from the environment, else from its own file, made once and for us alone."""
    if given := os.environ.get(VARIABLE):
        return keyring(given, VARIABLE)
    path = folder / FILE
    try:
        if not path.exists():
            _create(path)
        return keyring(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or "is not text"
        raise ConfigError(str(path), words, "remove it (old links then open nothing) or mend its rights") from None


def _create(path: Path) -> None:
    """Whole or not at all: of two that begin at once, one wins and both read the same."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # mode 0600 by itself
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        Path(draft).unlink()


def _mac(key: Key, signed: str) -> bytes:
    return hmac.new(key.secret, signed.encode(), hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    """The octets of base64url without padding (RFC 4648 §5); None if it is none, or not the one way to write them."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _text(raw) == text else None


__all__ = ["ACK", "LIFE_US", "Grant", "Key", "Keyring", "TokenError", "ack_url", "key_of", "keyring", "keys_in"]
