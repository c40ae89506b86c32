"""Where a page may listen: on loopback; beyond it, or behind a proxy, once there are accounts and TLS."""

import ipaddress
import socket
import ssl
from pathlib import Path

import msgspec

from sereno.errors import UsageError

_HIGHEST_PORT = 65_535  # RFC 9293: ports have 16 bits


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """A listener, as the command line says it, checked. `proxies` are believed about whence a request came."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        """The address is of this machine alone."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def private(self) -> bool:
        """Only people at this machine come in: nobody from beyond, nobody through a proxy."""
        return self.loopback and not self.proxies

    def url(self, port: int | None = None) -> str:
        """The page's address, without a slash at its end; of a listener on every address, by the machine's name."""
        scheme = "https" if self.certificate is not None else "http"
        host = socket.gethostname() if ipaddress.ip_address(self.host).is_unspecified else self.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port if port is None else port}"


def listen_of(text: str, certificate: Path | None, key: Path | None, proxies: list[str] | None) -> Listen:
    """The listener that these options say; UsageError, in one line, for what none can be."""
    host, port = parse_http(text)
    if (certificate is None) != (key is None):
        missing = "--tls-key" if key is None else "--tls-cert"
        raise UsageError(f"TLS needs a certificate and its key: add {missing} FILE")
    for each in proxies or ():
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise UsageError(f"--proxy {each}: no address and no network; write 127.0.0.1 or 10.0.0.0/24") from None
    found = Listen(
        host=host, port=port, certificate=certificate.absolute() if certificate else None,
        key=key.absolute() if key else None, proxies=tuple(proxies or ()),
    )  # fmt: skip
    if not found.loopback and certificate is None:
        raise UsageError(
            f"--http {text}: pages beyond loopback need accounts and TLS: add --tls-cert FILE --tls-key FILE; or "
            "listen on 127.0.0.1 with --proxy ADDRESS behind a reverse proxy that has TLS"
        )
    if certificate is not None and key is not None:
        _refuse_unusable(certificate, key)
    return found


def refuse_unguarded(listen: Listen, admin: bool, where: str) -> None:
    """UsageError where strangers could come in and nobody has an account; `where` says whose accounts are meant."""
    if not listen.private and not admin:
        setting = "--proxy" if listen.loopback else f"--http {listen.host}"
        raise UsageError(
            f"{setting}: pages beyond this machine need accounts, and no administrator can log in yet: first make one, "
            f"sereno users add NAME --role admin --ask-password {where}"
        )


def parse_http(text: str) -> tuple[str, int]:
    """HOST and PORT of `127.0.0.1:8080` or `[::1]:8080`; UsageError, in one line, otherwise."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > _HIGHEST_PORT:
        raise UsageError(f"--http {text}: not HOST:PORT, such as 127.0.0.1:8080")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"--http {text}: {host!r} is no IP address; write 127.0.0.1:8080") from None
    return host, int(port)


def _refuse_unusable(certificate: Path, key: Path) -> None:
    """Before anything starts: both files are there, are what they should be, and belong together."""
    for option, file in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise UsageError(f"{option} {file}: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        words = getattr(error, "reason", None) or "cannot be read"
        raise UsageError(
            f"--tls-cert {certificate}: with --tls-key {key}: {words}; give a PEM certificate and its own key, without "
            "a passphrase"
        ) from None
