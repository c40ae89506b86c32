"""Every parser of the media room: it parses, or raises the one documented error, nothing else."""

import io
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probes.media import sdp
from probes.media.capture import feed_capture
from probes.media.errors import CaptureError
from probes.media.meter import StreamMeter
from tests.media_captures import rtp_pcap, stream

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "probes" / "media" / "csrc"
WHOLE = rtp_pcap(stream(20))
SANITIZERS = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
    "-std=c11",
]
SECONDS = int(os.environ.get("SERENO_FUZZ_SECONDS", "5"))
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


@given(st.binary(max_size=400))
@example(
    b"SIP/2.0 200 OK\nContent-Type: application/sdp\n\n"
    b"c=IN IP4 1.2.3.4\nm=audio 4000 RTP/AVP 999 \xb2\na=rtpmap:999 x/1"
)
def test_sdp_never_raises(data):
    sdp.endpoints(data)
    sdp.endpoints(b"SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nc=IN IP4 10.0.0.1\r\n" + data)


_LINES = [
    "v=0", "c=IN IP4 1.2.3.4", "c=IN IP6 ::1", "m=audio 5 RTP/AVP 8 97", "m=video 6/2 RTP/AVP 31", "m=", "c=",
    "a=rtpmap:97 opus/48000/2", "a=rtpmap:97 x/0", "a=rtpmap:97 x/999999999", "a=rtpmap:", "m=audio -1 RTP/AVP",
]  # fmt: skip


@given(st.lists(st.sampled_from(_LINES), max_size=12))
def test_sdp_lines_in_any_order(lines):
    message = "SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n" + "\r\n".join(lines)
    meter = StreamMeter()
    for endpoint in sdp.endpoints(message.encode()):
        meter.announce(endpoint.address, endpoint.port, endpoint.formats)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_damaged_pcap(junk, at):
    for data in (junk, WHOLE[:at] + junk, WHOLE[:at] + junk + WHOLE[at + len(junk) :]):
        meter = StreamMeter()
        try:
            feed_capture(io.BytesIO(data), meter, "x")
        except CaptureError:
            continue
        meter.snapshot()


def _clang():
    clang = shutil.which("clang")
    if not clang:
        pytest.skip("clang is not installed")
    return clang


def _build(target, out, *flags, kernel=True):
    included = () if kernel else ("formats.c", "kernel.c")  # by the target itself
    parts = [
        path for path in CSRC.glob("*.c") if path.name not in included and not path.name.startswith(("bind", "ring"))
    ]
    sources = [str(ROOT / "tests" / "fuzz" / target), *map(str, parts)]
    command = [_clang(), *SANITIZERS, *WARNINGS, *flags, f"-I{CSRC}", *sources, "-lm", "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.mark.timeout(180 + SECONDS)
def test_capture_reader_under_libfuzzer(tmp_path):
    """Five seconds in the suite; `make fuzz` runs it for longer."""
    binary, corpus = tmp_path / "fuzz_capture", tmp_path / "corpus"
    _build("fuzz_capture.c", binary, "-fsanitize=fuzzer")
    corpus.mkdir()
    (corpus / "whole").write_bytes(WHOLE)
    command = [str(binary), f"-max_total_time={SECONDS}", "-timeout=5", "-rss_limit_mb=1024", "-seed=1", str(corpus)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr


@pytest.mark.timeout(180)
@pytest.mark.parametrize("check", ["kernel_check", "kernel_allocation"])
def test_kernel_under_sanitizers(tmp_path, check):
    """Streams with every kind of trouble, and every allocation refused in turn, under ASan, LSan and UBSan."""
    binary = tmp_path / check
    _build(f"{check}.c", binary, kernel=check == "kernel_check")
    done = subprocess.run([str(binary)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout == "ok\n"


_PLUGIN = """
import importlib.machinery, importlib.util, sys
import probes.media
loader = importlib.machinery.ExtensionFileLoader("probes.media._meter", {path!r})
module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(module)
sys.modules[loader.name] = probes.media._meter = module

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("sanitized " + str(module.Meter is sys.modules["probes.media.meter"]._meter.Meter))
"""


@pytest.mark.timeout(180)
def test_binding_under_sanitizers(tmp_path):
    """The whole extension, ring excepted, with ASan and UBSan under the meter's own tests."""
    gcc = shutil.which("gcc")
    if not gcc:
        pytest.skip("gcc is not installed")
    built = tmp_path / "_meter.so"
    include = sysconfig.get_paths()["include"]
    flags = [*SANITIZERS, *WARNINGS, "-Wno-missing-field-initializers", "-shared", "-fPIC", "-pthread", f"-I{include}"]
    subprocess.run([gcc, *flags, *map(str, sorted(CSRC.glob("*.c"))), "-o", str(built)], check=True)
    (tmp_path / "sanitized.py").write_text(_PLUGIN.format(path=str(built)))
    runtimes = [
        subprocess.run([gcc, f"-print-file-name={name}.so"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan", "libubsan")
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(runtimes),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own, at exit
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sanitized", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command.append("tests/unit/test_media_meter.py")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "sanitized True" in done.stdout
