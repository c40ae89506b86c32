"""Rooms never import each other: all share `sereno`, and only `sereno/cli` may import every room."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"probes", "collector", "alerting", "dashboards", "deploy"}


def imported_packages(source: str) -> set[str]:
    """Top-level packages that a module imports, anywhere in it, late imports and importlib strings included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found |= {
                a.value.split(".")[0] for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            }
    return found


def modules(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_meet_only_in_sereno(room):
    files = modules(room)
    assert files, f"{room}/ is empty: the house plan names it"
    for path in files:
        others = imported_packages(path.read_text(encoding="utf-8")) & (ROOMS - {room})
        assert not others, f"{path.relative_to(ROOT)} imports {sorted(others)}"


def test_sereno_imports_no_room_but_in_cli():
    for path in modules("sereno"):
        if path.is_relative_to(ROOT / "sereno" / "cli"):
            continue
        others = imported_packages(path.read_text(encoding="utf-8")) & ROOMS
        assert not others, f"{path.relative_to(ROOT)} imports {sorted(others)}"


def test_the_check_sees_late_and_dynamic_imports():
    assert imported_packages("def f():\n    from probes.sip import x\n") == {"probes"}
    assert "alerting" in imported_packages("import importlib\nimportlib.import_module('alerting.desk')\n")
