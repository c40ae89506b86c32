"""The desk: incidents and all that people do with them."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from sereno.store.tables.base import Serial, String, metadata

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
    Column("state", String(8), nullable=False, default="pending"),  # sent | failed | expired | obsolete
    Column("attempts", Integer, nullable=False, default=0),
    Column("begun_us", BigInteger),  # of the attempt under way: after a crash nobody knows whether it got through
    Column("handed_us", BigInteger),
    Column("receipt", Text),
    Column("error", Text),
    Column("what", String(24)),
    Column("page", Integer),  # 1: it wakes somebody
    Column("deadline_us", BigInteger),  # not handed over by then it is not handed over at all
    Column("told_us", BigInteger),  # when the desk was told that this page has no receipt
    UniqueConstraint("key"),
    Index(None, "state", "due_us"),
    Index(None, "created_us"),
    Index(None, "incident"),
)

bundles = Table(  # the present minute of each person on each channel: what went singly, what waits for a list
    "bundles",
    metadata,
    Column("recipient", String(120), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

# -- what falls due, and when it was done (docs/escalation.md) ---------------------------------------------------------

steps = Table(  # one row for everything that must happen at a time: pages, re-pages, warnings, closings
    "steps",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("key", String(160), nullable=False),  # what makes it one step: incident, episode, level, round
    Column("incident", BigInteger),
    Column("kind", String(24), nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("state", String(12), nullable=False, default="pending"),  # pending | done | cancelled
    Column("done_us", BigInteger),
    Column("body", Text, nullable=False),
    UniqueConstraint("key"),
    Index(None, "state", "due_us"),
    Index(None, "incident"),
)

rota_overrides = Table(  # somebody else is on call for a while
    "rota_overrides",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("level", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("who", String(80), nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("cancelled_us", BigInteger),
)

rota_feeds = Table(  # the last good copy of every calendar feed that says who is on call
    "rota_feeds",
    metadata,
    Column("rota", String(64), primary_key=True),
    Column("place", Text, nullable=False),  # stands for what it was read from: another place makes it another feed
    Column("tried_us", BigInteger, nullable=False),
    Column("read_us", BigInteger),  # of the copy
    Column("copy", LargeBinary),
    Column("error", Text),  # of the last try, NULL: it was read
)

silences = Table(  # alarms that people do not want to hear of for a while, with the reason
    "silences",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("alarm", String(40)),  # NULL: any
    Column("kind", String(16)),
    Column("name", String(140)),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("who", String(80), nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("cancelled_us", BigInteger),
)

# -- people and customers ---------------------------------------------------------------------------------------------

problems = Table(  # ITIL: what recurs and wants its root cause found
    "problems",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("state", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("body", Text, nullable=False),
)

incident_messages = Table(  # what was said to the customer's contacts, and what they answered; append only
    "incident_messages",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("number", BigInteger),  # of the incident
    Column("maintenance", BigInteger),  # of the window, where the message announces one
    Column("at_us", BigInteger, nullable=False),
    Column("direction", String(8), nullable=False),  # out | in
    Column("kind", String(16), nullable=False),  # opening | progress | question | solution | maintenance | answer
    Column("customer", String(64)),
    Column("address", String(254)),
    Column("who", String(80), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("outbox_key", String(160)),  # its delivery and receipt
    Column("message_id", String(254)),  # RFC 5322 §3.6.4, by which replies are recognised
    Index(None, "number", "id"),
    Index(None, "maintenance"),
    Index(None, "message_id"),
)

mails = Table(  # every message that a mailbox gave us, taken once
    "mails",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("mailbox", String(200), nullable=False),
    Column("uid", String(64), nullable=False),  # UIDVALIDITY/UID (RFC 3501 §2.3.1.1)
    Column("message_id", String(254)),
    Column("sender", String(254), nullable=False),
    Column("subject", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("outcome", String(16), nullable=False),  # opened | answered | acknowledged | refused
    Column("why", Text),
    Column("number", BigInteger),
    UniqueConstraint("mailbox", "uid"),
    Index(None, "message_id"),
)

activities = Table(  # agreed activities of a contract (SOW): due, done, with what evidence
    "activities",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("customer", String(64), nullable=False),
    Column("incident", BigInteger),
    Column("what", Text, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Column("evidence", Text),
    Column("who", String(80), nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("cancelled_us", BigInteger),
    Column("told_us", BigInteger),  # when the desk heard that it is late
    Index(None, "customer", "due_us"),
)

# -- alarms of others, and what alarms compare with --------------------------------------------------------------------

external_alerts = Table(  # what Alertmanager said, once each (fingerprint, startsAt, status)
    "external_alerts",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("source", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("starts_us", BigInteger, nullable=False),
    Column("status", String(12), nullable=False),  # firing | resolved
    Column("received_us", BigInteger, nullable=False),  # when it was heard last
    Column("name", String(140), nullable=False),  # of the cause that it is a part of
    Column("body", Text, nullable=False),
    UniqueConstraint("source", "fingerprint", "starts_us", "status"),
    Index(None, "name"),
    Index(None, "received_us"),
)

measure_hours = Table(  # a cache: past hours of what is compared with them (last week's median); rebuilt where missing
    "measure_hours",
    metadata,
    Column("element", String(140), primary_key=True),
    Column("measure", String(40), primary_key=True),
    Column("hour_us", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)
