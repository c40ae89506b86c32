"""The ring's thread and a reader at once, under ThreadSanitizer and AddressSanitizer."""

import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from probes.media.errors import CaptureUnavailable
from probes.media.helper import PROGRAM
from probes.media.live import _descriptor

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "probes/media/csrc"
DRIVER = Path(__file__).with_name("media_ring.c")
STREAMS, EACH = 20, 1500


@pytest.fixture(scope="module", params=["thread", "address,undefined"])
def driver(request, tmp_path_factory):
    """The ring, the kernel and a small main, built with a sanitizer."""
    compiler = shutil.which("clang")
    if compiler is None:
        pytest.skip("clang is not installed")
    program = tmp_path_factory.mktemp("ring") / "media_ring"
    kernel = [path for path in sorted(SOURCES.glob("*.c")) if not path.name.startswith("bind")]
    flags = ["-g", "-O1", "-std=gnu11", "-pthread", "-Wno-missing-field-initializers", "-fno-sanitize-recover=all"]
    flags += [f"-fsanitize={request.param}", f"-I{SOURCES}"]
    subprocess.run([compiler, *flags, "-o", program, DRIVER, *kernel, "-lm"], check=True)
    return program


def test_nothing_races_and_nothing_is_lost(driver):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.30.0.9", 0))
        sender.connect(receiver.getsockname())
        try:
            descriptor = _descriptor(str(PROGRAM), "lo", (receiver.getsockname()[1],) * 2)
        except CaptureUnavailable as error:
            pytest.skip(str(error))
        environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1", "ASAN_OPTIONS": "detect_leaks=1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen([driver, str(descriptor)], pass_fds=[descriptor], env=environment, **pipes) as running:
            os.close(descriptor)
            if running.stdout.readline() != b"ready\n":
                pytest.fail(running.stderr.read().decode())
            for i in range(EACH):
                for ssrc in range(STREAMS):
                    sender.send(struct.pack("!BBHII", 0x80, 8, i, i * 160, ssrc) + bytes(160))
                sender.send(struct.pack("!BBHI", 0x80, 201, 1, 7))  # a receiver report without blocks
            out, errors = running.communicate(timeout=60)
        assert (running.returncode, errors.decode()) == (0, "")
        packets, dropped, frames = map(int, out.split())
    assert frames + dropped == EACH * (STREAMS + 1)
    # A stream that was forgotten begins anew with two packets in sequence: the first of them counts too.
    assert EACH * STREAMS - dropped - STREAMS <= packets <= EACH * STREAMS
