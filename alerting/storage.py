"""The desk's machine and the store: written after each round in one transaction, rebuilt from it at start."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from alerting import silence_rows
from alerting.bundle import as_rows, from_rows
from alerting.causes import Key
from alerting.desk import DeskMachine, DeskSnapshot
from alerting.effects import Effect, Notification, TimelineAdded
from alerting.escalation import rows as step_rows
from alerting.escalation.step import StepChanged
from alerting.machine import AlarmState
from alerting.rows import Rows
from sereno.alarms.silence import Silence
from sereno.incident import IncidentRecord, encode_record
from sereno.store.changes import changes_after, last_said
from sereno.store.desk import incidents as read_incidents
from sereno.store.tables import alarm_states, bundles, incident_timeline, incidents, outbox, positions
from sereno.verdict import Change

READER = "alerting"
CLOCK = "alerting.clock"  # how far the machine's own time has come, beside how far it has read
BATCH = 1_000


class Memory:
    """What the store holds of the machine, so that a round writes only what it changed."""

    def __init__(self) -> None:
        self.position = 0
        self._records: dict[int, IncidentRecord] = {}
        self._alarms: dict[Key, AlarmState] = {}
        self._bundles: dict[tuple[str, str], str] = {}
        self._silences: dict[int, Silence] = {}
        self._steps: set[str] = set()  # keys that have a row
        self._papers = Rows()

    def load(self, connection: Connection, machine: DeskMachine) -> None:
        """Rebuild the machine as it was after its last committed round."""
        marks = {row.reader: int(row.position) for row in connection.execute(select(positions))}
        self.position = marks.get(READER, 0)
        records = read_incidents(connection)
        alarms = [msgspec.json.decode(row.body, type=AlarmState) for row in connection.execute(select(alarm_states))]
        problems, activities = self._papers.load(connection)
        machine.restore(
            DeskSnapshot(
                now_us=marks.get(CLOCK, 0),
                dirty_us=None,
                next_number=max((record.number for record in records), default=0) + 1,
                world=tuple(last_said(connection, self.position).values()),
                alarms=tuple(alarms),
                incidents=tuple(records),
                bundles=from_rows(connection.execute(select(bundles.c.body)).scalars()),
                silences=silence_rows.load(connection),
                steps=step_rows.load(connection),
                problems=problems,
                activities=activities,
            )
        )
        self._papers.wrote(machine.papers)
        self._bundles = as_rows(machine.teller.bundler.bundles)
        self._records = {record.number: record for record in machine.incidents()}
        self._alarms = {state.key: state for state in alarms}
        self._silences = dict(machine.silences.known)
        self._steps = {step.key for step in machine.escalation.steps.values()}

    def news(self, connection: Connection) -> list[tuple[int, Change]]:
        """What was said since the last round, at most a batch of it."""
        return changes_after(connection, self.position, BATCH)

    def take_steps(self, connection: Connection, machine: DeskMachine, now_us: int) -> None:
        """What falls due in this round is nobody else's to do."""
        step_rows.take(connection, machine.escalation.due(now_us), self._steps)

    def write(
        self, connection: Connection, machine: DeskMachine, effects: Sequence[Effect], position: int, now_us: int
    ) -> int:
        """The round: incidents, timelines, alarms, messages to send, position. How many messages."""
        self._write_incidents(connection, machine)
        messages = 0
        changed = [effect.step for effect in effects if isinstance(effect, StepChanged)]
        step_rows.write(connection, changed)
        self._steps |= {step.key for step in changed}
        for effect in effects:
            if isinstance(effect, TimelineAdded):
                entry = effect.entry
                connection.execute(
                    insert(incident_timeline).values(
                        number=effect.number, at_us=entry.at_us, what=entry.what, who=entry.who
                    )
                )
            elif isinstance(effect, Notification):
                messages += 1
                connection.execute(insert(outbox).values(**_message(machine, effect, now_us)))
        self._papers.write(connection, machine.papers, effects)
        self._write_alarms(connection, machine)
        self._write_bundles(connection, machine)
        silence_rows.write(connection, machine.silences.known, self._silences)
        _mark(connection, READER, position)
        _mark(connection, CLOCK, machine.now_us)
        return messages

    def wrote(self, machine: DeskMachine, position: int) -> None:
        """The round is committed."""
        self.position = position
        self._records = {record.number: record for record in machine.incidents()}
        self._alarms = machine.remembered()
        self._silences = dict(machine.silences.known)
        self._bundles = as_rows(machine.teller.bundler.bundles)
        self._papers.wrote(machine.papers)

    def _write_incidents(self, connection: Connection, machine: DeskMachine) -> None:
        for record in machine.incidents():
            known = self._records.get(record.number)
            if record is known:
                continue
            values = {
                "state": record.state,
                "class": record.class_,
                "priority": record.priority,
                "cause_kind": record.cause.kind,
                "cause_name": record.cause.name,
                "since_us": record.since_us,
                "opened_us": record.opened_us,
                "resolved_us": record.resolved_us,
                "closed_us": record.closed_us,
                "version": record.version,
                "body": encode_record(record),
            }
            if known is None:
                connection.execute(insert(incidents).values(number=record.number, **values))
            else:
                connection.execute(update(incidents).where(incidents.c.number == record.number).values(**values))

    def _write_alarms(self, connection: Connection, machine: DeskMachine) -> None:
        remembered = machine.remembered()
        for key in self._alarms.keys() - remembered.keys():
            connection.execute(delete(alarm_states).where(_is(key)))
        for key, state in remembered.items():
            known = self._alarms.get(key)
            if state is known:
                continue
            body = msgspec.json.encode(state).decode()
            if known is None:
                connection.execute(insert(alarm_states).values(alarm=key[0], kind=key[1], name=key[2], body=body))
            else:
                connection.execute(update(alarm_states).where(_is(key)).values(body=body))

    def _write_bundles(self, connection: Connection, machine: DeskMachine) -> None:
        now = as_rows(machine.teller.bundler.bundles)
        columns = bundles.c
        for recipient, channel in {key for key in self._bundles if self._bundles[key] != now.get(key)}:
            connection.execute(delete(bundles).where(columns.recipient == recipient, columns.channel == channel))
        for (recipient, channel), body in now.items():
            if self._bundles.get((recipient, channel)) != body:
                connection.execute(insert(bundles).values(recipient=recipient, channel=channel, body=body))


def _is(key: Key) -> ColumnElement[bool]:
    return and_(alarm_states.c.alarm == key[0], alarm_states.c.kind == key[1], alarm_states.c.name == key[2])


def _mark(connection: Connection, reader: str, position: int) -> None:
    moved = connection.execute(update(positions).where(positions.c.reader == reader).values(position=position))
    if moved.rowcount == 0:
        connection.execute(insert(positions).values(reader=reader, position=position))


def _message(machine: DeskMachine, effect: Notification, now_us: int) -> dict[str, object]:
    return {
        "key": effect.key,
        "incident": effect.incident or None,
        "what": effect.what,
        "page": int(effect.page),
        "deadline_us": now_us + machine.teller.deadline_us(effect),
        "channel": effect.channel,
        "recipient": effect.to,
        "created_us": now_us,
        "due_us": now_us,
        "message": msgspec.json.encode(effect).decode(),
        "state": "pending",
        "attempts": 0,
    }
