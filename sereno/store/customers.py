"""Who is asked about: a customer or one of his sites, by the newest topology that knows it."""

from typing import NamedTuple

from sqlalchemy import Connection

from sereno.contract import Contract, load_contract
from sereno.errors import StoreError, UsageError
from sereno.store.queries import ledger
from sereno.topology.model import Customer, Topology
from sereno.yamlfile import nearest

_LISTED = 12  # names in one line


class Known(NamedTuple):
    """A customer (at a site) as the newest topology that has it says."""

    name: str
    site: str | None
    customer: Customer
    topology: Topology
    beside: str | None

    def contract(self, name: str | None = None) -> Contract:
        """The customer's contract, or another one."""
        return load_contract(name or self.customer.contract, self.beside)


def known_customer(connection: Connection, customer: str | None, site: str | None) -> Known:
    """Whoever is meant; UsageError names those that there are."""
    known = list(reversed(ledger.in_force(connection)))
    if not known:
        raise StoreError("no topology was ever recorded in this store; start `sereno up` on it once")
    for one in known:
        sites, customers = one.topology.sites, one.topology.customers
        owner = sites[site].customer if site is not None and site in sites else customer if site is None else None
        if owner in customers and customer in {None, owner}:
            return Known(owner, site, customers[owner], one.topology, one.beside)
    newest = known[0].topology
    if customer is not None and not any(customer in one.topology.customers for one in known):
        raise UsageError(_unknown("customer", customer, list(newest.customers)))
    mine = [name for name, one in newest.sites.items() if customer in {None, one.customer}]
    raise UsageError(_unknown("site", str(site), mine, of=customer))


def _unknown(kind: str, word: str, names: list[str], of: str | None = None) -> str:
    shown = ", ".join(sorted(names)[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    mend = f"they are {shown}{nearest(word, names)}" if names else "the topology has none"
    return f"--{kind} {word!r}: is not {f'of {of}' if of else 'in the topology'}; {mend}"
