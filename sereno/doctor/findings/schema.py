"""The schema in the database is the one that this version works with."""

from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """`known`: this program has that revision, so it is an older one."""

    found: str | None
    ours: str
    known: bool
    where: str


def look(patient: Patient) -> Schema:
    """Reads the revision; brings nothing up to date."""
    from sereno.store.migrate import is_known

    file = patient.sqlite_file
    if file is not None and not file.exists():
        patient.engine()  # says that there is no store yet
    found, ours = patient.revision()
    known = found == ours or found is None or is_known(found)
    return Schema(found=found, ours=ours, known=known, where=str(file or "PostgreSQL"))


def judge(schema: Schema) -> Iterator[Finding]:
    """An older one is brought up to date by whatever opens the store to write; a newer one is nobody's to touch."""
    if schema.found == schema.ours:
        yield ok("revision {revision}, this version's", revision=schema.ours)
    elif not schema.known:
        yield broken(
            "the schema is at revision {found}, newer than this Sereno ({ours})", "install the newer Sereno here too: "
            "an older one must not touch this store", schema.where, found=schema.found, ours=schema.ours,
        )  # fmt: skip
    else:
        yield warning(
            "the schema is at revision {found}, older than this Sereno ({ours})", "make a backup, stop the older "
            "Sereno, and start this one: it brings the schema up to date", schema.where, found=schema.found or "none",
            ours=schema.ours,
        )  # fmt: skip


QUESTION = Question(name="schema", title="Schema", look=look, judge=judge)
