"""Accounts, sessions, invitations, tokens, the audit log, reports that were issued."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        (
            "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append only'; END $$"
        ),
        (
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit "
            "FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        ),
    ],
}


def _name(length: int) -> sa.types.String:
    """A name of about this length; on PostgreSQL text that is ordered by code points."""
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """One function for each table."""
    _users()
    _sessions()
    _invitations()
    _login_failures()
    _api_tokens()
    _audit()
    _report_issues()
    op.create_index(op.f("ix_commands_at_us"), "commands", ["at_us"], unique=False)
    calls = sa.text("\"check\" = 'call'")
    op.create_index("ix_results_call", "results", ["at_us"], sqlite_where=calls, postgresql_where=calls)


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("name", _name(64), nullable=False),
        sa.Column("role", _name(16), nullable=False),
        sa.Column("customers", sa.Text(), nullable=False),
        sa.Column("locale", _name(16), nullable=False),
        sa.Column("email", _name(254), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("subject", _name(254), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("disabled_us", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sa.UniqueConstraint("subject", name=op.f("uq_users_subject")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sqlite_with_rowid=False,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("user", _name(64), nullable=False),
        sa.Column("user_version", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("address", _name(64), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_sessions_expires_us"), "sessions", ["expires_us"], unique=False)
    op.create_index(op.f("ix_sessions_user"), "sessions", ["user"], unique=False)


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("user", _name(64), nullable=True),
        sa.Column("role", _name(16), nullable=False),
        sa.Column("customers", sa.Text(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("who", _name(80), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
        sqlite_with_rowid=False,
    )


def _login_failures() -> None:
    op.create_table(
        "login_failures",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("user", _name(64), nullable=False),
        sa.Column("address", _name(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_at_us"), "login_failures", ["at_us"], unique=False)
    op.create_index(op.f("ix_login_failures_address_at_us"), "login_failures", ["address", "at_us"], unique=False)
    op.create_index(op.f("ix_login_failures_user_at_us"), "login_failures", ["user", "at_us"], unique=False)


def _api_tokens() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("name", _name(64), nullable=False),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("customers", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("who", _name(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
    )
    op.create_index(op.f("ix_api_tokens_name"), "api_tokens", ["name"], unique=False)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("how", _name(16), nullable=False),
        sa.Column("address", _name(64), nullable=True),
        sa.Column("what", _name(40), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("outcome", _name(16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at_us"), "audit", ["at_us"], unique=False)
    op.create_index(op.f("ix_audit_who_at_us"), "audit", ["who", "at_us"], unique=False)
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)


def _report_issues() -> None:
    op.create_table(
        "report_issues",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("key", _name(160), nullable=False),
        sa.Column("customer", _name(64), nullable=False),
        sa.Column("site", _name(64), nullable=True),
        sa.Column("month", _name(8), nullable=False),
        sa.Column("edition", _name(16), nullable=False),
        sa.Column("language", _name(8), nullable=False),
        sa.Column("data_hash", _name(64), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("who", _name(80), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_issues")),
        sa.UniqueConstraint("key", name=op.f("uq_report_issues_key")),
    )
    op.create_index(op.f("ix_report_issues_customer_month"), "report_issues", ["customer", "month"], unique=False)
