"""`sereno backup` and `sereno restore`: every row of either database in either database, or nothing at all."""

import gzip
import json
import os
import random
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import msgspec
import pytest
from alembic import command
from sqlalchemy import func, insert, select, update
from store_rows import fill, in_order, read
from typer.testing import CliRunner

from probes.checks.backup import last_backup, stale
from sereno.cli.backup import app as backup_app
from sereno.cli.restore import app as restore_app
from sereno.clock import FakeClock, SystemClock
from sereno.errors import SerenoError, StoreError, UsageError
from sereno.instance import lock
from sereno.store import archive, backup, open_store
from sereno.store.archive import Head, Writer
from sereno.store.backup import restore, save
from sereno.store.copies import batches, counted, set_sequences, shapes_in, shapes_of
from sereno.store.engine import connect_engine
from sereno.store.lease import Lease
from sereno.store.migrate import HEAD, config_for
from sereno.store.postgres import parse_url
from sereno.store.tables import lease, metadata, positions, verdict_changes
from sereno.topology.model import Backup

CLOCK = SystemClock()
KILLS = int(os.environ.get("SERENO_KILLS", "1"))
DAMAGES = int(os.environ.get("SERENO_DAMAGES", "12"))  # a few hundred take a minute
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")


def quiet(*_):
    return None


def holds(store):
    with store.read() as connection:
        return counted(connection, shapes_of(), quiet)


@pytest.fixture
def full(any_store):
    """A store with rows in every table."""
    fill(any_store.engine)
    with any_store.write() as connection:
        set_sequences(connection)
    return any_store


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A backup with rows in every table, made from SQLite."""
    folder = tmp_path_factory.mktemp("made")
    store = open_store(folder)
    fill(store.engine)
    yield save(store, folder / "all.backup", CLOCK, quiet).file
    store.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request, tmp_path):
    """The URL of another database, empty, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/elsewhere.db"
    return request.getfixturevalue("empty_pg_url")


def put_back(file, url, tmp_path, *, force=False, told=quiet):
    return restore(file, tmp_path, lambda: open_store(url), CLOCK, told, force=force)


# -- whole -------------------------------------------------------------------------------------------------------------


def test_every_row_of_every_table_comes_back_in_either_database(full, elsewhere, tmp_path):
    before, file = holds(full), save(full, tmp_path / "all.backup", CLOCK, quiet).file
    assert file.stat().st_mode & 0o777 == 0o600
    assert {name for name, count in before.items() if count.rows} == set(metadata.tables)
    done = put_back(file, elsewhere, tmp_path)
    assert done.tables == before
    store = open_store(elsewhere)
    found = holds(store)
    assert {name for name in found if found[name] != before[name]} <= {"lease"}  # its epoch only, see below
    with store.write() as connection:  # numbers go on after the last
        added = connection.execute(
            insert(verdict_changes).values(
                kind="k", name="n", what="w", state="s", since_us=1, at_us=1, facts="{}"
            )
        )  # fmt: skip
        assert added.inserted_primary_key[0] == 6
    again = save(store, tmp_path / "again.backup", CLOCK, quiet)
    assert again.tables["results"] == before["results"]
    store.dispose()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_what_cannot_be_written_leaves_no_trace(full, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoreError, match="give a file in a folder with room"):
        save(full, tmp_path / "no" / "folder", CLOCK, quiet)
    assert sorted(tmp_path.iterdir()) == before


def test_only_a_file_is_replaced(full, tmp_path):
    """`-o /dev/null`, as root, must not put a file in the place of the device, nor of a link to something."""
    os.mkfifo(tmp_path / "device")
    with pytest.raises(StoreError, match="is no file that a backup could take the place of"):
        save(full, tmp_path / "device", CLOCK, quiet)
    assert (tmp_path / "device").is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "there.backup")
    assert save(full, tmp_path / "link", CLOCK, quiet).file == tmp_path / "there.backup"
    assert (tmp_path / "link").is_symlink()


def test_a_copy_is_of_one_instant_while_others_write(full, tmp_path):
    """Two rows that are always written together are together in the copy; what comes later is not in it."""
    begun, stop = threading.Event(), threading.Event()

    def write():
        for number in range(10, 100_000):
            if stop.is_set():
                return
            with full.write() as connection:
                connection.execute(update(positions).values(position=number))
                connection.execute(
                    insert(verdict_changes).values(
                        kind="k", name="n", what="w", state="s", since_us=number, at_us=1, facts="{}"
                    )
                )
            begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(30)
    try:
        saved = save(full, tmp_path / "live.backup", CLOCK, lambda *_: time.sleep(0.01))
    finally:
        stop.set()
        writer.join()
    url = f"sqlite:///{tmp_path}/copy.db"
    put_back(saved.file, url, tmp_path)
    copy = open_store(url)
    with copy.read() as connection:
        places = set(connection.execute(select(positions.c.position)).scalars())
        last = connection.execute(select(func.max(verdict_changes.c.since_us))).scalar_one()
    assert places == {last}
    copy.dispose()
    with full.read() as connection:
        assert connection.execute(select(func.max(verdict_changes.c.since_us))).scalar_one() > last


def test_an_older_backup_comes_to_this_schema(elsewhere, tmp_path):
    old = connect_engine(parse_url(f"sqlite:///{tmp_path}/old.db"))
    command.upgrade(config_for(old), "0001")
    kept = fill(old)
    path = tmp_path / "old.backup"
    with path.open("wb") as out, old.connect() as connection:
        writer = Writer(out, Head(sereno_backup=1, revision="0001", version="0.0.9", at="then", database="sqlite"))
        for shape in shapes_in(old):
            with batches(connection, shape) as rows:
                writer.table(shape, rows, quiet)
        writer.finish()
    old.dispose()
    done = put_back(path, elsewhere, tmp_path)
    assert (done.head.revision, done.revision) == ("0001", HEAD)
    store = open_store(elsewhere)
    found = read(store.engine, kept)
    kept["lease"][0]["epoch"] = found["lease"][0]["epoch"]
    assert found == {name: in_order(rows) for name, rows in kept.items()}
    store.dispose()


# -- refused -----------------------------------------------------------------------------------------------------------


def test_a_store_that_holds_something_is_replaced_by_force_only(file, elsewhere, tmp_path):
    target = open_store(elsewhere)
    with target.write() as connection:
        connection.execute(insert(positions).values(reader="mine", position=77))
    before = holds(target)
    with pytest.raises(StoreError, match=r"holds data already \(positions\); --force puts the backup in its place"):
        put_back(file, elsewhere, tmp_path)
    assert holds(target) == before
    put_back(file, elsewhere, tmp_path, force=True)
    with target.read() as connection:
        assert sorted(connection.execute(select(positions.c.position)).scalars()) == [1, 2, 3, 4, 5]
    target.dispose()


def test_nothing_is_restored_under_a_running_collector(file, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "_LEASE_SECONDS", 1.5)
    target = open_store(elsewhere)
    running = Lease(target, time.monotonic, "elsewhere~1/1/1")
    assert running.try_take(1)
    running.keep(CLOCK.now_us)
    try:
        with pytest.raises(StoreError, match="a collector runs on it; stop it"):
            put_back(file, elsewhere, tmp_path, force=True)
        with target.read() as connection:
            assert connection.execute(select(func.count()).select_from(positions)).scalar() == 0
    finally:
        running.release()
        target.dispose()


def test_a_writer_of_before_finds_itself_fenced(file, elsewhere, tmp_path):
    target = open_store(elsewhere)
    with target.write() as connection:
        connection.execute(insert(lease).values(id=1, epoch=900, holder="", renewed_us=1))
    put_back(file, elsewhere, tmp_path)
    with target.read() as connection:
        assert connection.execute(select(lease.c.epoch)).scalar_one() == 901
    target.dispose()


@pytest.mark.parametrize("phase", ["restoring for a trial", "writing", "counting"])
def test_interrupted_anywhere_it_has_changed_nothing(file, elsewhere, tmp_path, phase, monkeypatch):
    monkeypatch.setattr(backup, "_PAGES", 2)
    target = open_store(elsewhere)
    with target.write() as connection:
        connection.execute(insert(positions).values(reader="mine", position=77))
    before = holds(target)
    told = []

    def interrupted(what, table, rows):
        told.append(what)
        if what.startswith(phase) and (phase != "counting" or told.count(what) > 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(file, elsewhere, tmp_path, force=True, told=interrupted)
    after = holds(target)
    assert {name for name in after if after[name] != before[name]} <= {"lease", "leaderships"}
    target.dispose()


CODE = """
import sys
from sereno.cli import main
sys.argv[0] = "sereno"
main()
"""


def test_killed_at_any_moment_the_target_holds_what_it_held_or_all_of_the_backup(file, elsewhere, tmp_path):
    """kill −9 in the middle of `sereno restore`; what it leaves behind is swept by the next one."""
    target = open_store(elsewhere)
    with target.write() as connection:
        connection.execute(insert(positions).values(reader="mine", position=77))
    arguments = [sys.executable, "-c", CODE, "restore", str(file), "--database", elsewhere, "--force"]
    folder = tmp_path / "trials"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    began = time.monotonic()
    subprocess.run(arguments, env=environment, check=True, capture_output=True)
    seconds, random_of = time.monotonic() - began, random.Random(7)
    after = holds(target)
    for _ in range(KILLS):
        with target.write() as connection:
            connection.execute(update(positions).values(position=77))
        before = holds(target)
        process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random_of.uniform(0.3, 1.1) * seconds)  # not waiting for anything: a random instant is the point
        process.kill()
        process.wait()
        found = holds(target)
        moving = {"lease", "leaderships"}
        same = {name for name in found if name not in moving and found[name] == before[name]}
        restored = {name for name in found if name not in moving and found[name] == after[name]}
        assert len(found) - len(moving) in {len(same), len(restored)}
    for left in folder.iterdir():
        os.utime(left, (1, 1))
    subprocess.run(arguments, env=environment, check=True, capture_output=True)
    assert list(folder.iterdir()) == []
    target.dispose()


def whole(file):
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def broken(file, tmp_path, lines):
    path = tmp_path / "broken.backup"
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def same_content(path, file):
    try:
        return whole(path) == whole(file)
    except (OSError, EOFError, zlib.error):
        return False


def refused(path, tmp_path):
    url = f"sqlite:///{tmp_path}/untouched.db"
    with pytest.raises(StoreError) as caught:
        put_back(path, url, tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert not (tmp_path / "untouched.db").exists()
    return said


def test_a_file_cut_short_or_with_a_wrong_byte_is_never_restored_as_something_else(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BUFFER", 256)  # else so small a file is read to its end before anything is done
    store = open_store(tmp_path / "large")
    fill(store.engine, 60)
    file = save(store, tmp_path / "large.backup", CLOCK, quiet).file
    store.dispose()
    good, random_of = file.read_bytes(), random.Random(5)
    path = tmp_path / "broken.backup"
    for number in range(DAMAGES):
        place = random_of.randrange(10, len(good))
        if number % 2:
            path.write_bytes(good[:place])
        else:
            path.write_bytes(good[:place] + bytes([good[place] ^ (1 << random_of.randrange(8))]) + good[place + 1 :])
        if same_content(path, file):  # a bit that gzip itself does not read, such as the padding of its last octet
            continue
        said = refused(path, tmp_path)
        assert "is damaged" in said or "is no backup" in said
    for end in (b"{}\n", gzip.compress(b"more\n")):
        path.write_bytes(good + end)
        refused(path, tmp_path)


def test_what_is_wrong_inside_is_told(file, tmp_path):
    lines = whole(file)
    places = {msgspec.json.decode(line)["table"]: n for n, line in enumerate(lines) if line.startswith(b'{"table":')}
    head, row = lines[0], places["positions"] + 1

    def said(changed):
        return refused(broken(file, tmp_path, changed), tmp_path)

    assert "is no backup of Sereno" in said([b"hello\n"])
    assert "is of a newer Sereno" in said([head.replace(b'_backup":1', b'_backup":2'), *lines[1:]])
    assert "newer than this one; install that one" in said([head.replace(HEAD.encode(), b"9999"), *lines[1:]])
    assert "positions has 4 rows that are not the 5 written" in said(lines[:row] + lines[row + 1 :])
    assert "positions has 5 rows" in said([*lines[:row], lines[row].replace(b'",1]', b'",9]'), *lines[row + 1 :]])
    assert "a row of positions: Expected `int" in said([*lines[:row], b'["a","b"]\n', *lines[row + 1 :]])
    assert "does not fit into positions" in said([*lines[:row], b'["a",null]\n', *lines[row + 1 :]])
    assert "is damaged" in said([*lines[:row], b'["a",123456789012345678901]\n', *lines[row + 1 :]])
    assert "no table secrets like this" in said(
        [head, b'{"table":"secrets","columns":["a"],"kinds":["text"]}\n', *lines[1:]]
    )
    assert "cannot be understood" in said([head, b'{"table":"a","columns":["a"],"kinds":[]}\n', *lines[1:]])
    assert "it lacks positions" in said(lines[: places["positions"]] + lines[places["positions"] + 6 :])
    assert "it ends in the middle" in said(lines[:-1])
    assert "something follows" in said([*lines, b"{}\n"])


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", b"PK\x03\x04 a zip", b"SQLite format 3\0" * 100, gzip.compress(b"", mtime=0)],
    ids=["empty", "two bytes", "zip", "sqlite", "gzip of nothing"],
)
def test_a_foreign_file_is_one_line(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    assert "is no backup of Sereno" in refused(path, tmp_path)
    assert "give a file that `sereno backup` wrote" in refused(tmp_path / "missing", tmp_path)


# -- the commands ------------------------------------------------------------------------------------------------------


def test_the_commands_say_what_they_did(full, store_url, empty_pg_url, tmp_path):
    made = CliRunner().invoke(backup_app, ["--database", store_url, "-o", str(tmp_path / "x.backup"), "--json"])
    assert made.exit_code == 0, made.exception
    facts = json.loads(made.stdout)
    assert (facts["verified"], facts["revision"], facts["tables"]["results"]["rows"]) == (True, HEAD, 5)
    assert (facts["size_bytes"], facts["rows"]) == (
        (tmp_path / "x.backup").stat().st_size,
        5 * len(metadata.tables) - 4,
    )
    (tmp_path / "status.json").write_text(made.stdout)
    expected = Backup.model_validate({"max_age": "1h", "status_file": str(tmp_path / "status.json")})
    assert stale(expected, last_backup(expected, CLOCK.now_us())) is None
    back = CliRunner().invoke(restore_app, [facts["file"], "--database", empty_pg_url, "--json"])
    assert back.exit_code == 0, back.exception
    assert json.loads(back.stdout)["tables"] == facts["tables"]


def test_a_data_directory_gets_a_dated_file_and_is_locked_while_restored(tmp_path):
    data, kept = tmp_path / "data", tmp_path / "kept"
    kept.mkdir()
    store = open_store(data)
    fill(store.engine)
    before = holds(store)
    store.dispose()
    made = CliRunner().invoke(backup_app, ["--data", str(data), "-o", str(kept)])
    assert "restored once for a trial: every row is as it was read" in made.stdout
    (file,) = kept.iterdir()
    assert file.name.startswith("sereno-20")
    with lock(tmp_path / "new"):
        busy = CliRunner().invoke(restore_app, [str(file), "--data", str(tmp_path / "new")])
        assert isinstance(busy.exception, UsageError)
    done = CliRunner().invoke(restore_app, [str(file), "--data", str(tmp_path / "new")])
    assert done.exit_code == 0, done.exception
    assert "restored what was stored at" in done.stdout
    store = open_store(tmp_path / "new")
    assert {name for name, count in holds(store).items() if count != before[name]} <= {"lease"}
    store.dispose()
    both = CliRunner().invoke(restore_app, [str(file), "--data", str(data), "--database", "sqlite:////x"])
    assert isinstance(both.exception, SerenoError)
    missing = CliRunner().invoke(restore_app, [str(Path("/nowhere")), "--data", str(tmp_path / "never")])
    assert isinstance(missing.exception, StoreError)
    assert not (tmp_path / "never").exists()


def test_the_instant_is_the_clocks(full, tmp_path):
    saved = save(full, tmp_path / "a", FakeClock(1_795_219_200_000_000), quiet)
    assert saved.head.at == "2026-11-21T00:00:00.000000Z"
