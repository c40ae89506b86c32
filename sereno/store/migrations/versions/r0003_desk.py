"""The desk: steps that fall due, on-call overrides, silences, problems, messages, activities, alarms of others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _name(length: int) -> sa.types.String:
    """A name of about this length; on PostgreSQL text that is ordered by code points."""
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """One function for each subject."""
    _steps()
    _on_call()
    _silences()
    _problems()
    _messages()
    _mails()
    _activities()
    _others()
    _measures()
    _outbox()


def _steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("key", _name(160), nullable=False),
        sa.Column("incident", sa.BigInteger(), nullable=True),
        sa.Column("kind", _name(24), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("state", _name(12), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("key", name=op.f("uq_steps_key")),
    )
    op.create_index(op.f("ix_steps_incident"), "steps", ["incident"], unique=False)
    op.create_index(op.f("ix_steps_state_due_us"), "steps", ["state", "due_us"], unique=False)


def _on_call() -> None:
    op.create_table(
        "rota_overrides",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("level", _name(64), nullable=False),
        sa.Column("person", _name(64), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rota_overrides")),
    )
    op.create_table(
        "rota_feeds",
        sa.Column("rota", _name(64), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("tried_us", sa.BigInteger(), nullable=False),
        sa.Column("read_us", sa.BigInteger(), nullable=True),
        sa.Column("copy", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("rota", name=op.f("pk_rota_feeds")),
    )


def _silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("alarm", _name(40), nullable=True),
        sa.Column("kind", _name(16), nullable=True),
        sa.Column("name", _name(140), nullable=True),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("to_us", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )


def _problems() -> None:
    op.create_table(
        "problems",
        sa.Column("number", SERIAL, autoincrement=True, nullable=False),
        sa.Column("state", _name(16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_problems")),
    )


def _messages() -> None:
    op.create_table(
        "incident_messages",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("maintenance", sa.BigInteger(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("direction", _name(8), nullable=False),
        sa.Column("kind", _name(16), nullable=False),
        sa.Column("customer", _name(64), nullable=True),
        sa.Column("address", _name(254), nullable=True),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("outbox_key", _name(160), nullable=True),
        sa.Column("message_id", _name(254), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_messages")),
    )
    op.create_index(op.f("ix_incident_messages_maintenance"), "incident_messages", ["maintenance"], unique=False)
    op.create_index(op.f("ix_incident_messages_message_id"), "incident_messages", ["message_id"], unique=False)
    op.create_index(op.f("ix_incident_messages_number_id"), "incident_messages", ["number", "id"], unique=False)


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("mailbox", _name(200), nullable=False),
        sa.Column("uid", _name(64), nullable=False),
        sa.Column("message_id", _name(254), nullable=True),
        sa.Column("sender", _name(254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("outcome", _name(16), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("mailbox", "uid", name=op.f("uq_mails_mailbox_uid")),
    )
    op.create_index(op.f("ix_mails_message_id"), "mails", ["message_id"], unique=False)


def _activities() -> None:
    op.create_table(
        "activities",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("customer", _name(64), nullable=False),
        sa.Column("incident", sa.BigInteger(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_us", sa.BigInteger(), nullable=True),
        sa.Column("told_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
    )
    op.create_index(op.f("ix_activities_customer_due_us"), "activities", ["customer", "due_us"], unique=False)


def _others() -> None:
    op.create_table(
        "external_alerts",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("source", _name(64), nullable=False),
        sa.Column("fingerprint", _name(64), nullable=False),
        sa.Column("starts_us", sa.BigInteger(), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("name", _name(140), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_alerts")),
        sa.UniqueConstraint(
            *("source", "fingerprint", "starts_us", "status"),
            name=op.f("uq_external_alerts_source_fingerprint_starts_us_status"),
        ),
    )
    op.create_index(op.f("ix_external_alerts_name"), "external_alerts", ["name"])
    op.create_index(op.f("ix_external_alerts_received_us"), "external_alerts", ["received_us"])


def _measures() -> None:
    op.create_table(
        "measure_hours",
        sa.Column("element", _name(140), nullable=False),
        sa.Column("measure", _name(40), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("element", "measure", "hour_us", name=op.f("pk_measure_hours")),
        sqlite_with_rowid=False,
    )


def _outbox() -> None:
    """An attempt under way is known as such: after a crash nobody can say whether it got through."""
    for name in ("begun_us", "deadline_us", "told_us"):
        op.add_column("outbox", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("outbox", sa.Column("what", _name(24), nullable=True))
    op.add_column("outbox", sa.Column("page", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_outbox_incident"), "outbox", ["incident"], unique=False)
    op.create_table(
        "bundles",
        sa.Column("recipient", _name(120), nullable=False),
        sa.Column("channel", _name(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "channel", name=op.f("pk_bundles")),
        sqlite_with_rowid=False,
    )
