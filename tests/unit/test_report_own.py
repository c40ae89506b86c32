"""A customer's report names no other customer, nor a site of theirs, nor what was written of them."""

import pytest

from dashboards.reports.desk import tickets
from dashboards.reports.own import Own
from sereno.contract import load_contract
from sereno.incident import Element, IncidentRecord

AT = 1_780_000_000_000_000
OWN = Own("acme", {"acme-bog"})


def incident(kind="path", name="sbc-1/core-a", opened_by="sereno", **more):
    given = {"customers": {"acme": "Normal", "beta": "Urgente"}, "sites": ("acme-bog", "beta-med")} | more
    return IncidentRecord(
        number=1, state="resolved", class_="service", priority="Normal", priority_peak="Urgente", severity="S3",
        cause=Element(kind=kind, name=name), title=f"{name} caída", since_us=AT, opened_us=AT, resolved_us=AT + 1,
        opened_by=opened_by, **given,
    )  # fmt: skip


def told(record, contract="callmyway"):
    (one,) = tickets([record], AT - 1, AT + 2, own=OWN, contract=load_contract(contract)).listed
    return one


def test_of_what_touched_several_only_the_own_sites():
    one = told(incident())
    assert one.sites == ("acme-bog",)
    assert (one.cause.name, one.title["es"]) == ("sbc-1/core-a", "sbc-1/core-a caída")


@pytest.mark.parametrize(("kind", "name"), [("site", "beta-med"), ("customer", "beta"), ("account", "beta-1")])
def test_a_cause_that_is_somebody_elses_has_no_name(kind, name):
    assert "beta" not in repr(told(incident(kind, name)))


def test_what_people_wrote_of_several_is_not_repeated():
    assert "beta" not in repr(told(incident(name="beta se queja", kind="service", opened_by="eva")).title)
    assert told(incident(name="voz", opened_by="eva", customers={"acme": "Normal"})).title["es"] == "voz caída"


def test_the_severity_is_the_customers_contracts_of_the_priority_beside_it():
    assert (told(incident()).priority, told(incident()).severity) == ("Urgente", "S1")
    assert told(incident(), "wekall").severity is None
