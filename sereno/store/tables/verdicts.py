"""What was said of elements, the ledger, and what people announced."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from sereno.store.tables.base import Serial, String, metadata

verdict_changes = Table(
    "verdict_changes",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(140), nullable=False),
    Column("what", String(40), nullable=False),  # "verdict" or a finding
    Column("state", String(16), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("reason", String(80)),
    Column("facts", Text, nullable=False),
    Index(None, "kind", "name", "what", "id"),
    Index(None, "at_us"),
)

ledger = Table(  # closed and sealed intervals; current rows have superseded_by NULL
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(140), nullable=False),
    Column("state", String(16), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("reason", String(80)),
    Column("interval_us", BigInteger),  # the bound of one interval, for outages
    Column("written_us", BigInteger, nullable=False),
    Column("superseded_by", BigInteger),
    Index(None, "kind", "name", "from_us"),
    Index(None, "from_us"),
)

ledger_days = Table(  # a chain: each seal holds the hash of the one before it (docs/availability.md)
    "ledger_days",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("format", Integer, nullable=False),
    Column("day_us", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),  # the ledger's last row when it was sealed
    Column("rows", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sealed_us", BigInteger, nullable=False),
    Column("revises", BigInteger),  # an earlier seal of the same day
    Column("note", Text),
    Index(None, "day_us", "id"),
)

ledger_revisions = Table(  # what late results changed of the past, append only
    "ledger_revisions",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("noted_us", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(140), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("was", String(16), nullable=False),
    Column("became", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "noted_us"),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("scope_kind", String(16), nullable=False),
    Column("scope_name", String(140), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("announced_us", BigInteger, nullable=False),
    Column("critical_fix", Boolean, nullable=False, default=False),
    Column("who", String(80), nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("cancelled_us", BigInteger),
)

isolations = Table(
    "isolations",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("sbc", String(64), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger),
    Column("who", String(80), nullable=False),
)
