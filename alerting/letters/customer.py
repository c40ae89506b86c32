"""What a customer's contacts read: what it means for them, since when, until when; nothing of how we are built."""

from collections.abc import Collection

from alerting.effects import Row, What
from alerting.letters.facts import Reader, listed
from alerting.letters.incident import Letter
from sereno.incident import IncidentRecord

_HEADS = {
    "customer_opening": "Incident {number}: we are working on a fault of your service",
    "customer_progress": "Incident {number}: news",
    "customer_question": "Incident {number}: we need an answer from you",
    "customer_solution": "Incident {number}: solved",
}
_LEADS = {
    "customer_opening": "We found a fault that affects your service and are working on it.",
    "customer_progress": "This is how the work on your incident goes.",
    "customer_question": "To go on we need to know this from you. Please reply to this message.",
    "customer_solution": "Your service works again. Reply to this message if you see otherwise.",
}
_REQUESTS = {
    "customer_opening": "Request {number}: received",
    "customer_progress": "Request {number}: news",
    "customer_question": "Request {number}: we need an answer from you",
    "customer_solution": "Request {number}: done",
}
_REQUEST_LEADS = {
    "customer_opening": "We have your request and are working on it.",
    "customer_solution": "Your request is done. Reply to this message if you see otherwise.",
}


def customer_letter(
    record: IncidentRecord, what: What, reader: Reader, *, service: str, words: str, customer: str | None,
    sites: Collection[str],
) -> Letter:  # fmt: skip
    """The message; `words` is what people wrote for it, `sites` are the customer's own: of others it says nothing."""
    request = record.kind == "request"
    head = reader.say((_REQUESTS if request else _HEADS)[what], number=record.number)
    lead = reader.say((_REQUEST_LEADS if request else {}).get(what) or _LEADS[what])
    rows = [Row(reader.say("Service"), service), Row(reader.say("Number"), str(record.number))]
    if record.description and set(record.customers) <= {customer}:
        rows.append(Row(reader.say("Reported"), record.description))
    if own := [site for site in record.sites if site in sites]:
        rows.append(Row(reader.say("Sites"), listed(own)))
    rows.append(Row(reader.say("Since"), reader.moment(record.occurred_us or record.since_us)))
    if what == "customer_solution" and record.resolved_us is not None:
        rows.append(Row(reader.say("Good since"), reader.moment(record.resolved_us)))
    if what != "customer_solution" and (due_us := _solution_due(record, customer)) is not None:
        rows.append(Row(reader.say("Expected solution"), reader.moment(due_us)))
    lines = [lead, "", *(f"{row.label}: {row.text}" for row in rows)]
    if words:
        lines += ["", words]
    return Letter(subject=head, title=head, rows=tuple(rows), body="\n".join(lines), short=head)


def _solution_due(record: IncidentRecord, customer: str | None) -> int | None:
    """By the customer's own contract."""
    running = (one for one in record.clocks if one.clock == "solution" and one.state == "running")
    return min((one.due_us for one in running if one.customer == customer), default=None)
