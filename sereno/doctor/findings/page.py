"""The page and the private broker have their ports, and the page answers."""

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

_FIRST, _TRIED = 8080, 20  # as `sereno up` looks for one
_SECONDS = 3.0


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """`status`: what the running page answered, 0: nothing; `distrusted`: why a browser here would warn of it."""

    url: str | None = None
    status: int = 0
    distrusted: str | None = None
    free_page: bool = True
    kept: int | None = None  # the broker's port of last time
    kept_free: bool = True


def look(patient: Patient) -> Ports | None:
    """Asks /healthz where something runs; else whether the ports could be had. Nothing of it applies to a database."""
    if patient.asked.database is not None:
        return None
    running = patient.instance()
    if running is not None:
        status, distrusted = answer(running.url + "healthz")
        return Ports(url=running.url, status=status, distrusted=distrusted)
    kept = _kept(patient.asked.data / "broker" / "port")
    return Ports(
        free_page=any(is_free(port) for port in range(_FIRST, _FIRST + _TRIED)), kept=kept,
        kept_free=kept is None or is_free(kept),
    )  # fmt: skip


def answer(url: str) -> tuple[int, str | None]:
    """The HTTP status of a page of ours, 0 when nobody answers; and what is wrong with its certificate."""
    try:
        return _status(url), None
    except ssl.SSLCertVerificationError as error:
        with suppress(OSError):
            return _status(url, _trusting()), error.verify_message
    except (OSError, ValueError):
        pass
    return 0, None


def _trusting() -> ssl.SSLContext:
    """Takes any certificate: nothing that is secret is sent, and whose it is, the finding says."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _status(url: str, tls: ssl.SSLContext | None = None) -> int:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS, context=tls) as response:  # noqa: S310  # our own instance's
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else error from None


def _kept(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def is_free(port: int) -> bool:
    """Whether this port of loopback could be listened on now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def judge(ports: Ports | None) -> Iterator[Finding]:
    """503 is an answer: the page is there, and nobody leads."""
    if ports is None:
        return
    if ports.url is not None:
        if ports.status and ports.distrusted is not None:
            yield warning(
                "the page answers, but this machine does not trust its certificate: {why}", "call it by a name that "
                "the certificate has (SERENO_URL), or get one of an authority that browsers know", ports.url,
                why=ports.distrusted,
            )  # fmt: skip
        elif ports.status:
            yield ok("the page answers", ports.url)
        else:
            yield broken("the page does not answer", "read the last lines of DATA/logs/collector.log", ports.url)
        return
    if not ports.free_page:
        yield broken("the ports 8080 to 8099 are all taken", "start with --http 127.0.0.1:PORT")
    if not ports.kept_free:
        yield warning(
            "another program has the broker's port {port}: the next start takes another one, and remote probes lose "
            "it", "ss -ltnp says who has it; end that, or tell the probes the new port", port=ports.kept,
        )  # fmt: skip
    if ports.free_page and ports.kept_free:
        yield ok("free: nothing runs here, and it could")


QUESTION = Question(name="page", title="Page and ports", look=look, judge=judge)
