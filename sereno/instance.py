"""The running `sereno up` of a data directory: where it is, who holds it, what it says of itself."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sereno.errors import StoreError, UsageError

if TYPE_CHECKING:
    from sereno.store import Store

INSTANCE_FILE = "instance.json"
LOCK_FILE = "lock"
LOOK_SECONDS = 0.3  # somebody who only looks whether it is held holds it for an instant


class RunningError(UsageError):
    """Somebody else has this data directory."""


class Instance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`DATA/instance.json`. `pids` and `ports` are by the child's name; `lab` is the lab's loopback net, if any."""

    url: str
    ports: dict[str, int]
    pids: dict[str, int]
    probe: str
    topology: str | None = None
    lab: str | None = None
    version: str = ""


def data_directory(given: Path | None = None) -> Path:
    """`--data`, else `$SERENO_DATA`, else the user's data directory."""
    if given is not None:
        return given
    if os.environ.get("SERENO_DATA"):
        return Path(os.environ["SERENO_DATA"])
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "sereno"


def open_store(data: Path | None = None, database: str | None = None) -> "Store":
    """The store that `--database` or `--data` names; StoreError where there is none yet."""
    from sereno.store import SQLITE_FILE, open_database
    from sereno.store import open_store as open_it

    if database is not None:
        if data is not None:
            raise UsageError("--data and --database exclude each other; give one")
        return open_database(database)
    folder = data_directory(data)
    if not (folder / SQLITE_FILE).exists():
        raise StoreError(
            f"{folder}: there is no Sereno data here yet; start `sereno up`, or name its directory with --data"
        )
    return open_it(folder)


def read(data: Path) -> Instance | None:
    """What runs on this data directory; None when nothing does."""
    try:
        body = (data / INSTANCE_FILE).read_bytes()
    except OSError:
        return None
    if not is_locked(data):
        return None  # its supervisor was killed and left the file behind
    try:
        return msgspec.json.decode(body, type=Instance)
    except msgspec.DecodeError as error:
        raise StoreError(f"{data / INSTANCE_FILE}: {error}; stop `sereno up` and start it again") from None


def write(data: Path, instance: Instance) -> None:
    """Replaces instance.json as a whole."""
    path = data / INSTANCE_FILE
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(instance), indent=2) + b"\n")
    new.replace(path)


def forget(data: Path) -> None:
    """Removes instance.json; nothing runs here any more."""
    with suppress(FileNotFoundError):
        (data / INSTANCE_FILE).unlink()


def take_lock(data: Path, wait_seconds: float = LOOK_SECONDS) -> int:
    """The descriptor that holds `DATA/lock` until closed; UsageError when another process keeps it so long."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{data}: {error.strerror}; give a directory that can be written with --data") from None
    deadline = time.monotonic() + wait_seconds
    while not _try(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            running = read(data)
            where = f" at {running.url}" if running is not None else ""
            raise RunningError(f"{data}: a Sereno already runs on this data{where}; stop it, or choose another --data")
        time.sleep(0.02)
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def lock(data: Path, wait_seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """Holds `DATA/lock`: nobody else starts on this data meanwhile; RunningError when somebody runs already."""
    descriptor = take_lock(data, wait_seconds)
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(data: Path) -> bool:
    """Whether a process holds `DATA/lock`."""
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try(descriptor)
    finally:
        os.close(descriptor)
