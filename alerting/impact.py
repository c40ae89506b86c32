"""Who suffers from a cause, how much, and what their contracts promised for it. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting import clocks
from alerting.causes import Group, Key
from alerting.machine import AlarmState
from sereno.alarms import Alarms
from sereno.contract import Contract, Version
from sereno.errors import ConfigError
from sereno.incident import PRIORITIES, Clock, Element, IncidentRecord, Priority, Redate
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change

_SEVERITIES = dict(zip(PRIORITIES, ("S1", "S2", "S3", "S4"), strict=True))  # where a contract has no words of its own


class _Known(dict[str, Contract]):
    """Contracts by name. One that nobody has any more, of a ticket that is still open, is read as the desk's own."""

    def __init__(self, contracts: Mapping[str, Contract], own: Contract) -> None:
        super().__init__(contracts)
        self._own = own

    def __missing__(self, name: str) -> Contract:
        return self._own


class Impact:
    """Priorities by the desk's matrix, customers by their sites, severities and clocks by their contracts."""

    def __init__(
        self, topology: Topology, alarms: Alarms, contracts: Mapping[str, Contract], desk_contract: str | None
    ) -> None:
        needed = {customer.contract for customer in topology.customers.values()} | {desk_contract}
        missing = sorted(str(name) for name in needed - set(contracts))
        if missing or desk_contract is None:
            raise ConfigError("desk", f"no contract {', '.join(missing)}", "name a shipped one or put its file beside")
        self.contracts: Mapping[str, Contract] = _Known(contracts, contracts[desk_contract])
        self.desk_contract = desk_contract
        self._alarms = alarms.alarms
        self._topology = topology

    def priority(self, urgency: str, impact: str, now_us: int) -> Priority:
        """By the desk's own matrix."""
        return self.version(self.desk_contract, now_us).priority(urgency, impact)

    def down_sites(self, group: Group, states: Mapping[Key, AlarmState]) -> list[tuple[str, str]]:
        """(alarm, site) of the sites that the cause holds down."""
        return [
            (key[0], key[2]) for key in group.members
            if key[1] == "site" and states[key].phase != "pending" and self._alarms[key[0]].what == VERDICT
        ]  # fmt: skip

    def site_priorities(self, sites: list[tuple[str, str]], now_us: int) -> list[Priority]:
        version = self.version(self.desk_contract, now_us)
        found = []
        for name, _ in sites:
            alarm = self._alarms[name]
            found.append(version.priority(alarm.urgency, alarm.impact))
        return found

    def customers(
        self, record: IncidentRecord, group: Group, base: Priority, sites: list[tuple[str, str]],
        world: Mapping[Key, Change], now_us: int,
    ) -> dict[str, Priority]:  # fmt: skip
        """Customers whose site the cause degrades or downs, each at what it suffers; who suffered once stays named."""
        if group.class_ == "monitor":
            return {}
        down = {site for _, site in sites}
        everybody = group.cause.kind == "service" and base == "Urgente"
        found: dict[str, Priority] = {}
        for name in self._leaning(group.cause):
            customer = self._topology.sites[name].customer
            if customer in record.split_off:
                continue
            said = world.get(("site", name, VERDICT))
            if name in down:
                suffers: Priority = clocks.worst([base, *self.site_priorities(sites, now_us)])
            elif everybody or (said is not None and said.state in {"down", "degraded"}):
                suffers = base
            else:
                continue
            found[customer] = clocks.worst([suffers, found.get(customer, suffers)])
        for customer, priority in record.customers.items():
            easier = clocks.worst([base, priority]) != base
            found.setdefault(customer, base if easier else priority)
        return found

    def sites(
        self, record: IncidentRecord, group: Group, down: list[tuple[str, str]], world: Mapping[Key, Change]
    ) -> tuple[str, ...]:
        """Sites that the cause degrades or downs; who suffered once stays named."""
        if group.class_ == "monitor":
            return ()
        found = {site for _, site in down}
        for name in self._leaning(group.cause):
            said = world.get(("site", name, VERDICT))
            if said is not None and said.state in {"down", "degraded"}:
                found.add(name)
        away = {name for name, site in self._topology.sites.items() if site.customer in record.split_off}
        return tuple(
            name for name in self._topology.sites if name not in away and (name in found or name in record.sites)
        )

    def _leaning(self, cause: Element) -> list[str]:
        """Sites that use the element."""
        sites = self._topology.sites
        if cause.kind in {"service", "database"}:
            return list(sites)
        if cause.kind == "site":
            return [cause.name] if cause.name in sites else []
        if cause.kind == "core":
            sbcs = {name for name, sbc in self._topology.sbcs.items() if cause.name in (sbc.primary, sbc.backup)}
        elif cause.kind in {"sbc", "path", "network"}:
            sbcs = (
                {cause.name.partition("/")[0]}
                if cause.kind != "network" or "/" in cause.name
                else set(self._topology.sbcs)
            )
        else:
            return []
        network = cause.name.rpartition("/")[2] if cause.kind == "network" else None
        return [
            name for name, site in sites.items()
            if sbcs & set(site.sbcs) and (network is None or not site.networks or network in site.networks)
        ]  # fmt: skip

    def owed(self, before: IncidentRecord, after: IncidentRecord, now_us: int) -> tuple[Clock, ...]:
        """The clocks once the monitor saw it getting worse or better (docs/adr/0008)."""
        if after.class_ == "monitor":
            return ()
        better_us = before.eased_us if before.eased_us is not None else before.good_us
        return clocks.owed(after, self._wanted(before, after), self.contracts, now_us, better_us)

    def reprioritised(self, before: IncidentRecord, after: IncidentRecord) -> IncidentRecord:
        """The record once people say that it always was of this priority; severity and clocks follow."""
        if after.class_ == "monitor":
            return after
        counted = clocks.reprioritised(after, self._wanted(before, after), self.contracts)
        return replace(after, severity=self.severity(after), clocks=counted)

    def redated(self, record: IncidentRecord, redate: Redate) -> IncidentRecord:
        """The record with a solution date agreed anew."""
        wanted = {} if record.class_ == "monitor" else self._wanted(record, record)
        return clocks.redated(record, redate, wanted, self.contracts)

    def _wanted(self, before: IncidentRecord, after: IncidentRecord) -> dict[tuple[str, str | None], Priority]:
        """Whose contract is owed what: the affected customers'; the desk's own where nobody suffers, or nobody did."""
        signed = {
            clock.customer: clock.contract for clock in before.clocks
        }  # a contract that changes changes no ticket
        wanted: dict[tuple[str, str | None], Priority] = {
            (signed.get(name, self._topology.customers[name].contract), name): priority
            for name, priority in after.customers.items()
            if name in self._topology.customers
        }
        if not wanted or any(clock.customer is None for clock in before.clocks):
            wanted[self.desk_contract, None] = after.priority
        return wanted

    def signed(self, record: IncidentRecord) -> set[str]:
        """The contracts that have a say in its closing: of its clocks, and of customers to whom no clock is owed."""
        clocked = {clock.customer for clock in record.clocks}
        bare = {
            self._topology.customers[name].contract
            for name in record.customers
            if name in self._topology.customers and name not in clocked
        }
        return {clock.contract for clock in record.clocks} | bare or {self.desk_contract}

    def severity(self, record: IncidentRecord) -> str | None:
        """The gravest customer's own word for it; the desk's where no customer suffers; none for monitor tickets."""
        if record.class_ == "monitor":
            return None
        named = [
            self.version(self._topology.customers[name].contract, record.opened_us).severity(priority)
            for name, priority in record.customers.items()
            if priority == record.priority and name in self._topology.customers
        ]
        own = self.version(self.desk_contract, record.opened_us).severity(record.priority)
        return min((word for word in named if word), default=own or _SEVERITIES[record.priority])

    def version(self, contract: str, at_us: int) -> Version:
        return self.contracts[contract].at(at_us)
