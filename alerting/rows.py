"""Messages to customers, problems and activities as rows: written where they changed, read back at start."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerting.effects import Effect, MessageAdded
from alerting.papers import Papers
from sereno.activity import Activity
from sereno.problem import ProblemRecord
from sereno.store.tables import activities, incident_messages, problems


class Rows:
    """What the store holds of them, so that a round writes only what it changed."""

    def __init__(self) -> None:
        self._problems: Mapping[int, ProblemRecord] = {}
        self._activities: Mapping[int, Activity] = {}

    def load(self, connection: Connection) -> tuple[tuple[ProblemRecord, ...], tuple[Activity, ...]]:
        """(problems, activities), each by number."""
        return tuple(read_problems(connection)), tuple(read_activities(connection))

    def write(self, connection: Connection, papers: Papers, effects: Iterable[Effect]) -> None:
        """Every message that was said, and each record that is another than the store's."""
        said = [_message(effect) for effect in effects if isinstance(effect, MessageAdded)]
        if said:
            connection.execute(insert(incident_messages), said)
        for number, problem in papers.problems.records.items():
            _keep(connection, problem, self._problems.get(number))
        for number, activity in papers.activities.records.items():
            _hold(connection, activity, self._activities.get(number))

    def wrote(self, papers: Papers) -> None:
        """The round is committed."""
        self._problems = dict(papers.problems.records)
        self._activities = dict(papers.activities.records)


def read_problems(connection: Connection) -> list[ProblemRecord]:
    """All of them, by number."""
    rows = connection.execute(select(problems.c.body).order_by(problems.c.number))
    return [msgspec.json.decode(row.body, type=ProblemRecord) for row in rows]


def read_activities(connection: Connection) -> list[Activity]:
    """All of them, by number."""
    names = [column.name for column in activities.c]
    rows = connection.execute(select(activities).order_by(activities.c.id))
    return [Activity(**{name: getattr(row, name) for name in names}) for row in rows]


def _keep(connection: Connection, problem: ProblemRecord, known: ProblemRecord | None) -> None:
    if problem is known:
        return
    values = {
        "state": problem.state,
        "title": problem.title,
        "opened_us": problem.opened_us,
        "closed_us": problem.closed_us,
        "body": msgspec.json.encode(problem).decode(),
    }
    if known is None:
        connection.execute(insert(problems).values(number=problem.number, **values))
    else:
        connection.execute(update(problems).where(problems.c.number == problem.number).values(**values))


def _hold(connection: Connection, activity: Activity, known: Activity | None) -> None:
    if activity is known:
        return
    values = msgspec.structs.asdict(activity)
    number = values.pop("id")
    if known is None:
        connection.execute(insert(activities).values(id=number, **values))
    else:
        connection.execute(update(activities).where(activities.c.id == number).values(**values))


def _message(effect: MessageAdded) -> dict[str, object]:
    return msgspec.structs.asdict(effect)


__all__ = ["Rows", "read_activities", "read_problems"]
