"""The whole extension, Python's side of it too, under AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tests.media_builds import CSRC, ROOT

FLAGS = [
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1", "-std=c11",
    "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-shared", "-fPIC", "-pthread",
]  # fmt: skip
SUITES = [f"tests/unit/test_media_{name}.py" for name in ("numbering", "jitter", "reading", "meter", "rtcp", "audio")]

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
    subprocess.run([gcc, *FLAGS, f"-I{include}", *map(str, sorted(CSRC.glob("*.c"))), "-o", str(built)], check=True)
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
    plain = ("-p", "sanitized", "-p", "no:cacheprovider", "-p", "no:xdist")
    command = [sys.executable, "-m", "pytest", "-q", *plain, *SUITES]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "sanitized True" in done.stdout
