"""Recordings of test calls: what a killed probe leaves is removed by the next one, what a living one has is not."""

import subprocess
import sys
import tempfile

import pytest

from probes.sip.scratch import Scratch

_DIE = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from probes.sip.scratch import Scratch
made = Scratch()
(made.path / "1.wav").write_bytes(b"sound")
print(made.path, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_what_a_killed_probe_left_is_removed_and_what_a_living_one_has_is_not(tmp_path):
    died = subprocess.run([sys.executable, "-c", _DIE, str(tmp_path)], capture_output=True, text=True, check=False)
    assert list(tmp_path.iterdir()) == [tmp_path / died.stdout.strip().rsplit("/", 1)[1]], died.stderr
    living = Scratch()
    other = Scratch()
    assert sorted(tmp_path.iterdir()) == sorted([living.path, other.path])
    living.remove()
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_lock_is_not_touched(tmp_path):
    (tmp_path / "sereno-calls-made-by-hand").mkdir()
    (tmp_path / "sereno-calls-a-file").touch()
    Scratch().remove()
    assert len(list(tmp_path.iterdir())) == 2
