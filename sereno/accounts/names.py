"""What accounts may be called, and what a password may not be."""

import re
import unicodedata

from sereno.errors import SerenoError

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
LONGEST_NAME = 64
_BESIDE_NAME = 8  # characters that a password has beside the name in it
_FEWEST_SIGNS = 5  # different ones
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
RESERVED = frozenset({"sereno", "api", "cli", "web", "anonymous", "system"})  # who else acts, in timelines


_WRONG_USE = {"customers", "name", "scope"}  # wrong whatever there is; the rest depends on it


class AccountError(SerenoError):
    """What was asked of an account cannot be; `fault` lets a page say it in its reader's language."""

    def __init__(self, fault: str, what: str) -> None:
        self.fault = fault
        self.exit_code = 2 if fault in _WRONG_USE else 1
        super().__init__(what)


def folded(name: str) -> str:
    """The name as accounts are called: small letters, so that nobody is mistaken for another."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def is_name(name: str) -> bool:
    """Whether an account can be called so."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def checked_name(name: str) -> str:
    """The name, folded; AccountError when no account can be called so."""
    found = folded(name)
    if found in RESERVED:
        raise AccountError("name", f"{found}: is said of what the monitor does by itself; choose another name")
    if not is_name(found):
        raise AccountError(
            "name", f"{name[:LONGEST_NAME]!r}: is no name; write up to {LONGEST_NAME} of a–z 0–9 . _ @ + -, such as ana"
        )
    return found


def prepared(password: str) -> str:
    """The password as it is hashed: the same letters are the same octets on every keyboard (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def checked_password(password: str, name: str, again: str | None = None) -> str:
    """The password, prepared; AccountError when it is too easy to guess, or `again` is another one.

    The error never holds the password.
    """
    found = prepared(password)
    if len(found) < SHORTEST_PASSWORD:
        raise AccountError("short", f"a password has {SHORTEST_PASSWORD} characters or more; three words do")
    if len(found) > LONGEST_PASSWORD:
        raise AccountError("long", f"a password has {LONGEST_PASSWORD} characters at most")
    rest = found.casefold().replace(name.casefold(), "") if name else found
    if len(rest) < min(_BESIDE_NAME, len(found)):
        raise AccountError("own", "the password is the name with little else; choose words that have nothing to do")
    if len(set(found.casefold())) < _FEWEST_SIGNS:
        raise AccountError("plain", f"the password has fewer than {_FEWEST_SIGNS} different signs; choose another")
    if again is not None and prepared(again) != found:
        raise AccountError("differ", "the two passwords are not the same")
    return found
