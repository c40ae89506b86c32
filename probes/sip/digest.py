"""Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760) without I/O: challenges in, credentials out.

MD5, SHA-256 and SHA-512-256, each with `-sess`; qop `auth`, and none as RFC 2069 had it. Of several challenges for one
realm the topmost that can be answered counts (RFC 8760 section 2.4).
"""

import hashlib
import re
import secrets
from collections.abc import Callable

import msgspec

from probes.sip.message import Reply

_PAIR = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_NONCE_LIMIT = 1_024


def _hasher(name: str) -> Callable[[str], str]:
    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    return hashed


_ALGORITHMS = {"MD5": _hasher("md5"), "SHA-256": _hasher("sha256"), "SHA-512-256": _hasher("sha512_256")}


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What a 401 or a 407 asks for; `header` is the one to answer in."""

    header: str
    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str | None = None
    opaque: str | None = None
    stale: bool = False


def challenges(reply: Reply) -> list[Challenge]:
    """Those of a reply that can be answered, topmost first."""
    name, header = ("www-authenticate", "Authorization") if reply.code == 401 else (  # noqa: PLR2004
        "proxy-authenticate", "Proxy-Authorization",
    )  # fmt: skip
    found = (_challenge(value, header) for value in reply.values(name))
    return [one for one in found if one is not None]


def _challenge(value: str, header: str) -> Challenge | None:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return None
    said: dict[str, str] = {}
    for key, quoted, bare in _PAIR.findall(rest):
        said.setdefault(key.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    algorithm = said.get("algorithm", "MD5").upper()
    if algorithm.removesuffix("-SESS") not in _ALGORITHMS or "realm" not in said or not said.get("nonce"):
        return None
    offered = [word.strip().lower() for word in said.get("qop", "").split(",") if word.strip()]
    if (offered and "auth" not in offered) or len(said["nonce"]) > _NONCE_LIMIT or len(said["realm"]) > _NONCE_LIMIT:
        return None
    return Challenge(
        header=header,
        realm=said["realm"],
        nonce=said["nonce"],
        algorithm=algorithm,
        qop="auth" if offered else None,
        opaque=said.get("opaque"),
        stale=said.get("stale", "").lower() == "true",
    )


class Credentials(msgspec.Struct, frozen=True):
    """Whose word it is; never logged, never in a result."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, …)"


def authorization(
    challenge: Challenge, who: Credentials, *, method: str, uri: str, count: int = 1, cnonce: str | None = None
) -> str:
    """The header line that answers (RFC 7616 section 3.4); `count` is how often this nonce was used, this time too."""
    hashed = _ALGORITHMS[challenge.algorithm.removesuffix("-SESS")]
    cnonce = cnonce or secrets.token_hex(8)
    ha1 = hashed(f"{who.user}:{challenge.realm}:{who.password}")
    if challenge.algorithm.endswith("-SESS"):
        ha1 = hashed(f"{ha1}:{challenge.nonce}:{cnonce}")
    ha2 = hashed(f"{method}:{uri}")
    times = f"{count:08x}"
    middle = f"{times}:{cnonce}:auth:" if challenge.qop else ""
    response = hashed(f"{ha1}:{challenge.nonce}:{middle}{ha2}")
    parts = [
        f"username={_quoted(who.user)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response}"',
        f"algorithm={challenge.algorithm.replace('SESS', 'sess')}",
    ]
    if challenge.opaque is not None:
        parts.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.qop or challenge.algorithm.endswith("-SESS"):
        parts.append(f'cnonce="{cnonce}"')
    if challenge.qop:
        parts += ["qop=auth", f"nc={times}"]
    return f"{challenge.header}: Digest {', '.join(parts)}"


def _quoted(text: str) -> str:
    escaped = re.sub(r"[\x00-\x1f\x7f]", "", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Nonces:
    """Challenges that were answered well, so that the next request need not be challenged again (section 22.2)."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[Challenge, int]] = {}

    def next(self, place: tuple[str, ...]) -> tuple[Challenge, int] | None:
        """The challenge to answer unasked, and the count of its nonce; None when there is none."""
        known = self._known.get(place)
        if known is None:
            return None
        challenge, used = known
        self._known[place] = (challenge, used + 1)
        return challenge, used + 1

    def keep(self, place: tuple[str, ...], challenge: Challenge) -> None:
        """It was accepted once."""
        self._known[place] = (challenge, 1)

    def forget(self, place: tuple[str, ...]) -> None:
        self._known.pop(place, None)
