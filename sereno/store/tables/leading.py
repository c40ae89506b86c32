"""Who writes, and what people ask for."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from sereno.store.tables.base import Serial, String, metadata

lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("epoch", BigInteger, nullable=False),
    Column("holder", String(120), nullable=False),
    Column("renewed_us", BigInteger, nullable=False),
)

leaderships = Table(  # who became the writer when, append only
    "leaderships",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", String(120), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("after", String(120), nullable=False),  # the holder before; "" when it had given the lease back
)

collectors = Table(  # every collector that runs: the writer and who stands by; a row that no longer moves is a dead one
    "collectors",
    metadata,
    Column("name", String(120), primary_key=True),  # as the lease's holder
    Column("role", String(8), nullable=False),  # leader | standby
    Column("epoch", BigInteger, nullable=False),  # under which it writes, or wrote last
    Column("started_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("broker", Boolean),  # whether it reaches the broker; NULL: not tried yet
    Column("page", String(200)),
    Column("version", String(32), nullable=False),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", String(80), nullable=False, unique=True),  # idempotency
    Column("at_us", BigInteger, nullable=False),
    Column("who", String(80), nullable=False),
    Column("verb", String(40), nullable=False),  # "incident.ack", "maintenance.add", …
    Column("arguments", Text, nullable=False),
    Column("state", String(8), nullable=False, default="pending"),  # pending | done | refused
    Column("outcome", Text),
    Column("done_us", BigInteger),
    Index(None, "state", "id"),
    Index(None, "at_us"),
)
