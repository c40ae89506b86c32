"""Who is told and how: the frozen model of `desk.yaml`."""

from typing import Annotated

from pydantic import Field

from sereno.desk.channels import ChannelConfig
from sereno.desk.customers import CustomerMail, Recurrence
from sereno.desk.inbound import Api, Inbound, Secrets
from sereno.desk.notifications import Heartbeat, Notifications
from sereno.desk.people import Level, Person, Rota
from sereno.desk.reports import Reports
from sereno.desk.web import Web
from sereno.shape import Frozen, Name, Text


class Desk(Frozen):
    """The whole file. `contract` is the operator's own desk: matrix, priorities, calendars."""

    contract: Name
    channels: Annotated[dict[Name, ChannelConfig], Field(default_factory=dict)]
    people: Annotated[dict[Name, Person], Field(default_factory=dict)]
    levels: Annotated[tuple[Level, ...], Field(strict=False)] = ()
    rotas: Annotated[dict[Name, Rota], Field(default_factory=dict)]
    inbound: Inbound = Inbound()
    api: Api = Api(clients={})
    secrets: Secrets = Secrets()
    notifications: Notifications = Notifications()
    heartbeat: Heartbeat | None = None
    customers: CustomerMail = CustomerMail()
    survey: Text | None = None
    problems: Recurrence = Recurrence()
    reports: Reports = Reports()
    web: Web = Web()
