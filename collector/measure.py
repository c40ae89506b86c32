"""The figures of a scope from what is stored: the ledger, and a fold of what it does not hold yet."""

from collector.availability import Book, Figures, Scope, figures
from collector.exclusion import Exclusions, target_ppm
from collector.ledger.writer import stored_intervals
from sereno.contract import Contract, load_contract
from sereno.errors import StoreError, UsageError
from sereno.scope import parse_scope
from sereno.store import Store
from sereno.store.queries import ledger
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology import Topology


def measure(store: Store, scope: str, from_us: int, to_us: int, *, recompute: bool = False) -> Figures:
    """The figures of a scope from what is stored."""
    with store.read() as connection:
        topologies = ledger.in_force(connection)
        if not topologies:
            raise StoreError("no topology was ever recorded in this store; start `sereno up` on it once")
        topology = next(
            (one.topology for one in reversed(topologies) if one.from_us <= from_us), topologies[0].topology
        )
        wanted = Scope(*parse_scope(_named(scope, [one.topology for one in topologies], topology), scope))
        contracts = contracts_of(topologies)
        intervals = stored_intervals(connection, topologies, contracts, from_us, to_us, recompute=recompute)
        windows = ledger.windows(connection)
    return figures(
        topology,
        Book(intervals),
        wanted,
        from_us,
        to_us,
        excluded=Exclusions(topology, contracts, windows),
        target_ppm=target_ppm(topology, contracts, wanted, from_us),
    )


def contracts_of(topologies: list[TopologyInForce]) -> dict[str, Contract]:
    """The contracts of every customer that was ever served, as found beside the newest topology that names them."""
    places = {customer.contract: one.beside for one in topologies for customer in one.topology.customers.values()}
    return {name: load_contract(name, beside) for name, beside in places.items()}


def _named(scope: str, topologies: list[Topology], preferred: Topology) -> Topology:
    """The topology that knows the scope: the one in force at the window's beginning, else the newest that does."""
    for topology in (preferred, *reversed(topologies)):
        try:
            parse_scope(topology, scope)
        except UsageError:
            continue
        return topology
    return preferred
