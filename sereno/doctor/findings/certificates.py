"""Certificates that run out: of files that are named, of our own page, of portals and SBCs as probes see them."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sereno.clock import SECOND_US, to_datetime
from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

SOON_DAYS = 30
_SECONDS = 3.0


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """`days`: how long it still runs; None: it could not be read (`fault`)."""

    where: str
    days: float | None = None
    fault: str = ""


def look(patient: Patient) -> list[Certificate]:
    """All that can be had without a word to anybody but ourselves."""
    now = to_datetime(patient.clock.now_us())
    found = [of_file(path, now) for path in _files(patient)]
    own = patient.started_with("--tls-cert")
    if own is not None:
        found.append(of_file(Path(own), now))
    running = patient.instance()
    if own is None and running is not None and running.url.startswith("https:"):
        found.append(of_server(running.url, now))
    with suppress(CannotLookError):
        found += list(_seen(patient))
    return found


def _files(patient: Patient) -> Iterator[Path]:
    for sbc in patient.topology().sbcs.values():
        if sbc.tls is not None:
            yield from (Path(name) for name in (sbc.tls.ca, sbc.tls.certificate) if name is not None)
    for portal in patient.topology().portals.values():
        if portal.ca is not None:
            yield Path(portal.ca)
    desk = patient.desk()
    for channel in desk.channels.values() if desk is not None else ():
        if channel.ca is not None:
            yield Path(channel.ca)


def of_file(path: Path, now: datetime) -> Certificate:
    """The first to run out of those in a PEM file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        return Certificate(where=str(path), fault=error.strerror or "")
    return _read(str(path), raw, now)


def of_server(url: str, now: datetime) -> Certificate:
    """What our own page shows; whether it is trusted is the reader's affair."""
    parts = urlsplit(url)
    try:
        pem = ssl.get_server_certificate((parts.hostname or "", parts.port or 443), timeout=_SECONDS)
    except OSError as error:
        return Certificate(where=url, fault=error.strerror or str(error))
    return _read(url, pem.encode(), now)


def _read(where: str, pem: bytes, now: datetime) -> Certificate:
    from cryptography import x509

    try:
        ends = [one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pem)]
    except ValueError:
        return Certificate(where=where, fault="no certificate in it")
    return Certificate(where=where, days=(min(ends).astimezone(UTC) - now).total_seconds() / 86_400)


def _seen(patient: Patient) -> Iterator[Certificate]:
    """What probes read of the certificates of SBCs and portals."""
    now_us = patient.clock.now_us()
    told: dict[str, float] = {}
    for one in patient.tally().newest:
        for where, tls in _standings(one.facts or {}, one.sbc or one.target or one.check):
            days = tls.get("days_to_expiry")
            if isinstance(days, int | float):
                since = (now_us - one.at_us) / SECOND_US / 86_400
                told[where] = min(told.get(where, float("inf")), days - since)
    for where, left in sorted(told.items()):
        yield Certificate(where=where, days=left)


def _standings(facts: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(facts.get("tls"), dict):
        yield name, facts["tls"]
    addresses = facts.get("addresses")
    for address, about in addresses.items() if isinstance(addresses, dict) else ():
        if isinstance(about, dict) and isinstance(about.get("tls"), dict):
            yield f"{name} {address}", about["tls"]


def judge(found: list[Certificate]) -> Iterator[Finding]:
    """Every one runs out some day; the day is known."""
    for one in found:
        if one.days is None:
            yield broken("the certificate cannot be read ({why})", "name a PEM file that this user can read", one.where,
                         why=one.fault)  # fmt: skip
        elif one.days < 0:
            yield broken("the certificate ran out {days} days ago", "renew it, and reload whoever shows it", one.where,
                         days=f"{-one.days:.0f}")  # fmt: skip
        elif one.days < SOON_DAYS:
            yield warning("the certificate runs out in {days} days", "renew it, and reload whoever shows it", one.where,
                          days=f"{one.days:.0f}")  # fmt: skip
    good = [one for one in found if one.days is not None and one.days >= SOON_DAYS]
    if good and len(good) == len(found):
        least = min(one.days or 0.0 for one in good)
        yield ok("{count} certificates; the first runs out in {days} days", count=len(good), days=f"{least:.0f}")


QUESTION = Question(name="certificates", title="Certificates", look=look, judge=judge)
