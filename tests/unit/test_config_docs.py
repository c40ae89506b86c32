"""docs/configuration.md lists every key of the four files, and no key that is not there."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from sereno.alarms import Alarms, ThresholdAlarm, VerdictAlarm
from sereno.contract import Contract
from sereno.contract.model import Clock
from sereno.desk import Desk
from sereno.topology import Topology
from sereno.yamlfile import _unwrapped

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
FILES = {"topology.yaml": Topology, "desk.yaml": Desk, "contract.yaml": Contract, "alarms.yaml": Alarms}


def keys(model, prefix=""):
    """Every key of a model as the page writes it: `sbcs.NAME.primary`, `levels[].name`."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        kind, mark = _unwrapped(field.annotation), "."
        origin = getattr(kind, "__origin__", None)
        if origin in {dict, tuple}:
            mark = ".NAME." if origin is dict else "[]."
            kind = _unwrapped(kind.__args__[1 if origin is dict else 0])
        if name == "alarms":
            yield from dict.fromkeys((*keys(VerdictAlarm, key + mark), *keys(ThresholdAlarm, key + mark)))
            continue
        if name == "or_":
            continue  # the keys of a condition, as above
        if kind is Clock:
            continue  # one table for the four of them
        if isinstance(kind, type) and issubclass(kind, BaseModel) and not kind.__name__.startswith("_"):
            yield from keys(kind, key + mark)


def documented(section):
    """The keys in the tables of a section; each row must say something."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, flags=re.MULTILINE)
    assert all(meaning.strip() for _, meaning in rows)
    return [key for key, _ in rows]


@pytest.mark.parametrize("section", FILES)
def test_every_key_is_documented_once_and_no_other(section):
    expected = list(keys(FILES[section]))
    if section == "contract.yaml":
        expected += list(keys(Clock))
    assert sorted(documented(section)) == sorted(expected)


def test_the_walk_finds_what_it_should():
    found = set(keys(Topology))
    assert {"sbcs.NAME.steer.header", "checks.register.expires", "databases.NAME.backup.max_age"} <= found
    assert "versions[].maintenance.window" in set(keys(Contract))
