"""Lines of the timeline in another language: recognised by the message that they were made of, or left as they are."""

import re

import pytest

from sereno.i18n import catalogue, messages
from sereno.incident.told import sort_of, told

FIELD = re.compile(r"\{(\w+)\}")


def test_every_line_that_the_desk_can_write_comes_back_in_english():
    """Of each message of the desk, filled in: the English of the same message, with the same values."""
    english, found = catalogue("alerting", "en"), 0
    for _, kept in messages("alerting", "es"):
        names = FIELD.findall(kept)
        own = sum(letter.isalpha() for letter in FIELD.sub("", kept))
        if own < 12 or len(set(names)) != len(names):
            continue
        values = {name: f"x{place}" for place, name in enumerate(names)}
        text, whole = told(kept.format(**values), "en")
        alike = [one for one, spanish in messages("alerting", "es") if spanish == kept]
        assert whole, kept
        assert text in {english.gettext(one).format(**values) for one in alike}, kept
        found += 1
    assert found > 150


@pytest.mark.parametrize(
    ("line", "english"),
    [
        ("abierto: Núcleo core-a caído (Alta S2)", "opened: Core core-a down (Alta S2)"),
        ("reconocido: voy en camino", "acknowledged: voy en camino"),
        ("entregado a ana por hook: HTTP 200 OK", "handed to ana by hook: HTTP 200 OK"),
        ("lo que sea: algo", "lo que sea: algo"),
        ("", ""),
    ],
)
def test_lines(line, english):
    assert told(line, "en_US")[0] == english
    assert told(line, "es_CO") == (line, True)


def test_what_people_wrote_is_said_to_be_theirs():
    assert told("llamé al proveedor y no contesta", "en") == ("llamé al proveedor y no contesta", False)


@pytest.mark.parametrize(
    ("line", "sort"),
    [
        ("entregado a ana por hook: HTTP 200 OK", "notice"), ("avisada la apertura: ana (hook)", "notice"),
        ("apertura avisada al cliente: noc@acme.example", "customer"), ("abierto: Núcleo core-a caído (Alta S2)", None),
        ("hola", None), ("L1 no reconoció a tiempo", "notice"),
    ],
)  # fmt: skip
def test_sorts(line, sort):
    assert sort_of(line) == sort
