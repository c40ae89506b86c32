"""Whatever a page says is there in Spanish."""

import ast
import re
from collections import defaultdict
from pathlib import Path

from babel.messages.pofile import read_po

import dashboards
from sereno.i18n import catalogue, parts

ROOM = Path(dashboards.__file__).parent
SPEAKERS = {"w", "words", "self"}  # whose `text` speaks
_IN_TEMPLATE = re.compile(r"""\bw\.text\(\s*(?:"([^"]*)"|'([^']*)')\s*[,)]""")


def said() -> set[str]:
    """Every whole message in a call of one that speaks, in templates and in code."""
    found = set()
    for file in ROOM.rglob("*.html"):
        found |= {one or other for one, other in _IN_TEMPLATE.findall(file.read_text(encoding="utf-8"))}
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") != "text" or not node.args:
                continue
            speaker = getattr(node.func, "value", None)
            name = getattr(speaker, "id", getattr(speaker, "attr", ""))
            text = node.args[0]
            if name in SPEAKERS and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.add(text.value)
    return found


def test_every_message_has_its_spanish() -> None:
    spanish = catalogue("dashboards", "es")
    messages = said()
    assert len(messages) > 80
    assert sorted(text for text in messages if spanish.gettext(text) == text and text not in ALIKE) == []


ALIKE = {"SBC", "MOS", "RTT", "Sereno"}  # the same in both


def test_no_file_of_the_catalogue_speaks_over_another() -> None:
    said_by = defaultdict(set)
    for part in parts("dashboards", "es"):
        with part.open("rb") as handle:
            for message in read_po(handle, locale="es"):
                if message.id:
                    said_by[message.id].add(str(message.string))
    assert {text: both for text, both in said_by.items() if len(both) > 1} == {}
