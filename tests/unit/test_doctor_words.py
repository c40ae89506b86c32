"""Whatever the doctor says is there in Spanish, and every question has its line in docs/doctor.md."""

import ast
from pathlib import Path

import pytest

import sereno
from sereno.doctor.findings import QUESTIONS, topology_notes
from sereno.doctor.model import KINDS, broken
from sereno.i18n import catalogue

HOUSE = Path(sereno.__file__).parent
PAGE = HOUSE.parent / "docs" / "doctor.md"
SAYING = {"ok", "warning", "broken", "unknown", "CannotLookError", "tell"}
ALIKE = ("{", "chmod", "pip install p", "apt-get install fonts", "sereno notify list", "allow_anonymous")  # no words


def said():
    """Every message that is written out in a call that says something."""
    found = set()
    for file in [*(HOUSE / "doctor").rglob("*.py"), HOUSE / "cli" / "_doctor.py"]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                texts = node.args[:2] if name in SAYING else node.args[1:2] if name == "say" else []
                found |= {one.value for one in texts if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and " " in str(node.value.value):
                found |= (
                    {node.value.value} if getattr(node.targets[0], "id", "") in {"_LET", "mend", "_BUILD"} else set()
                )
    return found | {one.title for one in QUESTIONS}


def test_every_message_has_its_spanish():
    spanish = catalogue("sereno", "es")
    messages = said()
    assert len(messages) > 200
    same = {text for text in messages if text and spanish.gettext(text) == text}
    assert sorted(text for text in same if not text.startswith(ALIKE) and text not in {"SBCs", "PDF", "Grafana",
                                                                                      "Prometheus"}) == []  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_every_question_is_told_of(question):
    assert f"| `{question.name}` |" in PAGE.read_text(encoding="utf-8")


def test_names_are_one_each():
    names = [one.name for one in QUESTIONS]
    assert len(set(names)) == len(names)
    folder = HOUSE / "doctor" / "findings"
    assert len(names) == len([path for path in folder.glob("*.py") if path.name != "__init__.py"])


def test_where_is_told_in_words():
    assert broken("x", "y", "person ana").placed("es") == "persona ana"
    assert broken("x", "y", "/etc/sereno/a file.yaml").placed("es") == "/etc/sereno/a file.yaml"
    assert all(catalogue("sereno", "es").gettext(f"{kind} {{name}}") != f"{kind} {{name}}" for kind in KINDS)


def test_notes_of_a_topology_are_told_in_spanish():
    notes = [
        "probes.p1: no canary, so a fault of its own network looks like the service's",
        "sites.hq: no probe looks from isp yet",
    ]
    found = [
        one.told("es") for one in topology_notes.judge([*notes, "cores.a: no `identify`, so its answers prove nothing"])
    ]
    assert [one.split()[0] for one in found] == ["sin", "todavía", "sin"]
    assert found[1].endswith(" isp")
