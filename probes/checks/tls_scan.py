"""The deep look at a TLS server: which versions and which weak cipher suites it takes, and its certificate.

One handshake for each question, by OpenSSL through `ssl`; the certificate is read by `cryptography`. What the
OpenSSL of this machine cannot itself offer (3DES and RC4 are left out of Debian's) is not measured, and told so.

A version or suite is accepted once the server says so in its ServerHello (RFC 8446 section 4.1.3, RFC 5246 section
7.4.1.3), whatever becomes of the handshake afterwards: a server that then wants a client certificate took it too. One
that answers with another version than it was asked for refuses.
"""

import asyncio
import contextlib
import ssl
import warnings
from typing import Any

import msgspec
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
_HANDSHAKE, _ALERT, _SERVER_HELLO = 22, 21, 2  # RFC 8446, sections 5.1 and 4
_SUPPORTED_VERSIONS = 43  # RFC 8446 section 4.2.1: where a ServerHello of TLS 1.3 says so
_WARNING, _UNRECOGNIZED_NAME = 1, 112  # alerts: RFC 8446 section 6
_READ = 16_384
_MOST = 262_144  # octets that a server may send in one handshake


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One handshake: whether the server took what was offered, or why nobody knows."""

    accepted: bool | None = None
    closed: bool = False  # it hung up without a word: some servers say no so, and some when they are asked too much
    der: bytes | None = None


async def scan(
    address: str, port: int, host: str, seconds: float, client: tuple[str, str] | None = None
) -> dict[str, Any]:
    """`protocols` and `suites`: True accepted, False refused, absent not measured. Never raises for the network.

    `client` is our own certificate and key, for a server that wants one. Of the server's, `key` and `signature_hash`.
    """
    each = max(0.2, seconds / 3)
    names = [*_VERSIONS, *_SUITES]
    contexts = [_version(v) for v in _VERSIONS.values()] + [_suites(c) for c in _SUITES.values()]
    # One after another: a portal's rate limit must not be read as a refusal.
    found = [_Seen() if one is None else await _ask(one, address, port, host, each, client) for one in contexts]
    speaks = any(one.accepted for one in found)
    answers = {
        # Who hangs up on everything refuses us, not a version.
        name: False if one.closed and speaks else one.accepted
        for name, one in zip(names, found, strict=True)
    }
    told: dict[str, Any] = {
        "protocols": {name: answers[name] for name in _VERSIONS if answers[name] is not None},
        "suites": {name: answers[name] for name in _SUITES if answers[name] is not None},
    }
    untold = [name for name, context in zip(names, contexts, strict=True) if context is None]
    der = next((one.der for one in reversed(found[: len(_VERSIONS)]) if one.der), None)
    return told | ({"not_offered": untold} if untold else {}) | (certificate_facts(der) if der else {})


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


async def _ask(
    context: ssl.SSLContext, address: str, port: int, host: str, seconds: float, client: tuple[str, str] | None
) -> _Seen:
    """One connection, one offer."""
    if client is not None:
        with contextlib.suppress(OSError):  # the check itself tells of a file that cannot be used
            context.load_cert_chain(*client, password=lambda: "")
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return await _shake_hands(context, host, reader, writer)
            finally:
                writer.transport.abort()
    except ConnectionResetError:
        return _Seen(closed=True)
    except (OSError, TimeoutError, ValueError):  # ValueError: a name that cannot be asked for
        return _Seen()


async def _shake_hands(
    context: ssl.SSLContext, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> _Seen:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    heard = bytearray()
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
            with contextlib.suppress(ConnectionResetError):
                await writer.drain()
            data = await _read(reader)
            if not data or len(heard) > _MOST:
                return _Seen(accepted=_accepted(heard, context), closed=not heard)
            heard += data
            incoming.write(data)
        except ssl.SSLError:
            return _Seen(accepted=_accepted(heard, context))
        else:
            return _Seen(accepted=True, der=tls.getpeercert(binary_form=True))


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_READ)
    except ConnectionResetError:
        return b""


def _accepted(heard: bytes | bytearray, context: ssl.SSLContext) -> bool | None:
    """What the first record that counts says: ServerHello True, an alert False; None where it is no answer to that."""
    while len(heard) >= 7 and heard[0] == _ALERT and heard[5] == _WARNING:  # noqa: PLR2004  # header 5, body 2
        heard = heard[5 + int.from_bytes(heard[3:5], "big") :]
    if len(heard) >= 6 and heard[0] == _HANDSHAKE:  # noqa: PLR2004
        if heard[5] != _SERVER_HELLO:
            return None
        version = _version_of(bytes(heard[5:]))
        return None if version is None else context.minimum_version <= version <= context.maximum_version
    if len(heard) >= 7 and heard[0] == _ALERT:  # noqa: PLR2004
        return None if heard[6] == _UNRECOGNIZED_NAME else False
    return None


def _version_of(hello: bytes) -> int | None:
    """The version that a ServerHello agrees to; None where it is cut short."""
    try:
        legacy = int.from_bytes(hello[4:6], "big")
        at = 39 + hello[38]  # header 4, version 2, random 32, session id
        at += 3  # suite, compression
        end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
        at += 2
        while at + 4 <= end:
            kind, length = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
            if kind == _SUPPORTED_VERSIONS:
                return int.from_bytes(hello[at + 4 : at + 6], "big")
            at += 4 + length
    except IndexError:
        return None
    return legacy


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
