"""History: runs in place of old results, sealed days of the ledger, and what late results changed of the past."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DAY_US = 86_400_000_000
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One function for each subject."""
    _results()
    _runs()
    _folding()
    _seals()
    _forensics()
    _collectors()
    _statuses()
    _names()  # last: every table of this revision has its names too


def _names() -> None:
    """On PostgreSQL a name may be as long as it is, and is ordered by code points; as on SQLite."""
    if op.get_bind().dialect.name != "postgresql":
        return
    names = sa.text(
        """SELECT attrelid::regclass::text, quote_ident(attname) FROM pg_attribute
           JOIN pg_class ON pg_class.oid = attrelid
           WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
           AND atttypid = 'varchar'::regtype AND NOT attisdropped AND relname <> 'alembic_version' ORDER BY 1, attnum"""
    )
    altered: dict[str, list[str]] = {}
    for table, column in op.get_bind().execute(names):
        altered.setdefault(table, []).append(f'ALTER COLUMN {column} TYPE text COLLATE "C"')
    for table, columns in altered.items():
        op.execute(f"ALTER TABLE {table} {', '.join(columns)}")


def _results() -> None:
    """Results lie in the order they come; on PostgreSQL in one partition per UTC day. What is there moves over."""
    bind = op.get_bind()
    apart = bind.dialect.name == "postgresql"
    op.execute("DROP INDEX ix_results_at_us")
    op.execute("ALTER TABLE results RENAME TO results_first")
    if apart:
        op.execute("ALTER TABLE results_first DROP CONSTRAINT pk_results")
    op.create_table(
        "results",
        sa.Column("probe", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("element", sa.String(length=140), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("arrived_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("probe", "boot", "seq", "at_us", name=op.f("pk_results")),
        postgresql_partition_by="RANGE (at_us)",
    )
    op.create_index(op.f("ix_results_at_us"), "results", ["at_us"], unique=False)
    if apart:
        op.create_index("ix_results_element_at_us", "results", ["element", "at_us"], unique=False)
        _partitions()
    else:
        op.create_index("ix_results_place", "results", [sa.text("(at_us / 1000000)"), "element"], unique=False)
    columns = 'probe, boot, seq, at_us, element, "check", outcome, reason, arrived_us, body'
    op.execute(f"INSERT INTO results ({columns}) SELECT {columns} FROM results_first ORDER BY at_us")  # noqa: S608
    op.execute("DROP TABLE results_first")


def _partitions() -> None:
    """The days that there are results of."""
    days = sa.text("SELECT DISTINCT div(at_us, :day) FROM results_first ORDER BY 1")
    for (day,) in op.get_bind().execute(days, {"day": DAY_US}).all():
        name = f"results_{datetime.fromtimestamp(int(day) * 86_400, UTC):%Y%m%d}"
        begin, end = int(day) * DAY_US, (int(day) + 1) * DAY_US
        op.execute(f"CREATE TABLE {name} PARTITION OF results FOR VALUES FROM ({begin}) TO ({end})")


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("element", sa.String(length=140), nullable=False),
        sa.Column("probe", sa.String(length=64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.Column("check", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("largest_gap_us", sa.BigInteger(), nullable=False),
        sa.Column("arrived_us", sa.BigInteger(), nullable=False),
        sa.Column("rtt_histogram", sa.Text(), nullable=True),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element", "probe", "from_us", "boot", "first_seq", name=op.f("pk_runs")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_runs_from_us"), "runs", ["from_us"], unique=False)


def _folding() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("at_us", name=op.f("pk_checkpoints")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stale_blocks",
        sa.Column("block_us", sa.BigInteger(), nullable=False),
        sa.Column("arrived_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_us", name=op.f("pk_stale_blocks")),
        sqlite_with_rowid=False,
    )


def _seals() -> None:
    op.create_table(
        "ledger_days",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("day_us", sa.BigInteger(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("sealed_us", sa.BigInteger(), nullable=False),
        sa.Column("revises", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_days")),
    )
    op.create_index(op.f("ix_ledger_from_us"), "ledger", ["from_us"], unique=False)
    op.create_index(op.f("ix_ledger_days_day_us_id"), "ledger_days", ["day_us", "id"], unique=False)
    op.create_table(
        "ledger_revisions",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("noted_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.Column("was", sa.String(length=16), nullable=False),
        sa.Column("became", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_revisions")),
    )
    op.create_index(op.f("ix_ledger_revisions_noted_us"), "ledger_revisions", ["noted_us"], unique=False)


def _forensics() -> None:
    """What happened in a window is asked of tables that were only ever read by element or by number."""
    odd = sa.text("outcome <> 'ok' OR reason IS NOT NULL")
    op.create_index("ix_results_odd", "results", ["at_us"], sqlite_where=odd, postgresql_where=odd)
    for table, columns in (
        ("quarantine", ["arrived_us"]),
        ("probe_events", ["probe", "at_us"]),
        ("verdict_changes", ["at_us"]),
        ("incident_timeline", ["at_us"]),
        ("outbox", ["created_us"]),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)


def _collectors() -> None:
    op.create_table(
        "leaderships",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_leaderships")),
    )
    op.create_table(
        "collectors",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("broker", sa.Boolean(), nullable=True),
        sa.Column("page", sa.String(length=200), nullable=True),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_collectors")),
    )


def _statuses() -> None:
    op.create_table(
        "probe_statuses",
        sa.Column("probe", sa.String(length=64), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("probe", name=op.f("pk_probe_statuses")),
    )
