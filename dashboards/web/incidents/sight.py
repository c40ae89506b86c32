"""How much of an incident somebody may see: everything, or only what touches the customers that are his."""

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from dashboards.web.access import Person
from dashboards.web.words import Words
from sereno.incident import ACTIVE, IncidentRecord
from sereno.incident.reading import titled
from sereno.topology.model import Topology


class Sight(msgspec.Struct, frozen=True):
    """`customers` None: all of them. `acts`: may also do something about it."""

    customers: frozenset[str] | None = None
    acts: bool = False

    @property
    def word(self) -> str:
        """As it stands in a live topic's name: what is rendered once is for all who see the same."""
        if self.customers is not None:
            return "of:" + ",".join(sorted(self.customers))
        return "act" if self.acts else "read"

    def sees(self, record: IncidentRecord) -> bool:
        return self.customers is None or not self.customers.isdisjoint(record.customers)

    @property
    def whole(self) -> bool:
        return self.customers is None


def sight_of(person: Person) -> Sight:
    """What this person sees."""
    return Sight(person.customers, person.customers is None and person.may("act"))


def sight_named(word: str) -> Sight | None:
    """Of a topic's name; None where it is none."""
    if word in {"act", "read"}:
        return Sight(None, word == "act")
    kind, colon, names = word.partition(":")
    return Sight(frozenset(names.split(","))) if kind == "of" and colon else None


def allowed(person: Person, sight: Sight | None) -> bool:
    """Whether a person may watch what is rendered for this sight."""
    if sight is None:
        return False
    if person.customers is not None:
        return sight.customers == person.customers
    return sight.customers is not None or not sight.acts or person.may("act")


def seen(record: IncidentRecord, sight: Sight, topology: Topology | None, words: Words) -> IncidentRecord:
    """The record without what is not his: other customers, their sites and promises, what people wrote of them."""
    if sight.customers is None:
        return record
    mine = sight.customers
    sites = topology.sites if topology is not None else {}
    strangers = {name for name, site in sites.items() if site.customer not in mine}
    alone = mine.issuperset(record.customers)
    hidden = record.cause.kind in {"site", "customer", "account"} and record.cause.name not in _own(mine, sites)
    said = record.opened_by in {"sereno", "ledger"} or alone
    return replace(
        record,
        title=titled(record, words.language) if said and not hidden else _plain_title(record, words),
        title_id="",
        customers={name: priority for name, priority in record.customers.items() if name in mine},
        sites=tuple(name for name in record.sites if name not in strangers),
        symptoms=tuple(one for one in record.symptoms if one.name not in strangers and one.kind != "customer"),
        clocks=tuple(one for one in record.clocks if one.customer in mine),
        description=record.description if alone else None,
        reporter=record.reporter if alone else None,
        contact=record.contact if alone else None,
        extension=record.extension if alone else None,
        counterpart=record.counterpart if alone else None,
        billing=record.billing if alone else None,
        survey=record.survey if alone else None,
        redates=record.redates if alone else (),
        evidence=None,
        problem=None,
        merged_into=None,
        split_from=None,
        changes=(),
        guide={},
        timeline=(),
        rungs=(),
        policy=(),
        told=(),
    )


def _own(mine: Collection[str], sites: object) -> set[str]:
    known = sites if isinstance(sites, dict) else {}
    return {*mine, *(name for name, site in known.items() if site.customer in mine)}


def _plain_title(record: IncidentRecord, words: Words) -> str:
    if record.state in ACTIVE:
        return words.text("Something that touches your service")
    return words.text("Something that touched your service")
