"""What the benchmarks of OPTIONS share: the user agent that answers (answerer.c), and processors of one's own."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HOST = "127.29.0.1"
SOURCE = Path(__file__).with_name("answerer.c")


_ALLOWED = sorted(os.sched_getaffinity(0))
MINE, OTHER = _ALLOWED[0], _ALLOWED[-1]  # for whoever asks, and for whoever answers


def pin() -> None:
    """This process, and all that it starts, stay on the one processor."""
    os.sched_setaffinity(0, {MINE})


@contextlib.contextmanager
def answerer(folder: Path, host: str = HOST) -> Iterator[int]:
    """A C program that answers every OPTIONS from the other processor; its port."""
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("benchmarks: no C compiler; run `make setup-test`")
    program = folder / "answerer"
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(SOURCE)], check=True)
    process = subprocess.Popen(["taskset", "-c", str(OTHER), str(program), host], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.poll() is None, "the answerer ended"
    finally:
        process.kill()
        process.wait(5)
        if process.stdout is not None:
            process.stdout.close()
