"""What every table is made of. Instants are integer microseconds UTC; JSON bodies are text written by msgspec."""

from sqlalchemy import BigInteger, Integer, MetaData, Text, types

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def String(length: int) -> types.String:  # noqa: N802 - a type, written where types are
    """A name of about this length. No database enforces it: a name too long must not stop an ingest.

    On PostgreSQL it is ordered by code points, as SQLite and Python do, whatever language the database is set up in.
    """
    return types.String(length).with_variant(Text(collation="C"), "postgresql")


Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite autoincrements INTEGER only
