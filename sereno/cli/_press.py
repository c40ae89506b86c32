"""The child that makes reports (sereno/press.py): reads one order on its standard input, answers on its output."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sereno.cli import fail
from sereno.cli._garbage import put_off
from sereno.errors import SerenoError, UsageError
from sereno.press import Made, Order

if TYPE_CHECKING:
    from dashboards.reports.model import Report
    from sereno.store import Store

E = TypeVar("E", bound=str)
_NICE = 10  # the watch goes first


def main() -> None:
    """One order."""
    os.nice(_NICE)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    try:
        with put_off():
            body = _done(order)
    except SerenoError as error:
        fail(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001  # whoever asked shows one line, whatever a library raised
        fail(f"the report could not be made: {type(error).__name__}: {error}", 1)
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _done(order: Order) -> bytes:
    from sereno.store import open_database

    store = open_database(order.store)
    try:
        if order.do == "render":
            return _rendered(store, order)
        report = _built(store, order)
        if order.do == "copy":
            return _file(report, order.form, order.edition, order.language)
        if order.do == "model":
            return msgspec.json.encode(report)
        return msgspec.json.encode(_issued(store, order, report))
    finally:
        store.dispose()


def _built(store: "Store", order: Order) -> "Report":
    from dashboards.reports.build import build
    from sereno.cli._answers import answers_of
    from sereno.clock import SystemClock

    now_us = SystemClock().now_us()
    return build(store, answers_of(store).availability, order.month, now_us, customer=order.customer, site=order.site)


def _issued(store: "Store", order: Order, report: "Report") -> Made:
    from dashboards.reports.letter import letter
    from dashboards.reports.render import EDITIONS, FORMATS, filename
    from dashboards.reports.words import words_of
    from sereno.accounts import Act
    from sereno.accounts.audit import note
    from sereno.clock import SystemClock
    from sereno.store import reports

    edition = _edition(order.edition, EDITIONS)
    words, now_us = words_of(report, order.language), SystemClock().now_us()
    wanted = reports.Issue(
        customer=report.customer, site=report.site, month=report.month, edition=edition, language=words.language,
        data_hash=report.data_hash, made_us=now_us, who=order.who,
    )  # fmt: skip
    with store.write() as connection:
        known = {one.id for one in reports.issued(connection, report.customer, report.month)}
        one = reports.issue(connection, wanted, msgspec.json.encode(report))
        if one.id not in known:
            act = Act(
                who=order.who, how="web" if order.how == "web" else "cli", at_us=now_us, address=order.address or ""
            )
            note(connection, act, "report.issue", one.key)
    subject, lead, rows = letter(report, words)
    return Made(
        id=one.id, customer=one.customer, site=one.site, month=one.month, language=one.language,
        locale=report.locale, over=report.over, verdict=report.availability.verdict, data_hash=one.data_hash,
        subject=subject, lead=lead, rows=rows,
        names={form: filename(report, form, edition, words.language) for form in FORMATS},
    )  # fmt: skip


def _rendered(store: "Store", order: Order) -> bytes:
    from dashboards.reports.canonical import decoded
    from sereno.store import reports

    with store.read() as connection:
        one = reports.issue_of(connection, order.number)
        model = reports.model_of(connection, order.number)
    if one is None or model is None:
        raise UsageError(f"there is no issued report {order.number}")
    return _file(decoded(model), order.form, one.edition, one.language)


def _file(report: "Report", wanted: str, edition_wanted: str, language: str | None) -> bytes:
    """The name and the type in one line, then the bytes."""
    from dashboards.reports.render import EDITIONS, FORMATS, MEDIA_TYPES, filename, render

    form = next((one for one in FORMATS if one == wanted), None)
    if form is None:
        raise UsageError(f"format {wanted!r}: there is none; they are {', '.join(FORMATS)}")
    edition = _edition(edition_wanted, EDITIONS)
    body = render(report, form, edition=edition, language=language)
    head = msgspec.json.encode((filename(report, form, edition, language), MEDIA_TYPES[form]))
    return head + b"\n" + body


def _edition(wanted: str, known: Sequence[E]) -> E:
    found = next((one for one in known if one == wanted), None)
    if found is None:
        raise UsageError(f"edition {wanted!r}: there is none; they are {', '.join(known)}")
    return found


if __name__ == "__main__":
    main()
