"""`sereno contract` and `sereno topology` as a person types them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
DUE = ("contract", "due", "--contract", "wekall", "--kind", "incident", "--priority", "Baja", "--clock", "attention")
OPENED = ("--opened", "2026-07-10T17:30-05:00")
CMW = ("contract", "due", "--contract", "callmyway", "--priority", "S2", "--clock", "solution", "--json")


def sereno(*arguments, cwd=DATA):
    return subprocess.run(
        [sys.executable, "-m", "sereno", *arguments], capture_output=True, text=True, cwd=cwd, check=False, timeout=60
    )


def answer(*arguments):
    done = sereno(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments):
    done = sereno(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.removeprefix("sereno: ").rstrip("\n")


def test_the_due_date_of_the_design():
    assert answer(*DUE, *OPENED, "--json") == {"due": "2026-07-15T15:30:00-05:00"}
    assert sereno(*DUE, *OPENED).stdout == "2026-07-15T15:30:00-05:00\n"


def test_a_clock_that_the_contract_does_not_have():
    arguments = [*DUE[:-1], "solution", *OPENED]
    assert answer(*arguments, "--json") == {"due": None}
    assert sereno(*arguments).stdout == "this contract has no such clock\n"


def test_the_customer_s_own_severity_and_pauses():
    opened = ("--opened", "2026-07-10T08:00-06:00")
    assert answer(*CMW, *opened) == {"due": "2026-07-10T12:00:00-06:00"}
    pauses = ("--paused", "2026-07-10T09:00-06:00/2026-07-10T10:00-06:00",
              "--paused", "2026-07-10T15:30Z/2026-07-10T17:00Z")  # fmt: skip
    assert answer(*CMW, *opened, *pauses) == {"due": "2026-07-10T14:00:00-06:00"}


def test_a_contract_in_a_file():
    file = str(DATA / "valid" / "contract-base.yaml")
    arguments = ("contract", "due", "--contract", file, "--priority", "S1", "--clock", "attention", *OPENED, "--json")
    assert answer(*arguments) == {"due": "2026-07-14T08:00:00-05:00"}  # half an hour on Friday, Monday is a holiday


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((*DUE, "--opened", "2026-07-10T17:30"), "--opened: '2026-07-10T17:30' has no UTC offset: add Z or -05:00"),
        ((*DUE, "--opened", "today"),
         "--opened: 'today' is not an ISO 8601 instant such as 2026-07-10T17:30-05:00"),
        ((*DUE, "--opened", "9999-12-31T23:00-05:00"),
         "--opened: '9999-12-31T23:00-05:00' is out of range: write an instant between 1970 and 2200"),
        ((*DUE, "--opened", "2019-01-01T00:00Z"),
         "--opened 2019-01-01T00:00Z: wekall promised nothing yet; its first version is of 2021-06-03"),
        ((*DUE, *OPENED, "--kind", "problem"), "--kind 'problem': is not known; write incident or request"),
        ((*DUE, *OPENED, "--clock", "fix"), "--clock 'fix': is not known; write attention or solution"),
        ((*DUE, *OPENED, "--priority", "S1"),
         "--priority 'S1': is none of this contract's; write Urgente, Alta, Normal, Baja"),
        ((*CMW, *OPENED, "--priority", "S5"),
         "--priority 'S5': is none of this contract's; write Urgente, Alta, Normal, Baja, or S1, S2, S3, S4"),
        ((*DUE, *OPENED, "--contract", "acme"),
         "acme: no contract named acme; shipped are callmyway and wekall, or give a file"),
        ((*DUE, *OPENED, "--paused", "2026-07-10T18:00Z/2026-07-10T19:00Z"),
         "--paused: the attention clock is never paused; leave it out, or ask for --clock solution"),
        ((*CMW, *OPENED, "--paused", "2026-07-10T18:00Z"),
         "--paused '2026-07-10T18:00Z': is no span; write FROM/TO, both ISO 8601 with offset"),
        ((*CMW, *OPENED, "--paused", "2026-07-10T18:00Z/2026-07-10T17:00Z"),
         "--paused '2026-07-10T18:00Z/2026-07-10T17:00Z': ends before it begins; write FROM/TO in order"),
        (("contract", "validate", "invalid/contract/day_unknown.yaml"),
         ("invalid/contract/day_unknown.yaml:9: versions[0].calendars.office: 'lun-vie' is no day; write one of mon "
          "tue wed thu fri sat sun, or a span such as mon-fri")),
        (("topology", "validate", "invalid/topology/primary_unknown.yaml"),
         "invalid/topology/primary_unknown.yaml:6: sbcs.sbc-1.primary: no core named core-x; cores are core-a, core-b"),
        (("topology", "validate", "valid/topology-base.yaml", "--desk", "invalid/desk/level_person.yaml"),
         ("invalid/desk/level_person.yaml:10: levels[1].people[0]: no person named lea; people are ana, leo "
          "(did you mean leo?)")),
        (("topology", "validate", "none.yaml"), "none.yaml: there is no such file; name a file that exists"),
    ],
)  # fmt: skip
def test_what_is_refused(arguments, line):
    assert refused(*arguments) == line


def test_flags_that_are_missing_or_unknown_are_one_line():
    refused("contract", "due", "--contract", "wekall")
    refused(*DUE, *OPENED, "--bogus")
    refused("topology", "validate")
    refused("topology", "verify", "x")


def test_validate():
    found = answer("topology", "validate", "valid/topology-full.yaml", "--desk", "valid/desk-base.yaml", "--json")
    assert found["valid"] is True
    assert found["paths"] == ["sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-b", "sbc-2/core-a"]
    assert found["notes"] == ["sites.acme-bog: no probe looks from isp-claro yet"]
    assert found["desk"]["contract"] == "wekall"
    assert len(found["hash"]) == 64
    done = sereno("topology", "validate", "valid/topology-full.yaml", "--desk", "valid/desk-base.yaml")
    assert done.stdout.startswith("valid/topology-full.yaml: valid; service acme-voice, 2 cores, 2 SBCs, 4 paths")
    assert "valid/desk-base.yaml: valid; contract wekall" in done.stdout
    assert answer("contract", "validate", "valid/contract-base.yaml", "--json")["contract"] == "mine"
    assert sereno("contract", "validate", "wekall").stdout.startswith("wekall: valid; contract wekall")


def test_list():
    found = {one["contract"]: one for one in answer("contract", "list", "--json")["contracts"]}
    assert found["wekall"]["versions"][0]["clocks"] == ["incident.attention", "request.attention"]
    assert found["callmyway"]["versions"][0]["target_ppm"] == 999_900
    assert sereno("contract", "list").stdout.splitlines() == [
        "callmyway: effective 2023-07-01; America/Costa_Rica, 99.99 %",
        "wekall: effective 2021-06-03; America/Bogota, no availability target",
    ]


@pytest.mark.parametrize(
    "arguments", [("topology", "schema"), ("topology", "schema", "--desk"), ("contract", "schema")]
)
def test_schemas_are_json_with_the_keys_of_the_file(arguments):
    schema = answer(*arguments)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["additionalProperties"] is False
    expected = {"topology": "sbcs", "contract": "versions"}[arguments[0]] if len(arguments) == 2 else "people"
    assert expected in schema["properties"]
    text = json.dumps(schema)
    assert not re.search(r"_us\b", text)
