"""What opens a door: 256 random bits, given out once, kept as a hash alone."""

import hashlib
import hmac
import re
import secrets

_RANDOM_BYTES = 32
_LENGTH = 43  # of 256 bits in base64url
TOKEN_PREFIX = "sereno_"  # noqa: S105 - by it a scanner of repositories knows what leaked
_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{_LENGTH}}}")


def fresh() -> str:
    """A new one, for a cookie or a link."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def fresh_token() -> str:
    """A new one, for a program."""
    return TOKEN_PREFIX + fresh()


def digest(text: str) -> str:
    """By what the store knows it; a random secret of 256 bits needs no salt and no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_secret(text: str) -> bool:
    """Whether it can be one of ours at all; nothing else is looked up."""
    return _SHAPE.fullmatch(text) is not None


def is_token(text: str) -> bool:
    """Whether it can be a program's token."""
    return text.startswith(TOKEN_PREFIX) and is_secret(text.removeprefix(TOKEN_PREFIX))


def form_key(cookie: str) -> str:
    """What the forms of this browser carry: made from its cookie, tells nothing of it."""
    return hmac.new(cookie.encode(), b"sereno form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
