"""The deep look at a TLS server: which versions and which weak cipher suites it takes, and its certificate.

One handshake for each question, by OpenSSL through `ssl`; the certificate is read by `cryptography`. What the
OpenSSL of this machine cannot itself offer (3DES and RC4 are left out of Debian's) is not measured, and told so.
"""

import asyncio
import ssl
import warnings
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_SUITES = {"anonymous": "aNULL:eNULL", "weak": "EXPORT:DES:3DES:RC4"}
_FORWARD = ("ECDHE", "DHE", "TLS_")  # every suite of TLS 1.3 has forward secrecy


async def scan(address: str, port: int, host: str, seconds: float) -> dict[str, Any]:
    """`protocols` and `suites`: True accepted, False refused, absent not measured. Never raises for the network."""
    each = max(0.2, seconds / 3)
    names = [*_VERSIONS, *_SUITES]
    contexts = [_version(v) for v in _VERSIONS.values()] + [_suites(c) for c in _SUITES.values()]
    # One after another: a portal's rate limit must not be read as a refusal.
    found = [None if one is None else await _accepts(one, address, port, host, each) for one in contexts]
    answers = dict(zip(names, found, strict=True))
    told: dict[str, Any] = {
        "protocols": {name: answers[name] for name in _VERSIONS if answers[name] is not None},
        "suites": {name: answers[name] for name in _SUITES if answers[name] is not None},
    }
    untold = [name for name, context in zip(names, contexts, strict=True) if context is None]
    return told | ({"not_offered": untold} if untold else {})


def certificate_facts(der: bytes) -> dict[str, Any]:
    """Key and signature of a certificate; empty when it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key, digest = certificate.public_key(), certificate.signature_hash_algorithm
    except ValueError:
        return {}
    if isinstance(key, rsa.RSAPublicKey):
        told: dict[str, Any] = {"type": "RSA", "bits": key.key_size}
    elif isinstance(key, ec.EllipticCurvePublicKey):
        told = {"type": "EC", "bits": key.key_size}
    else:
        told = {"type": type(key).__name__.removesuffix("PublicKey")}
    return {"key": told, "signature_hash": digest.name if digest is not None else "intrinsic"}


def forward_secrecy(cipher: str | None) -> bool | None:
    """Whether the suite that was agreed on has it."""
    return None if cipher is None else cipher.startswith(_FORWARD)


async def _accepts(context: ssl.SSLContext, address: str, port: int, host: str, seconds: float) -> bool | None:
    """True: the handshake came to its end; False: the server refused; None: nobody knows."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=host, ssl_shutdown_timeout=0.2
            )
    except ssl.SSLError:
        return False  # an alert, or a version that we did not ask for
    except ConnectionResetError:
        return False  # how some servers say no
    except (OSError, TimeoutError):
        return None
    writer.transport.abort()
    return True


def _version(version: ssl.TLSVersion) -> ssl.SSLContext | None:
    context = _blind()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that TLS 1.0 and 1.1 are old is the point
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        return None  # this OpenSSL is built without that version
    return context


def _suites(ciphers: str) -> ssl.SSLContext | None:
    context = _blind()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    except ssl.SSLError:
        return None  # this OpenSSL has none of them
    return context


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
