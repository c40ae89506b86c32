"""TLS towards an SBC: contexts from PEM files, who the certificate is for, and what is told of a session.

OpenSSL verifies the chain and the dates; the name is compared here (RFC 5922 sections 7.1 and 7.2), because a SIP
certificate may carry its domain as a `sip:` URI, which no HTTPS library looks at. Of wildcards, which RFC 5922 forbids
and operators use, one leftmost `*.` is taken as in HTTPS (RFC 9525 section 6.3).
"""

import ipaddress
import ssl
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.x509.oid import NameOID

from probes.sip.errors import NetworkError
from probes.sip.link import Session
from sereno.clock import SECOND_US

# What OpenSSL calls the alert or the state, and what a person does with it.
_WORDS = {
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS that we do (1.2 and 1.3)",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it refuses TLS 1.2 and 1.3 (alert protocol_version)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate: set certificate and key under its `tls`",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it refused the handshake: no cipher in common, or it wants a client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our client certificate (alert bad_certificate)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our client certificate is revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses our client certificate (alert certificate_unknown)",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it refuses our client certificate (alert unsupported_certificate)",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of our client certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "it refuses our client certificate (alert access_denied)",
    "TLSV1_UNRECOGNIZED_NAME": "it knows no server of that name (SNI)",
    "NO_CIPHERS_AVAILABLE": "no cipher in common",
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": "it speaks no version of TLS that we do (1.2 and 1.3)",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS",
    "HTTP_REQUEST": "what answers there speaks no TLS",
    "PACKET_LENGTH_TOO_LONG": "what answers there speaks no TLS",
    "RECORD_LAYER_FAILURE": "what answers there speaks no TLS",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "what it sends does not decrypt: it, or the way, damaged it",
}
# X509_V_ERR_* of OpenSSL's x509_vfy.h
_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED = frozenset({18, 19})
_UNKNOWN_AUTHORITY = frozenset({2, 20, 21})
_ANOTHER_NAME = frozenset({62, 64})


class TlsSettings(msgspec.Struct, frozen=True):
    """The PEM files in use, and the name that is asked for (SNI) and looked for in the certificate."""

    server_name: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    where: str = "tls"  # of these settings in the topology, for complaints


class Contexts:
    """Contexts by their settings, made anew when one of the files has changed."""

    def __init__(self) -> None:
        self._known: dict[TlsSettings, tuple[tuple[int, ...], ssl.SSLContext]] = {}

    def get(self, settings: TlsSettings) -> ssl.SSLContext:
        """NetworkError `probe_fault`, in one line, when a file cannot be used."""
        stamp = _stamp(settings)
        known = self._known.get(settings)
        if known is not None and known[0] == stamp:
            return known[1]
        made = _context(settings)
        self._known[settings] = (stamp, made)
        return made


def blind_context() -> ssl.SSLContext:
    """A context that verifies nothing: only to read a certificate that was refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # RFC 5922, see `named`; the chain is verified here
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        if settings.ca is not None:
            context.load_verify_locations(cafile=settings.ca)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(settings, "ca", settings.ca, error) from None
    if settings.certificate is not None and settings.key is not None:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
        except OSError as error:
            raise _unusable(settings, "certificate, key", f"{settings.certificate}, {settings.key}", error) from None
    return context


def _stamp(settings: TlsSettings) -> tuple[int, ...]:
    found = []
    for name in ("ca", "certificate", "key"):
        path = getattr(settings, name)
        if path is None:
            continue
        try:
            found.append(Path(path).stat().st_mtime_ns)
        except OSError as error:
            raise _unusable(settings, name, path, error) from None
    return tuple(found)


def _unusable(settings: TlsSettings, key: str, path: str | None, error: OSError) -> NetworkError:
    words = error.strerror or str(error)
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        words = {
            "KEY_VALUES_MISMATCH": "the key is not that certificate's",
            "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate in it",
            "NO_START_LINE": "not PEM",
            "BAD_DECRYPT": "the key is encrypted: write it without a pass phrase",
            "BAD_PASSWORD_READ": "the key is encrypted: write it without a pass phrase",
        }.get(reason, "not PEM, or the key is encrypted" if "PEM" in str(error) else words)
    mend = "put the PEM file on this probe, or mend its path"
    return NetworkError("probe_fault", f"{settings.where}.{key}: {path}: {words}; {mend}")


# --- what the peer's certificate says ---


def session(found: ssl.SSLObject, server_name: str) -> Session:
    """What was agreed, and whether the certificate is that of `server_name` (the chain is verified by OpenSSL)."""
    cipher = found.cipher()
    der = found.getpeercert(binary_form=True)
    plain = Session(version=found.version(), cipher=cipher[0] if cipher else None, verified=False)
    if not der:
        return msgspec.structs.replace(plain, why="it showed no certificate")
    told = read_certificate(plain, der)
    if told.why is not None:
        return told
    if not named(told.names, server_name):
        names = ", ".join(told.names[:5]) or "nobody"
        return msgspec.structs.replace(told, why=f"the certificate is for {names}, not for {server_name}")
    return msgspec.structs.replace(told, verified=True)


def read_certificate(plain: Session, der: bytes) -> Session:
    """The session with the certificate's names and dates."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return msgspec.structs.replace(
            plain,
            subject=_name(certificate.subject),
            issuer=_name(certificate.issuer),
            names=_names(certificate),
            not_before_us=_us(certificate.not_valid_before_utc),
            not_after_us=_us(certificate.not_valid_after_utc),
        )
    except ValueError as error:
        return msgspec.structs.replace(plain, why=f"its certificate cannot be read: {str(error)[:80]}")


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()[:200]


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Subject alternative names, `sip:` URIs as such; the common name where there are none (RFC 5922 section 7.1)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(one.value)[:200] for one in common[:1])
    found: list[str] = []
    for one in extension.value:
        if isinstance(one, x509.DNSName | x509.UniformResourceIdentifier):
            found.append(one.value[:200])
        elif isinstance(one, x509.IPAddress):
            found.append(str(one.value))
    return tuple(found)


def named(names: tuple[str, ...], wanted: str) -> bool:
    """Whether one of the certificate's names is `wanted` (a host name or an address)."""
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        return any(_same(name, wanted) for name in names)
    for name in names:
        try:
            if ipaddress.ip_address(name) == address:
                return True
        except ValueError:
            continue
    return False


def _same(name: str, wanted: str) -> bool:
    name, wanted = name.lower().rstrip("."), wanted.lower().rstrip(".")
    for scheme in ("sip:", "sips:"):
        if name.startswith(scheme):
            host = name.removeprefix(scheme)
            return "@" not in host and host == wanted  # a user's certificate is not the domain's
    if name.startswith("*."):
        label, dot, rest = wanted.partition(".")
        return bool(label and dot) and "." in rest and rest == name[2:]
    return name == wanted


# --- failures in words ---


def why(error: Exception, settings: TlsSettings) -> str:
    """The cause of a TLS failure, exactly, in one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError | EOFError):
        return "the connection was closed during the handshake"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").upper()
        if reason in _WORDS:
            words = _WORDS[reason]
            if settings.certificate is not None:
                words = words.replace(", or it wants a client certificate", "")
            return f"{words} [{reason}]"
        return reason or str(error)[:120]
    return str(error)[:120] or type(error).__name__


def _verification(error: ssl.SSLCertVerificationError) -> str:
    code, message = error.verify_code, error.verify_message
    if code == _EXPIRED:
        words = "the certificate has expired"
    elif code == _NOT_YET:
        words = "the certificate is not valid yet"
    elif code in _SELF_SIGNED:
        words = "the certificate is self-signed, or its authority is not among those that we trust"
    elif code in _UNKNOWN_AUTHORITY:
        words = "the certificate is of an unknown authority, or the server leaves an intermediate one out"
    elif code in _ANOTHER_NAME:
        words = "the certificate is for another name"
    else:
        words = "the certificate is not accepted"
    return f"{words} [{message}]"


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_US
