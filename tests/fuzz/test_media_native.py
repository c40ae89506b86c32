"""The meter's C without Python, under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.

A libFuzzer target for each parser with its seeds (tests/fuzz/corpus), a few seconds here and longer with `make fuzz`;
the kernel driven through every kind of trouble; every allocation refused in turn.
"""

import os
import subprocess

import pytest

from tests.media_builds import kernel_objects, link
from tests.media_seeds import CORPUS, corpora

SECONDS = int(os.environ.get("SERENO_FUZZ_SECONDS", "3"))
TARGETS = tuple(corpora())
# What a mutation by octets would hardly find.
WORDS = {
    "sip": ("INVITE sip:", "SIP/2.0 200", "ACK sip:", "BYE sip:", r"\x0d\x0a\x0d\x0a", "Content-Length: ", "l: "),
    "capture": (r"\x0a\x0d\x0d\x0a", r"\x4d\x3c\x2b\x1a", r"\x1a\x2b\x3c\x4d", r"\x81\x00\x00\x07", "INVITE sip:"),
}  # fmt: skip


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return kernel_objects(tmp_path_factory.mktemp("kernel"))


@pytest.mark.timeout(240 + SECONDS)
@pytest.mark.parametrize("target", TARGETS)
def test_parser_under_libfuzzer(tmp_path, objects, target):
    found, words = tmp_path / "found", tmp_path / "words"
    found.mkdir()
    words.write_text("".join(f'"{word}"\n' for word in WORDS.get(target, ("RTP",))))
    binary = link(objects, f"fuzz_{target}.c", tmp_path / target, "-fsanitize=fuzzer")
    limits = [f"-max_total_time={SECONDS}", "-timeout=5", "-rss_limit_mb=1024", f"-dict={words}"]
    command = [str(binary), *limits, str(found), str(CORPUS / target)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr


def test_seeds_are_those_that_are_made():
    for target, seeds in corpora().items():
        kept = {path.name: path.read_bytes() for path in (CORPUS / target).iterdir()}
        assert {name: kept.get(name) for name in seeds} == seeds, "python -m tests.media_seeds"


@pytest.mark.timeout(240)
def test_kernel_in_trouble(tmp_path, objects):
    """Growth, loss, disorder, restarts, forgetting and sweeping."""
    binary = link(objects, "kernel_check.c", tmp_path / "kernel_check")
    done = subprocess.run([str(binary)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-3000:]


@pytest.mark.timeout(240)
def test_every_allocation_refused(tmp_path, objects):
    """In turn, alone and from there on: refused calls work when made again, nothing leaks, what is lost is counted."""
    wraps = ",".join(f"--wrap={name}" for name in ("malloc", "calloc", "realloc", "aligned_alloc"))
    binary = link(objects, "allocation.c", tmp_path / "allocation", f"-Wl,{wraps}")
    command = [str(binary), str(CORPUS / "capture" / "pcapng_mixed_big")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    allocations, _, survived, *_ = done.stdout.split()
    assert int(allocations) > 60
    assert 0 < int(survived) < int(allocations)
