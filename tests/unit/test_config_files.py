"""Right files load as what they say; files that cannot be read say so in one line; secrets stay references."""

import os
from datetime import date
from pathlib import Path

import msgspec
import pytest
import yaml

from probes.checks import targets
from sereno.desk import desk_from_json, load_desk
from sereno.errors import ConfigError
from sereno.topology import (
    as_json,
    canonical_json,
    explain_secret,
    load_topology,
    part_for,
    resolve_secret,
    topology_from_json,
    topology_hash,
)
from sereno.topology.address import parse_sip
from sereno.topology.model import RegisterCheck, Secret, Topology
from sereno.topology.validate import notes
from sereno.yamlfile import parse_document

VALID = Path(__file__).resolve().parents[1] / "data" / "valid"


def full():
    return load_topology(VALID / "topology-full.yaml")


def test_the_design_s_own_example():
    topology = full()
    assert topology.effective == date(2026, 1, 1)
    assert [path.name for path in topology.paths()] == ["sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-b", "sbc-2/core-a"]
    assert topology.checks.options.every_us == 1_000_000
    assert topology.checks.options.timeout_us == 900_000
    assert topology.checks.register_.accounts == ("monitor-1",)
    assert topology.checks.register_.expires_us == 120_000_000
    assert topology.checks.call.to == "sip:echo@{core}"
    assert topology.sites["acme-bog"].weight == 40
    assert topology.probes["core-lan"].vantage == "inside"
    assert topology.databases["billing"].backup.max_age_us == 8 * 3600 * 1_000_000
    assert notes(topology) == ["sites.acme-bog: no probe looks from isp-claro yet"]


def test_the_smallest_file_has_everything_by_default():
    topology = load_topology(VALID / "topology-minimal.yaml")
    assert topology.timezone == "UTC"
    assert topology.sites == {}
    assert topology.checks.options is None
    assert notes(topology) == [
        "cores.core-a: no `identify`, so its answers prove nothing",
        "cores.core-b: no `identify`, so its answers prove nothing",
    ]


def test_a_system_with_one_sbc_whose_backup_is_its_primary_has_one_path():
    topology = load_topology(VALID / "topology-one-sbc.yaml")
    assert [(path.name, path.role) for path in topology.paths()] == [("sbc-1/core-a", "primary")]


def test_a_topology_survives_its_json_and_keeps_its_hash():
    for file in sorted(VALID.glob("topology-*.yaml")):
        topology = load_topology(file)
        again = topology_from_json(msgspec.json.decode(canonical_json(topology)))
        assert again == topology
        assert topology_hash(again) == topology_hash(topology)
        assert len(topology_hash(topology)) == 64


def test_the_hash_follows_the_meaning_not_the_writing():
    data = yaml.safe_load((VALID / "topology-minimal.yaml").read_text(encoding="utf-8"))
    turned = {key: data[key] for key in reversed(list(data))}
    assert topology_hash(topology_from_json(turned)) == topology_hash(topology_from_json({**data, "timezone": "UTC"}))
    assert topology_hash(topology_from_json({**data, "service": "voice"})) != topology_hash(topology_from_json(data))


def test_a_probe_gets_its_own_part_only():
    part = part_for(full(), "bog-1")
    assert set(part["probes"]) == {"bog-1"}
    assert {"customers", "sites", "databases", "traffic"}.isdisjoint(part)  # it stands outside
    assert set(part["portals"]) == {"portal"}  # nobody told it not to look
    assert part["accounts"]["monitor-1"]["password"] == {"file": "/etc/sereno/monitor.secret"}
    assert topology_from_json(part).checks == full().checks


def test_a_probe_with_named_checks_gets_what_they_need_and_the_accounts_that_a_challenge_may_ask_for():
    part = part_for(full(), "core-lan")
    assert set(part["checks"]) == {"options"}
    assert set(part["accounts"]) == set(full().accounts)  # digest: any realm may challenge an OPTIONS
    assert set(part["databases"]) == {"billing"}


def test_a_probe_that_only_looks_at_databases_gets_no_account():
    topology = full()
    probes = topology.probes | {"core-lan": topology.probes["core-lan"].model_copy(update={"checks": ("database",)})}
    part = part_for(topology.model_copy(update={"probes": probes}), "core-lan")
    assert part["accounts"] == {}


def test_a_probe_gets_the_accounts_of_both_ends_of_its_calls():
    topology = topology_from_json(
        {
            "service": "v", "domain": "v.example",
            "cores": {"a": {"uri": "sip:192.0.2.1"}, "b": {"uri": "sip:192.0.2.2"}},
            "sbcs": {"s": {"addresses": ["sip:192.0.2.9"], "primary": "a", "backup": "b"}},
            "accounts": {n: {"user": n, "realm": "v", "password": {"env": "X"}} for n in ("one", "two", "three", "four")},  # noqa: E501
            "checks": {
                "terminating": {"every": "1m", "account": "one", "callee": "two"},
                "pstn": {
                    "every": "1h", "account": "one", "numbers": {"+5061": "three"}, "max_per_hour": 1,
                    "max_duration": "20s", "display": "TEST", "sbc": "s", "core": "a",
                },
            },
            "probes": {"p": {"network": "n", "checks": ["pstn"]}, "q": {"network": "n", "checks": ["terminating"]}},
        }
    )  # fmt: skip
    assert set(part_for(topology, "p")["accounts"]) == {"one", "three"}
    assert set(part_for(topology, "q")["accounts"]) == {"one", "two"}


def test_bindings_shorter_than_the_interval_are_worth_a_note():
    topology = full()
    register = RegisterCheck.model_validate({"every": "2m", "accounts": ("monitor-1",), "expires": "2m"})
    checks = topology.checks.model_copy(update={"register_": register})
    lines = notes(topology.model_copy(update={"checks": checks}))
    assert any(line.startswith("checks.register.every: 120 s is no less than `expires` (120 s)") for line in lines)
    assert not any("checks.register" in line for line in notes(topology))


def test_a_probe_that_the_file_does_not_name_gets_no_entry():
    part = part_for(full(), "local")
    assert part["probes"] == {}
    assert {"portals", "databases", "traffic"} <= set(part)  # it does all
    assert {"customers", "sites"}.isdisjoint(part)


def test_what_a_probe_gets_it_looks_at_and_the_other_way_round():
    """What the part lacks is measured by nobody, however much `targets` would like to."""
    topology = full()
    probe = topology.probes["core-lan"]
    for vantage in ("inside", "outside"):
        for checks in (None, ("https",), ("dns",), ("traffic",), ("database",), ("options",)):
            one = probe.model_copy(update={"vantage": vantage, "checks": checks})
            whole = topology.model_copy(update={"probes": {"p": one}})
            part = topology_from_json(part_for(whole, "p"))
            wanted = {t.key for t in targets(whole, "p")}
            assert {t.key for t in targets(part, "p")} == wanted, (vantage, checks)
            kinds = {key[0] for key in wanted}
            assert ("https" in kinds) == (checks is None or "https" in checks)
            assert ("database" in kinds) == (vantage == "inside" and (checks is None or "database" in checks))
            assert ("traffic" in kinds) == (checks == ("traffic",) or (vantage == "inside" and checks is None))


@pytest.mark.parametrize(
    "data", [{}, {"service": 1}, {"service": "x", "cores": [], "sbcs": {}}, {"password": "hunter2"}]
)
def test_json_that_is_no_topology_is_one_line(data):
    with pytest.raises(ConfigError) as caught:
        topology_from_json(data)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_come_from_the_account_s_variable_then_the_named_one_then_the_file(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    secret = Secret(file=str(file), env="OTHER_NAME")
    monkeypatch.delenv("SERENO_SECRET_MONITOR_1_X", raising=False)
    monkeypatch.delenv("OTHER_NAME", raising=False)
    assert resolve_secret(secret, "monitor-1.x") == "from the file"
    monkeypatch.setenv("OTHER_NAME", "from the named variable")
    assert resolve_secret(secret, "monitor-1.x") == "from the named variable"
    monkeypatch.setenv("SERENO_SECRET_MONITOR_1_X", "from the account's variable")
    assert resolve_secret(secret, "monitor-1.x") == "from the account's variable"


def test_a_secret_loses_one_final_newline_and_nothing_else(tmp_path):
    file = tmp_path / "secret"
    file.write_text("  a b \n\n")
    assert resolve_secret(Secret(file=str(file)), "x") == "  a b \n"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_secret_that_cannot_be_had_says_why(tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    value, why = explain_secret(Secret(file=str(file)), "monitor")
    assert value is None
    assert why.startswith("no secret for monitor: ")
    assert "SERENO_SECRET_MONITOR" in why


def test_a_secret_with_no_reference_names_its_variable():
    assert explain_secret(Secret(), "monitor") == (None, "no secret for monitor: set SERENO_SECRET_MONITOR")


def test_relative_files_are_relative_to_the_topology(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "monitor.secret").write_text("open sesame\n")
    text = (VALID / "topology-base.yaml").read_text(encoding="utf-8")
    (folder / "topology.yaml").write_text(text.replace("{env: MONITOR_PASSWORD}", "{file: monitor.secret}"))
    monkeypatch.chdir(tmp_path)
    topology = load_topology("etc/topology.yaml")
    assert resolve_secret(topology.accounts["monitor"].password, "monitor") == "open sesame"


def test_a_contract_beside_the_topology_is_found_and_its_faults_are_told(tmp_path):
    text = (VALID / "topology-base.yaml").read_text(encoding="utf-8").replace("contract: callmyway", "contract: mine")
    (tmp_path / "topology.yaml").write_text(text)
    (tmp_path / "contracts").mkdir()
    contract = (VALID / "contract-base.yaml").read_text(encoding="utf-8")
    (tmp_path / "contracts" / "mine.yaml").write_text(contract)
    assert load_topology(tmp_path / "topology.yaml").customers["acme"].contract == "mine"
    (tmp_path / "contracts" / "mine.yaml").write_text(contract.replace("America/Bogota", "Bogota"))
    with pytest.raises(ConfigError, match=r"topology\.yaml:9: customers\.acme\.contract: .*mine\.yaml:4: .*time zone"):
        load_topology(tmp_path / "topology.yaml")
    (tmp_path / "contracts" / "mine.yaml").write_text(contract.replace("contract: mine", "contract: other"))
    with pytest.raises(ConfigError, match="is named other"):
        load_topology(tmp_path / "topology.yaml")


def test_what_is_no_readable_file_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no such file; name a file that exists$"):
        load_topology(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"is a directory; name a YAML file in it$"):
        load_desk(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_topology(tmp_path / ("x" * 300))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_topology("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_line(tmp_path):
    file = tmp_path / "topology.yaml"
    file.write_text("service: voz\n")
    file.chmod(0)
    with pytest.raises(ConfigError, match=r"may not be read; give this user permission to read it$"):
        load_topology(file)


def test_a_file_beyond_all_measure_is_refused(tmp_path):
    file = tmp_path / "topology.yaml"
    file.write_bytes(b"# " + b"x" * 4_000_001)
    with pytest.raises(ConfigError, match="is larger than 4000000 bytes"):
        load_topology(file)


def test_anchors_and_merge_keys():
    text = b"""
defaults: &d {every: 1s, timeout: 900ms}
edge: {<<: *d, timeout: 500ms}
both: {<<: [{a: 1}, {a: 2, b: 3}], c: 4}
again: *d
"""
    document = parse_document("f", text)
    assert document.data["edge"] == {"every": "1s", "timeout": "500ms"}
    assert document.data["both"] == {"a": 1, "b": 3, "c": 4}
    assert document.data["again"] == document.data["defaults"]
    assert document.line(("edge", "timeout")) == 3
    assert document.line(("edge", "nothing", "deeper")) == 3


def test_a_byte_order_mark_is_no_fault():
    assert parse_document("f", b"\xef\xbb\xbfa: 1\n").data == {"a": 1}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sip:198.51.100.11", ("sip", None, "198.51.100.11", 5060, "udp")),
        ("sip:sbc.example:5070;transport=TCP", ("sip", None, "sbc.example", 5070, "tcp")),
        ("sips:198.51.100.11", ("sips", None, "198.51.100.11", 5061, "tls")),
        ("sip:[2001:db8::1]:5061;transport=tls", ("sip", None, "[2001:db8::1]", 5061, "tls")),
        ("sip:echo@10.0.0.1", ("sip", "echo", "10.0.0.1", 5060, "udp")),
    ],
)
def test_sip_addresses(text, parts):
    assert tuple(parse_sip(text)) == parts


def test_a_desk_and_its_json():
    desk = load_desk(VALID / "desk-base.yaml")
    assert [(name, channel.kind) for name, channel in desk.channels.items()] == [("hook", "webhook"), ("mail", "smtp")]
    assert desk.channels["mail"].from_ == "sereno@example.net"
    assert desk.people["ana"].channels == ("mail", "hook")
    assert desk.people["ana"].locale == "es_CO"
    assert [(level.name, level.calendar) for level in desk.levels] == [("L1", "office"), ("L2", None)]
    assert desk_from_json(msgspec.json.decode(desk.model_dump_json(by_alias=True))) == desk
    with pytest.raises(ConfigError, match="what is stored is not a desk"):
        desk_from_json({"people": 3})


def test_a_frozen_topology_cannot_be_changed():
    topology = full()
    with pytest.raises(ValueError, match="frozen"):
        topology.service = "other"
    assert isinstance(topology, Topology)
    assert as_json(topology)["service"] == "acme-voice"
