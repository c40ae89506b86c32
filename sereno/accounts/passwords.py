"""Passwords: argon2id with parameters in one place; a name that nobody has takes as long as one that somebody has."""

import functools

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from sereno.accounts.names import LONGEST_PASSWORD, prepared

HASHER = argon2.PasswordHasher(  # OWASP's second choice of 2025: 46 MiB once over, here twice; 80 ms of one core
    time_cost=2, memory_cost=47_104, parallelism=1, hash_len=32, salt_len=16, type=argon2.Type.ID
)


def hashed(password: str) -> str:
    """What the store keeps of a password."""
    return HASHER.hash(prepared(password))


def verified(stored: str | None, password: str) -> bool:
    """Whether it is this password; None (nobody, or nobody's password) takes as long and is never it."""
    given = prepared(password[: LONGEST_PASSWORD + 1])
    try:
        return HASHER.verify(stored or _nobodys(), given) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(stored: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


@functools.cache
def _nobodys() -> str:
    """Of a password that nobody can type: it is too long."""
    return HASHER.hash("x" * (2 * LONGEST_PASSWORD))
