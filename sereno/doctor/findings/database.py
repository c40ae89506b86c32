"""The database answers, lets us in, and can be written by whoever must."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """`fault` and `mend` when it was not; `where` without secrets."""

    where: str
    fault: str | None = None
    mend: str = ""
    writable: bool | None = None


def look(patient: Patient) -> Reached:
    """One harmless query; whether this user may write is asked, not tried."""
    file = patient.sqlite_file
    return _file(patient, file) if file is not None else _server(patient)


def _file(patient: Patient, file: Path) -> Reached:
    from sqlalchemy import text

    where = str(file)
    if not file.exists():
        patient.engine()  # says that there is no store yet
    writable = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    try:
        with patient.engine().connect() as connection:
            said = str(connection.execute(text("PRAGMA quick_check(1)")).scalar())
    except Exception as error:  # noqa: BLE001  # whatever the driver says of a broken file
        return Reached(where=where, fault=_words(error), mend=_MEND_FILE, writable=writable)
    if said != "ok":
        return Reached(where=where, fault=said.replace("*** in database main ***", "").strip(), mend=_MEND_FILE)
    return Reached(where=where, writable=writable)


_MEND_FILE = "stop Sereno, keep the file aside, and `sereno restore` the last backup"


def _server(patient: Patient) -> Reached:
    from sqlalchemy import text

    from sereno.store import postgres

    where = postgres.where(postgres.parse_url(str(patient.asked.database)))
    try:
        with patient.engine().connect() as connection:
            standby = bool(connection.execute(text("SELECT pg_is_in_recovery()")).scalar())
            query = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
            may = bool(connection.execute(query).scalar())
    except Exception as error:  # noqa: BLE001  # whatever the driver says of a server that refuses
        words = _words(error)
        return Reached(where=where, fault=words, mend=postgres.advice(words))
    return Reached(where=where, writable=may and not standby)


def _words(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).removeprefix("connection failed: ").split("\n", 1)[0]


def judge(reached: Reached) -> Iterator[Finding]:
    """Nothing works without it."""
    if reached.fault is not None:
        yield broken("the database refuses: {why}", reached.mend, reached.where, why=reached.fault)
    elif reached.writable is False:
        yield broken(
            "the database cannot be written by this user", "run the doctor as the user that Sereno runs as; if it is "
            "that one, give it the file and its folder (or the primary server's URL and CREATE on its schema)",
            reached.where,
        )  # fmt: skip
    else:
        yield ok("answers and can be written", reached.where)


QUESTION = Question(name="database", title="Database", look=look, judge=judge)
