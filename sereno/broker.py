"""A private Mosquitto on loopback: its files, and one account per probe that can speak for nobody else."""

import hashlib
import os
import pwd
import secrets
import shutil
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

from sereno.errors import UsageError

COLLECTOR = "collector"  # the account that reads what every probe says
_ROUNDS = 101  # of PBKDF2-SHA512 in Mosquitto's `$7$` format
_CONFIG = """\
# Written by `sereno up`; changes are lost.
per_listener_settings false
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
user {user}
persistence false
max_queued_messages 20000
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""
# A probe writes and reads under its own name only: %u is the account that it proved.
_ACL = """\
user {collector}
topic read sereno/v1/results/#
topic read sereno/v1/status/#
topic write sereno/v1/acks/#
topic write sereno/v1/topology/#

pattern write sereno/v1/results/%u
pattern write sereno/v1/status/%u
pattern read sereno/v1/acks/%u
pattern read sereno/v1/topology/%u
"""


def program() -> str:
    """Where Mosquitto is; UsageError says how to get it."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise UsageError("mosquitto is not installed; run `make setup`, or apt-get install mosquitto")
    return found


def prepare(folder: Path, port: int, probes: Iterable[str]) -> Path:
    """Writes the broker's files, keeping passwords of before; the configuration file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [f"{account}:{_hashed(_secret(folder, account))}" for account in (COLLECTOR, *probes)]
    _private(folder / "passwords", "\n".join(lines) + "\n")
    _private(folder / "acl", _ACL.format(collector=COLLECTOR))
    user = pwd.getpwuid(os.geteuid()).pw_name
    config = folder / "mosquitto.conf"
    _private(config, _CONFIG.format(port=port, folder=folder, user=user))
    return config


def secret_file(folder: Path, account: str) -> Path:
    """The file with an account's password."""
    return folder / f"{account}.secret"


def _secret(folder: Path, account: str) -> str:
    path = secret_file(folder, account)
    if not path.exists():
        _private(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def _private(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    new.replace(path)
