"""What people copy for a broker of their own lets nobody do more than what `sereno up` writes and the tests prove."""

from pathlib import Path

import deploy
from sereno import broker

FOLDER = Path(deploy.__file__).with_name("mosquitto")


def rules(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_access_list_is_the_one_that_is_tested(tmp_path):
    broker.prepare(tmp_path, 20_000, ["p1"])
    assert rules((FOLDER / "sereno.acl").read_text()) == rules((tmp_path / "acl").read_text())


def test_nobody_is_anonymous_and_everything_is_encrypted():
    settings = dict(line.split(" ", 1) for line in rules((FOLDER / "sereno.conf").read_text()))
    assert settings["allow_anonymous"] == "false"
    assert settings["certfile"]
    assert settings["acl_file"].endswith("sereno.acl")


def test_the_private_broker_listens_on_loopback_only_and_its_files_are_private(tmp_path):
    config = broker.prepare(tmp_path / "broker", 20_000, ["p1"])
    assert "listener 20000 127.0.0.1\n" in config.read_text()
    first = broker.secret_file(tmp_path / "broker", "p1").read_text()
    broker.prepare(tmp_path / "broker", 20_000, ["p1", "p2"])
    assert broker.secret_file(tmp_path / "broker", "p1").read_text() == first  # a running probe keeps its password
    for path in (tmp_path / "broker").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
        assert first.strip() not in path.read_text() or path.name == "p1.secret"
