"""Orders that come from outside with more than one incident's number: each with the desk's machine, in its round."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from alerting import trial
from alerting.desk import DeskMachine
from alerting.effects import Effect
from alerting.external import Reading, expire_alerts, take_alerts
from alerting.mailbox import Letter, take_mail
from sereno.alertmanager import Told
from sereno.desk.inbound import Alerts
from sereno.store.commands import Command

Taken = tuple[str, list[Effect]]  # what was done in words, and what the machine decided
InboundHandler = Callable[[Connection, DeskMachine, Command, int], Taken]


def _reading(machine: DeskMachine) -> Reading:
    alerts = machine.model.inbound.alerts if machine.model is not None else Alerts(gravity={})
    return Reading(machine.topology, machine.alarms, alerts)


def _alerts(connection: Connection, machine: DeskMachine, command: Command, now_us: int) -> Taken:
    told = msgspec.convert(command.arguments["alerts"], type=list[Told])
    fresh, known = take_alerts(connection, _reading(machine), str(command.arguments["source"]), told, now_us)
    return f"{fresh} alertas nuevas, {known} conocidas", []


def _expire(connection: Connection, machine: DeskMachine, command: Command, now_us: int) -> Taken:
    gone = expire_alerts(connection, _reading(machine), int(command.arguments["before_us"]), now_us)
    return f"{gone} alertas que ya nadie repite", []


def _mail(connection: Connection, machine: DeskMachine, command: Command, now_us: int) -> Taken:
    asked = command.arguments
    letter = msgspec.convert(asked["letter"], type=Letter)
    return take_mail(connection, machine, str(asked["mailbox"]), str(asked["uid"]), letter, now_us)


HANDLERS: dict[str, InboundHandler] = {
    "external.alerts": _alerts,
    "external.expire": _expire,
    "mail.take": _mail,
    trial.VERB: trial.ordered,
}
