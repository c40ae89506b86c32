"""The spool on a disk that is full, torn or taken away: measuring goes on, the newest is kept, and it is said.

The full disk is a small tmpfs of a mount namespace of its own.
"""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes.checks import Target, result
from probes.spool import Spool
from probes.spoolfile import SpoolDamaged, SpoolFile
from sereno.clock import SECOND_US
from sereno.ranges import Ranges
from sereno.wire import Result, decode

NOW = 1_800_000_000 * SECOND_US
TARGET = Target(check="edge", sbc="sbc-1")


def make(at_us=NOW, size=0):
    return result(TARGET, at_us, "failed" if size else "ok", evidence={"messages": "x" * size} if size else None)


def may_mount():
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    return done.returncode == 0


PROGRAM = """
import json, os, sys
from pathlib import Path
from probes.checks import Target, result
from probes.spool import Spool
from sereno.wire import Result, decode
folder = Path(sys.argv[1]); story = {}
NOW = 1_800_000_000_000_000
def make(): return result(Target(check="edge", sbc="sbc-1"), NOW, "failed", evidence={"messages": "x" * 400})
def bodies(spool, boot, first, last): return [decode(body, Result).seq for body in spool.read(boot, first, last)]
"""


def on_a_small_disk(tmp_path, story, megabytes=10):
    """Runs a story on a file system of its own; what it said, as JSON, and its log."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = f'mount -t tmpfs -o size={megabytes}m none "$0" && exec "$1" -c "$2" "$0"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, str(folder), sys.executable, PROGRAM + story],
        capture_output=True, text=True, timeout=60, check=False, cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


needs_mount = pytest.mark.skipif(not may_mount(), reason="mount namespaces are not allowed here")


@needs_mount
def test_a_full_disk_keeps_the_newest_and_comes_back_when_there_is_room(tmp_path):
    story = """
spool = Spool(folder / "spool.db", "p", memory_rows=1_000); spool.begin_boot("a")
for number in range(20_000):  # about 14 MB of results into 10 MB of disk, 3 MB of them log and reserve
    spool.append(make())
    if number % 20 == 19:
        spool.trim(NOW)
story["trouble"] = bool(spool.notes())
story["dropped"], story["rows"], story["unsaved"] = spool.dropped, len(spool), spool.unsaved
held = [list(ranges) for ranges in spool.held().values()]
story["held"] = held
first, last = held[0][0][0], held[-1][-1][1]
story["newest"] = bodies(spool, "a", last - 499, last) == list(range(last - 499, last + 1))
story["oldest"] = bodies(spool, "a", first, first + 9) == list(range(first, first + 10))
story["forgot"] = spool.forget("a", 1, last)
spool.append(make()); spool.trim(NOW)
story["trouble_after"], story["unsaved_after"], story["left"] = spool.trouble, spool.unsaved, len(spool)
spool.close()
again = Spool(folder / "spool.db", "p")
story["recalled"] = {boot: list(ranges) for boot, ranges in again.held().items()}
print(json.dumps(story))
"""
    told, log = on_a_small_disk(tmp_path, story)
    assert told["trouble"]
    ((first, last),) = told["held"][0]  # no holes: always the oldest went
    assert last == 20_000
    assert told["dropped"] == first - 1 > 5_000
    assert told["rows"] == told["forgot"] == last - first + 1 > 1_000
    assert told["newest"]
    assert told["oldest"]
    assert told["trouble_after"] is None
    assert told["unsaved_after"] == 0
    assert told["left"] == 1
    assert told["recalled"] == {"a": [[20_001, 20_001]]}
    assert log.count("measuring goes on, results wait in memory") == log.count("on disk again") <= 30
    assert "Traceback" not in log


@needs_mount
def test_a_disk_that_others_filled_leaves_memory_bounded_and_the_newest_in_it(tmp_path):
    story = """
spool = Spool(folder / "spool.db", "p", memory_rows=300); spool.begin_boot("a")
for _ in range(100): spool.append(make())
spool._file.give_reserve()
with (folder / "others").open("wb", buffering=0) as others:
    try:
        while True: others.write(b"x" * 4096)
    except OSError: pass
for _ in range(2_000):
    spool.append(make())
spool._file.give_reserve(); spool.trim(NOW)
story["unsaved"], story["dropped"] = spool.unsaved, spool.dropped
story["notes"] = spool.notes()
last = spool.held()["a"].last
story["newest"] = bodies(spool, "a", last - 99, last) == list(range(last - 99, last + 1))
(folder / "others").unlink()
gone = spool.trim(NOW)
story["trouble"], story["unsaved_after"], story["rows"] = spool.trouble, spool.unsaved, len(spool)
spool.close()
again = Spool(folder / "spool.db", "p")
story["recalled"] = again.held()["a"].last
full = folder / "others"
print(json.dumps(story))
"""
    told, _ = on_a_small_disk(tmp_path, story)
    assert 0 < told["unsaved"] <= 300
    assert told["dropped"] > 0
    assert any("disk is full" in note and "wait in memory" in note for note in told["notes"])
    assert any("dropped, oldest first" in note for note in told["notes"])
    assert told["newest"]
    assert told["trouble"] is None
    assert told["unsaved_after"] == 0
    assert told["recalled"] == 2_100


@needs_mount
def test_a_probe_that_starts_on_a_full_disk_measures_from_memory(tmp_path):
    story = """
with (folder / "others").open("wb", buffering=0) as others:
    try:
        while True: others.write(b"x" * 4096)
    except OSError: pass
spool = Spool(folder / "spool.db", "p"); spool.begin_boot("a")
for _ in range(50): spool.append(make())
story["unsaved"], story["notes"] = spool.unsaved, spool.notes()
story["read"] = bodies(spool, "a", 1, 50) == list(range(1, 51))
story["forgot"] = spool.forget("a", 1, 10)
(folder / "others").unlink()
for _ in range(6): spool.trim(NOW)
story["unsaved_after"], story["trouble"] = spool.unsaved, spool.trouble
spool.close()
story["recalled"] = list(Spool(folder / "spool.db", "p").held()["a"])
print(json.dumps(story))
"""
    told, _ = on_a_small_disk(tmp_path, story)
    assert told["unsaved"] == 50
    assert told["read"]
    assert told["forgot"] == 10
    assert told["unsaved_after"] == 0
    assert told["trouble"] is None
    assert told["recalled"] == [[11, 50]]


def test_a_file_size_limit_is_a_full_disk_too(tmp_path):
    """RLIMIT_FSIZE: writes beyond it fail with EFBIG, which SQLite calls an I/O error."""
    story = """
import resource
spool = Spool(folder / "spool.db", "p", memory_rows=1_000); spool.begin_boot("a")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
for number in range(6_000):
    spool.append(make())
    if number % 20 == 19: spool.trim(NOW)
story["unsaved"], story["notes"] = spool.unsaved, spool.notes()
last = spool.held()["a"].last
story["newest"] = bodies(spool, "a", last - 99, last) == list(range(last - 99, last + 1))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.trim(NOW); spool.append(make())
story["after"] = [spool.unsaved, spool.trouble, spool.held()["a"].last]
print(json.dumps(story))
"""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + story, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["unsaved"] <= 1_000
    assert told["notes"]
    assert told["newest"]
    assert told["after"] == [0, None, 6_001]


# -- damaged files -----------------------------------------------------------------------------------------------------


def filled(path, rows=500):
    spool = Spool(path, "p")
    spool.begin_boot("a")
    for _ in range(rows):
        spool.append(make(size=300))
    spool.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"this is no database " * 200), id="other"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:100] + os.urandom(8_000)), id="torn"),
        pytest.param(lambda path: os.truncate(path, path.stat().st_size // 2), id="cut"),
        pytest.param(lambda path: overwrite(path, 4_096, b"\xff" * 60_000), id="holes"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_set_aside_with_one_line(tmp_path, damage, caplog):
    path = tmp_path / "spool.db"
    filled(path)
    damage(path)
    was = path.read_bytes()
    spool = Spool(path, "p")
    assert (tmp_path / "spool.db.damaged").read_bytes()[100:] == was[100:]
    assert spool.held() == {}
    spool.begin_boot("b")
    assert spool.append(make()).seq == 1
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert "set aside as spool.db.damaged" in lines[0]
    assert any("set aside as spool.db.damaged" in note for note in spool.notes())
    spool.close()
    again = Spool(path, "p")
    assert again.held() == {"b": Ranges([(1, 1)])}
    again.close()


def overwrite(path, offset, octets):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(octets)


def test_a_file_that_goes_bad_while_it_is_used_is_set_aside_and_what_it_held_is_told(tmp_path):
    path = tmp_path / "spool.db"
    filled(path, 8_000)
    spool = Spool(path, "p")
    spool.begin_boot("b")
    overwrite(path, 8_192, os.urandom(path.stat().st_size - 8_192))
    found = spool.read("a", 1, 8_000)
    assert len(found) < 8_000
    assert [decode(body, Result).seq for body in found] == list(range(1, len(found) + 1))
    assert spool.trim(NOW) == [("a", (1, 8_000))]
    assert spool.dropped == 8_000
    assert len(spool) == 0
    assert spool.append(make()).seq == 1
    assert spool.held() == {"b": Ranges([(1, 1)])}
    spool.close()


def test_the_size_of_the_file_is_bounded(tmp_path):
    spool = Spool(tmp_path / "spool.db", "p", limit_bytes=2 << 20)
    spool.begin_boot("a")
    for number in range(12_000):
        spool.append(make(size=400))
        if number % 100 == 0:
            spool.trim(NOW)
    spool.trim(NOW)
    assert (tmp_path / "spool.db").stat().st_size < 3 << 20
    (held,) = spool.held().values()
    assert held.last == 12_000
    assert spool.dropped == held.first - 1 > 5_000
    spool.close()


def test_without_room_there_is_no_reserve_and_no_fault(tmp_path):
    file = SpoolFile(tmp_path / "spool.db")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    file.give_reserve()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
        assert not file.keep_reserve()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "spool.db.reserve").exists()
    assert file.keep_reserve()
    file.close()


def test_a_disk_that_cannot_be_read_for_a_while_is_no_damaged_file(tmp_path, monkeypatch, caplog):
    """SQLite calls a file damaged whose disk gives EIO; what it holds would be given up for nothing."""
    path = tmp_path / "spool.db"
    filled(path, 100)
    spool = Spool(path, "p")
    spool.begin_boot("b")

    def broken(*_):
        raise SpoolDamaged("database disk image is malformed")

    def dead(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr(SpoolFile, "read", broken)
        disk.setattr("probes.spool.read_through", dead)
        assert spool.read("a", 1, 100) == []
        assert spool.append(make()).seq == 1
        assert spool.forget("a", 1, 40) == 40
        assert spool.notes() == ["spool: spool.db cannot be read: Input/output error; 1 results wait in memory"]
    for _ in range(10):
        assert spool.trim(NOW) == []
    assert spool.notes() == []
    assert not path.with_name("spool.db.damaged").exists()
    assert len(spool) == 61
    assert len(spool.read("a", 41, 100)) == 60
    assert spool.held() == {"a": Ranges([(41, 100)]), "b": Ranges([(1, 1)])}
    spool.close()
    assert caplog.text.count("cannot be read") == 1


def test_what_was_lost_with_a_damaged_file_is_not_called_a_full_spool(tmp_path):
    path = tmp_path / "spool.db"
    filled(path, 8_000)
    spool = Spool(path, "p")
    spool.begin_boot("b")
    overwrite(path, 8_192, os.urandom(path.stat().st_size - 8_192))
    spool.read("a", 1, 8_000)
    assert any("8000 results were lost with a damaged file" in note for note in spool.notes())
    assert not any("spool full" in note for note in spool.notes())
    spool.close()
