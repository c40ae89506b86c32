"""What the store holds of the house itself: the topology, the desk's people and levels, the contracts in force."""

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from sereno.contract import Contract, load_contract
from sereno.desk import Desk, desk_from_json
from sereno.errors import ConfigError
from sereno.store.tables import topologies
from sereno.topology import topology_from_json
from sereno.topology.model import Topology


class House(msgspec.Struct, frozen=True, kw_only=True):
    """As it was accepted last. A contract whose file is gone is not in `contracts`."""

    topology: Topology | None = None
    desk: Desk | None = None
    contracts: Mapping[str, Contract] = {}

    @property
    def zone(self) -> str:
        return self.topology.timezone if self.topology is not None else "UTC"

    @property
    def desk_contract(self) -> Contract | None:
        return self.contracts.get(self.desk.contract) if self.desk is not None else None

    def contract_of(self, customer: str | None) -> Contract | None:
        """A customer's, or the desk's own."""
        known = self.topology.customers if self.topology is not None else {}
        if customer is None or customer not in known:
            return self.desk_contract
        return self.contracts.get(known[customer].contract)

    def customer_name(self, customer: str) -> str:
        """As people call him."""
        known = self.topology.customers if self.topology is not None else {}
        found = known[customer].name if customer in known else None
        return found or customer

    def customer_names(self, customers: Iterable[str]) -> list[str]:
        """All of them."""
        return [self.customer_name(name) for name in customers]


class Houses:
    """Read once for every accepted topology."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[int | None, House] = (None, House())

    def read(self, connection: Connection) -> House:
        """The one accepted last; an empty one before the first."""
        newest = connection.execute(select(topologies.c.id).order_by(topologies.c.id.desc()).limit(1)).scalar()
        with self._lock:
            if newest == self._known[0]:
                return self._known[1]
        row = connection.execute(select(topologies).where(topologies.c.id == newest)).first()
        house = House() if row is None else _house(row.topology, row.desk, row.beside)
        with self._lock:
            self._known = (newest, house)
        return house


def _house(topology: str, desk: str | None, beside: str | None) -> House:
    watched = topology_from_json(msgspec.json.decode(topology))
    found = desk_from_json(msgspec.json.decode(desk)) if desk else None
    names = {customer.contract for customer in watched.customers.values()}
    names |= {found.contract} if found is not None else set()
    contracts = {}
    for name in sorted(str(one) for one in names if one is not None):
        contract = _contract(name, Path(beside) if beside else None)
        if contract is not None:
            contracts[name] = contract
    return House(topology=watched, desk=found, contracts=contracts)


def _contract(name: str, beside: Path | None) -> Contract | None:
    """None where its file is gone or broken: the page then says which one, and shows all the rest."""
    try:
        return load_contract(name, beside)
    except ConfigError:
        return None
