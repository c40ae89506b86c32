"""Files without a name, for what would grow in memory."""

import os
from contextlib import suppress


def unseen_files(count: int) -> list[int]:
    """Descriptors of so many empty files that are gone when closed; none where no folder takes them.

    Sought in TMPDIR, then in /var/tmp, which is on disk where /tmp may be memory (FHS 5.15), then in /tmp.
    """
    for folder in (os.environ.get("TMPDIR"), "/var/tmp", "/tmp"):  # noqa: S108 # they have no name there
        files: list[int] = []
        with suppress(OSError):  # full, missing, read-only, or without such files: the next one
            for _ in range(count if folder else 0):
                files.append(os.open(str(folder), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))  # noqa: PERF401
            if files:
                return files
        for file in files:
            os.close(file)
    return []
