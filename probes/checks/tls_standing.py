"""The TLS standing of a server: what is weak about it, the grade that follows, and how that grade is held. Pure.

A standing drops when a weakness is measured and rises only when the same weakness is measured mended. What was not
measured this time (the scan is rarer than the look, a handshake that failed) changes nothing. Until everything was
measured once, there is no grade: only, perhaps, weaknesses.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

Grade = Literal["A+", "A", "B", "C", "D", "F"]
GRADES: tuple[Grade, ...] = ("A+", "A", "B", "C", "D", "F")  # best first
EXPIRING_DAYS = 14.0
_RSA_BITS, _EC_BITS = 2048, 224

# The best grade that each weakness leaves.
CAPS: dict[str, Grade] = {
    "untrusted": "F",  # chain, dates or name: a browser refuses
    "anonymous": "F",  # cipher suites without authentication or without encryption
    "expiring": "D",
    "weak_cipher": "C",  # export, DES, 3DES, RC4
    "weak_key": "C",
    "weak_signature": "C",  # MD5, SHA-1
    "no_tls12": "C",  # neither 1.2 nor 1.3
    "tls10": "B",  # RFC 8996
    "tls11": "B",
    "no_forward_secrecy": "B",
    "no_tls13": "A",
    "no_hsts": "A",
}
# What only a scan can measure, by the name that it gives to the question.
_SCANNED = {
    "anonymous": "anonymous",
    "weak": "weak_cipher",
    "TLSv1": "tls10",
    "TLSv1.1": "tls11",
    "TLSv1.3": "no_tls13",
}
_BY_SCAN = frozenset(_SCANNED.values()) | {"no_tls12"}
SCAN_SECONDS = 3600.0  # between two scans of a server that is well
WEAK_SECONDS = 600.0
Weak = Mapping[str, bool | None]  # per weakness: measured weak, measured well, not measured


def weaknesses(facts: Mapping[str, Any], certificate_days: float = EXPIRING_DAYS) -> dict[str, bool | None]:
    """What the `tls` facts of one result say of each weakness; None where they say nothing.

    Facts of SIP over TLS have the certificate only; those of a portal's scan have `protocols`, `suites`, `key`.
    """
    protocols: Mapping[str, bool | None] = facts.get("protocols") or {}
    suites: Mapping[str, bool | None] = facts.get("suites") or {}
    key, digest = facts.get("key") or {}, facts.get("signature_hash")
    modern = (protocols.get("TLSv1.2"), protocols.get("TLSv1.3"))
    return {
        "untrusted": _not(facts.get("verified")),
        "anonymous": suites.get("anonymous"),
        "expiring": _mapped(facts.get("days_to_expiry"), lambda days: days < certificate_days),
        "weak_cipher": suites.get("weak"),
        "weak_key": _weak_key(key.get("type"), key.get("bits")),
        "weak_signature": _mapped(digest, lambda name: name in {"md5", "sha1"}),
        "no_tls12": False if True in modern else None if None in modern else True,
        "tls10": protocols.get("TLSv1"),
        "tls11": protocols.get("TLSv1.1"),
        "no_forward_secrecy": _not(facts.get("forward_secrecy")),
        "no_tls13": _not(protocols.get("TLSv1.3")),
        "no_hsts": _not(facts.get("hsts")),
    }


def grade(facts: Mapping[str, Any], certificate_days: float = EXPIRING_DAYS) -> Grade:
    """The best grade that these facts of one result leave possible; what they do not tell is not held against them."""
    found = weaknesses(facts, certificate_days)
    return worst(name for name, weak in found.items() if weak)


def worst(held: Iterable[str]) -> Grade:
    """The grade that some weaknesses leave."""
    return max((CAPS[name] for name in held), key=GRADES.index, default="A+")


def below(found: Grade, demanded: Grade) -> bool:
    """Whether a grade is less than what is demanded."""
    return GRADES.index(found) > GRADES.index(demanded)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one server: the weaknesses measured and not yet measured mended, and what was ever measured."""

    weak: frozenset[str] = frozenset()
    measured: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset(CAPS)  # what must have been measured before there is a grade

    @property
    def known(self) -> bool:
        return self.wanted <= self.measured

    @property
    def at_most(self) -> Grade:
        """The grade, or as long as it is not known the best that it can be."""
        return worst(self.weak)

    @property
    def grade(self) -> Grade | None:
        """None: not everything was measured yet."""
        return self.at_most if self.known else None

    def after(self, seen: Weak) -> "Standing":
        """The standing once this was measured."""
        bad = frozenset(name for name, weak in seen.items() if weak is True)
        good = frozenset(name for name, weak in seen.items() if weak is False)
        return msgspec.structs.replace(self, weak=(self.weak - good) | bad, measured=self.measured | bad | good)

    def facts(self) -> dict[str, Any]:
        """As results tell it; nothing as long as nothing was measured."""
        if not self.measured:
            return {}
        told: dict[str, Any] = {"weaknesses": sorted(self.weak)}
        return told | ({"grade": self.grade} if self.grade is not None else {"grade_at_most": self.at_most})


def rescan_seconds(standing: Standing) -> float:
    """When to scan again: sooner while a scan could find something mended, or measured at last."""
    open_ = (standing.weak | (standing.wanted - standing.measured)) & _BY_SCAN
    return WEAK_SECONDS if open_ else SCAN_SECONDS


def measurable(facts: Mapping[str, Any]) -> frozenset[str]:
    """The weaknesses that the machine which looked is able to ask for."""
    return frozenset(CAPS) - {_SCANNED[name] for name in facts.get("not_offered", ()) if name in _SCANNED}


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _mapped(value: Any, weak: Any) -> bool | None:
    return None if value is None else bool(weak(value))


def _weak_key(kind: object, bits: object) -> bool | None:
    if not isinstance(bits, int) or kind not in {"RSA", "EC"}:
        return None if kind is None else False  # Ed25519, Ed448: of one size, and sound
    return bits < (_RSA_BITS if kind == "RSA" else _EC_BITS)
