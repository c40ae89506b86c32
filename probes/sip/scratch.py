"""Where recordings of test calls lie while they are looked at: gone with the pool, or, after a kill, with the next."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "sereno-calls-"
_LOCK = "lock"


class Scratch:
    """A folder of our own under the system's temporary one, locked while its process lives: unlocked is rubbish."""

    def __init__(self) -> None:
        _sweep()
        self.path, self._lock = _made()
        while not (self.path / _LOCK).exists():  # another's sweep was quicker than our lock
            os.close(self._lock)
            self.path, self._lock = _made()

    def remove(self) -> None:
        """The folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _made() -> tuple[Path, int]:
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return path, lock


def _sweep() -> None:
    """Remove what killed probes left; a folder that is not ours, or just being made, stays."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
