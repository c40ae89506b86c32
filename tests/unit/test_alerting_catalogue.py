"""Whatever the desk says is there in Spanish, with the same values to fill in."""

import ast
import string
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import alerting
from alerting import customers
from alerting.acts.words import FIELDS
from sereno.i18n import catalogue, parts

ROOM = Path(alerting.__file__).parent
SPEAKERS = {"say", "line", "gettext"}


def said() -> set[str]:
    """Every message that stands in a call of one that speaks, and those that are looked up by a name."""
    found = set(FIELDS.values()) | set(customers._LINES.values())
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [one.value for one in node.args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if name in SPEAKERS and texts:
                found.add(texts[-1])
    return found


def test_every_message_has_its_spanish() -> None:
    spanish = catalogue("alerting", "es")
    messages = said()
    assert len(messages) > 100
    assert sorted(text for text in messages if spanish.gettext(text) == text) == []


@pytest.mark.parametrize("room", ["alerting", "dashboards"])
def test_a_translation_fills_in_the_same_values(room: str) -> None:
    pairs = []
    for part in parts(room, "es"):
        with part.open("rb") as handle:
            pairs += [
                (one.id, one.string) for one in read_po(handle, locale="es") if one.id and isinstance(one.id, str)
            ]
    assert len(pairs) > 100
    assert [text for text, spanish in pairs if spanish and _values(text) != _values(str(spanish))] == []


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
