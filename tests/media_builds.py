"""The meter's C built with clang's sanitizers, for the tests that drive it without Python."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "probes" / "media" / "csrc"
FUZZ = ROOT / "tests" / "fuzz"
EDGES = ("bind", "ring")  # Python and the kernel's socket: the rest is pure
FLAGS = (
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1", "-std=c11",
    "-Wall", "-Wextra", "-Werror", f"-I{CSRC}", f"-I{FUZZ}",
)  # fmt: skip


def clang() -> str:
    """The compiler; a test that needs it is skipped without."""
    found = shutil.which("clang")
    if not found:
        pytest.skip("clang is not installed")
    return found


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def kernel_objects(folder: Path) -> list[Path]:
    """Every C file but the edges, instrumented for libFuzzer too."""
    compiler = clang()
    sources = [path for path in sorted(CSRC.glob("*.c")) if not path.name.startswith(EDGES)]
    objects = [folder / f"{path.stem}.o" for path in sources]
    commands = [
        [compiler, "-fsanitize=fuzzer-no-link", *FLAGS, "-c", str(source), "-o", str(built)]
        for source, built in zip(sources, objects, strict=True)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        list(workers.map(_run, commands))
    return objects


def link(objects: list[Path], target: str, out: Path, *flags: str) -> Path:
    """A program of tests/fuzz over the kernel."""
    _run([clang(), *FLAGS, *flags, str(FUZZ / target), *map(str, objects), "-lm", "-o", str(out)])
    return out
