"""Where the links' secret comes from, and which routes a page has for it."""

import hashlib
from pathlib import Path

import pytest

from dashboards.web.inbound import settings_of
from sereno.cli._inbound import inbound_settings, link_keys
from sereno.desk import load_desk
from sereno.tokens import VARIABLE, Grant

GRANT = Grant(7, "ana", "ack", 1)
TOKEN = "x" * 32


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)

    def made(more: str = ""):
        (tmp_path / "desk.yaml").write_text(f"contract: callmyway\n{more}")
        return load_desk(tmp_path / "desk.yaml")

    return made


def test_the_file_comes_before_the_environment_and_that_before_the_folder(desk, tmp_path, monkeypatch, caplog):
    plain = desk()
    assert link_keys(plain, None) is None
    own = link_keys(plain, tmp_path / "data").issue(GRANT)
    assert link_keys(plain, tmp_path / "data").issue(GRANT) == own
    monkeypatch.setenv(VARIABLE, "e" * 32)
    given = link_keys(plain, tmp_path / "data").issue(GRANT)
    assert given == link_keys(None, None).issue(GRANT) != own
    (tmp_path / "links").write_text("f" * 32 + "\n")
    named = desk("secrets: {links: {file: links}}\n")
    assert link_keys(named, tmp_path / "data").issue(GRANT) not in (own, given)
    (tmp_path / "links").unlink()
    assert link_keys(named, tmp_path / "data") is None  # and the watch goes on
    assert "secrets.links: no secret" in caplog.text
    (tmp_path / "links").write_text("short")
    assert link_keys(named, tmp_path / "data") is None
    assert "under 16 characters" in caplog.text


def test_a_client_without_its_hash_opens_nothing_to_this_machine(desk, tmp_path, caplog):
    (tmp_path / "good").write_text(hashlib.sha256(TOKEN.encode()).hexdigest() + "  -\n")
    (tmp_path / "bad").write_text(TOKEN)
    model = desk("api: {clients: {a: {token: {file: good}, may: [alerts]}, b: {token: {file: bad}, may: [alerts]}}}\n")
    found = inbound_settings(model, tmp_path / "data", private=True)
    assert [client.name for client in found.clients] == ["a"]
    assert (found.loopback, found.strict) == (False, True)
    assert "client b is left out" in caplog.text
    assert TOKEN not in caplog.text
    assert settings_of(desk(), None, loopback=True).loopback
