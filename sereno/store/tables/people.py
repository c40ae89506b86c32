"""Accounts, sessions, tokens, what people did, and the reports that were issued."""

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from sereno.store.tables.base import Serial, String, metadata

users = Table(  # who may log in, and as what
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),  # viewer | operator | manager | admin
    Column("customers", Text, nullable=False),  # of a manager: JSON list of names
    Column("locale", String(16), nullable=False),
    Column("email", String(254)),
    Column("password", Text),  # argon2id; NULL: none set yet, or only by OIDC
    Column("subject", String(254)),  # of OIDC: issuer and sub
    Column("created_us", BigInteger, nullable=False),
    Column("disabled_us", BigInteger),
    Column("version", Integer, nullable=False, default=1),  # grows with every change: older sessions end
    UniqueConstraint("subject"),
    sqlite_with_rowid=False,
)

sessions = Table(  # a browser that logged in; known by the hash of what its cookie says
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user", String(64), nullable=False),
    Column("user_version", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("address", String(64)),
    Column("agent", Text),
    Index(None, "user"),
    Index(None, "expires_us"),
    sqlite_with_rowid=False,
)

invitations = Table(  # one-time links: the first administrator, a new account, a forgotten password
    "invitations",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user", String(64)),  # NULL: whoever comes first makes the first account
    Column("role", String(16), nullable=False),
    Column("customers", Text, nullable=False),  # of a manager: JSON list of names
    Column("first", Boolean, nullable=False),  # of the first administrator: opens nothing once there is one
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),
    Column("who", String(80), nullable=False),
    sqlite_with_rowid=False,
)

login_failures = Table(  # of late, by name and by address: what the rate limit counts, over restarts too
    "login_failures",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("user", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Index(None, "at_us"),
    Index(None, "user", "at_us"),
    Index(None, "address", "at_us"),
)

api_tokens = Table(  # of programs; known by their hash alone
    "api_tokens",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("customers", Text, nullable=False),  # JSON list; empty: of all
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
    Column("used_us", BigInteger),
    Column("who", String(80), nullable=False),
    UniqueConstraint("digest"),
    Index(None, "name"),
)

audit = Table(  # what people did; append only
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("who", String(80), nullable=False),
    Column("how", String(16), nullable=False),  # web | cli | api | link | oidc
    Column("address", String(64)),
    Column("what", String(40), nullable=False),  # login, logout, user.add, report.issue …
    Column("about", Text, nullable=False),
    Column("outcome", String(16), nullable=False),  # done | refused
    Index(None, "at_us"),
    Index(None, "who", "at_us"),
)

APPEND_ONLY = {  # what is written stays as it is, whoever asks (a restore replaces the table as a whole)
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
for dialect, statements in APPEND_ONLY.items():
    for statement in statements:
        event.listen(audit, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]

report_issues = Table(  # every report that left the house: the model it was made from, so that it can be made again
    "report_issues",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),  # what makes it one: customer, site, month, edition, language, hash
    Column("customer", String(64), nullable=False),
    Column("site", String(64)),
    Column("month", String(8), nullable=False),
    Column("edition", String(16), nullable=False),  # full | executive
    Column("language", String(8), nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("who", String(80), nullable=False),
    Column("model", LargeBinary, nullable=False),  # JSON, zlib
    UniqueConstraint("key"),
    Index(None, "customer", "month"),
)
