"""A desk whose customers have contacts and mail, and short words for what people do to it."""

from alerting_bench import DESK, T0, TOPOLOGY, Bench, S

from alerting.effects import Notification
from sereno.clock import iso
from sereno.incident import IncidentRecord

CONTACTS = TOPOLOGY.replace(
    "contract: callmyway}", "contract: callmyway, locale: es_CR, contacts: [noc@acme.example]}"
).replace("contract: wekall}", "contract: wekall, locale: en_US, contacts: [it@beta.example]}")
MAIL = DESK.replace(
    "channels: {",
    'survey: "https://s.example/{number}"\nchannels: {mail: {smtp: "smtp://127.0.0.1:1", from: mesa@op.example}, ',
)
REPORT = {
    "reporter": "Luis Mora", "extension": "101", "direction": "saliente", "counterpart": "+50622221111",
    "occurred": "2026-07-11T02:00:00-05:00", "description": "no sale ninguna llamada",
}  # fmt: skip
H = 3_600.0


def act(bench: Bench, at: float, verb: str, **arguments: object) -> int | None:
    """Any verb, also those that are about no incident yet."""
    bench.effects += bench.desk.command(verb, arguments, "ana", T0 + round(at * S))
    return bench.desk.made


def dues(record: IncidentRecord, clock: str) -> list[tuple[str, str]]:
    return [(iso(one.due_us), one.state) for one in record.clocks if one.clock == clock]


def letters(bench: Bench, what: str) -> list[Notification]:
    return bench.told(f"customer_{what}")
