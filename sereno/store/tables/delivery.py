"""What probes sent: results, runs, cursors, quarantine, status words, topologies."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, text

from sereno.store.tables.base import Serial, String, metadata

ODD = "outcome <> 'ok' OR reason IS NOT NULL"  # word for word in index and query, or neither database uses the index

CALLS = "\"check\" = 'call'"  # likewise

SECOND = "at_us / 1000000"  # likewise; of_elements puts the name of the table before it

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
    # A month's test calls, for reports; they are few, and so is what the index costs
    Index("ix_results_call", "at_us", sqlite_where=text(CALLS), postgresql_where=text(CALLS)),
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
