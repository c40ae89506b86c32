"""Every table. Instants are integer microseconds UTC. JSON bodies are text written by msgspec.

One writer: the active collector. Alerting, in the same process, writes its own tables in its own transactions.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
    types,
)

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
ODD = "outcome <> 'ok' OR reason IS NOT NULL"  # word for word in index and query, or neither database uses the index

SECOND = "at_us / 1000000"  # likewise; of_elements puts the name of the table before it

# -- collector: results and delivery ---------------------------------------------------------------------------------

results = Table(  # rows lie in the order they came in, which is nearly that of time (docs/adr/0018)
    "results",
    metadata,
    Column("probe", String(64), primary_key=True),
    Column("boot", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("element", String(140), nullable=False),  # "sbc-1/core-a", "sbc-1", or the target's name
    Column("check", String(16), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("reason", String(20)),
    Column("arrived_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),  # the result as on the wire
    Index(None, "at_us"),
    # Where one element's results lie (queries/results.py, of_elements). By the second first: an index by element alone
    # has a place of its own for every element, and writing a thousand of those a second is dearer than all the rest.
    Index("ix_results_place", text(f"({SECOND})"), "element").ddl_if(dialect="sqlite"),
    Index("ix_results_element_at_us", "element", "at_us").ddl_if(dialect="postgresql"),
    # What is not plainly ok: rows that are pay nothing for it (forensics asks what failed anywhere in a window)
    Index("ix_results_odd", "at_us", sqlite_where=text(ODD), postgresql_where=text(ODD)),
    postgresql_partition_by="RANGE (at_us)",  # one partition a UTC day: store/partitions.py
)

runs = Table(  # many results of one series that say the same, in place of their rows (docs/store.md)
    "runs",
    metadata,
    Column("element", String(140), primary_key=True),
    Column("probe", String(64), primary_key=True),
    Column("from_us", BigInteger, primary_key=True),  # `at` of the first
    Column("boot", String(64), primary_key=True),
    Column("first_seq", BigInteger, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),  # `at` of the last, on the same UTC day
    Column("check", String(16), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("reason", String(20)),
    Column("count", BigInteger, nullable=False),
    Column("largest_gap_us", BigInteger, nullable=False),
    Column("arrived_us", BigInteger, nullable=False),  # of the last to come
    Column("rtt_histogram", Text),
    Column("samples", LargeBinary, nullable=False),  # what a fold needs of each
    Column("body", Text, nullable=False),  # the first result, as on the wire
    Index(None, "from_us"),
    sqlite_with_rowid=False,
)

checkpoints = Table(  # a cache: where the ledger's fold stood; rebuilt from the results wherever one is missing
    "checkpoints",
    metadata,
    Column("at_us", BigInteger, primary_key=True),  # everything sent before this was folded
    Column("basis", String(64), nullable=False),  # stands for the topologies and contracts that it was folded by
    Column("state", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

stale_blocks = Table(  # hours of the ledger that results came for after they were over
    "stale_blocks",
    metadata,
    Column("block_us", BigInteger, primary_key=True),
    Column("arrived_us", BigInteger, nullable=False),  # of the last of them
    sqlite_with_rowid=False,
)

cursors = Table(
    "cursors",
    metadata,
    Column("probe", String(64), primary_key=True),
    Column("boot", String(64), primary_key=True),
    Column("ranges", Text, nullable=False),  # [[from, to], …] closed, committed (quarantined seqs included)
    Column("oldest", BigInteger, nullable=False, default=1),  # what lies below it uncommitted is a permanent hole
    sqlite_with_rowid=False,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("probe", String(64), nullable=False),
    Column("boot", String(64)),
    Column("seq", BigInteger),
    Column("arrived_us", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index(None, "arrived_us"),
)

probe_events = Table(  # status messages as they came: the engine replays them with the results
    "probe_events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("probe", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # online | offline
    Column("boot", String(64)),
    Column("at_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "probe", "at_us"),
)

probe_statuses = Table(  # the newest status of each probe, which probe_events keeps only where it says something new
    "probe_statuses",
    metadata,
    Column("probe", String(64), primary_key=True),
    Column("at_us", BigInteger, nullable=False),  # when it came
    Column("body", Text, nullable=False),
)

topologies = Table(
    "topologies",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("from_us", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("topology", Text, nullable=False),  # canonical JSON of the validated model
    Column("desk", Text),
    Column("beside", Text),  # the folder of the files, where contracts and alarms are looked for first
)

# -- collector: verdicts and ledger ------------------------------------------------------------------------------------

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

# -- leadership and commands ------------------------------------------------------------------------------------------

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
)

# -- alerting ---------------------------------------------------------------------------------------------------------

positions = Table(  # how far a reader has come in verdict_changes
    "positions",
    metadata,
    Column("reader", String(40), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("state", String(16), nullable=False),
    Column("class", String(8), nullable=False),  # service | monitor
    Column("priority", String(8), nullable=False),
    Column("cause_kind", String(16), nullable=False),
    Column("cause_name", String(140), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("resolved_us", BigInteger),
    Column("closed_us", BigInteger),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),  # the machine's own record, from which it is rebuilt
    Index(None, "state"),
)

incident_timeline = Table(  # append only
    "incident_timeline",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("number", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("who", String(80), nullable=False),
    Index(None, "number", "id"),
    Index(None, "at_us"),
)

alarm_states = Table(
    "alarm_states",
    metadata,
    Column("alarm", String(40), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("name", String(140), primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),  # one delivery: incident, step, person, channel
    Column("incident", BigInteger),
    Column("channel", String(64), nullable=False),
    Column("recipient", String(120), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("state", String(8), nullable=False, default="pending"),  # pending | sent | failed
    Column("attempts", Integer, nullable=False, default=0),
    Column("handed_us", BigInteger),
    Column("receipt", Text),
    Column("error", Text),
    UniqueConstraint("key"),
    Index(None, "state", "due_us"),
    Index(None, "created_us"),
)
