"""The store's door: schema by revisions, immediate writers, snapshots, fences, lease, clear words."""

import sqlite3
import threading

import pytest
from sqlalchemy import func, insert, select

from sereno.errors import StoreError, UsageError
from sereno.instance import Instance, forget, is_locked, lock, read, take_lock, write
from sereno.instance import open_store as open_instance
from sereno.store import SQLITE_FILE, lease, open_store
from sereno.store.engine import _advice_sqlite
from sereno.store.tables import positions


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # compared as text below
def test_what_cannot_be_opened_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(StoreError, match="give a directory that can be written"):
        open_store(tmp_path / "file" / "deeper")
    (tmp_path / SQLITE_FILE).write_text("this is no database, though it is long enough to be read as one" * 20)
    with pytest.raises(StoreError, match="not a database; check the database URL or --data"):
        open_store(tmp_path)


def test_writers_wait_for_each_other_and_none_fails(any_store):
    store = any_store
    with store.write() as connection:
        connection.execute(insert(positions).values(reader="r", position=0))
    errors = []

    def count():
        try:
            for _ in range(25):
                with store.write() as connection:  # read, then write: a deferred transaction would fail here
                    seen = connection.execute(select(positions.c.position)).scalar_one()
                    connection.execute(positions.update().values(position=seen + 1))
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with store.read() as connection:
        assert connection.execute(select(positions.c.position)).scalar_one() == 100


def test_a_failed_write_leaves_nothing_and_a_read_is_one_snapshot(any_store):
    store = any_store

    def fail():
        with store.write() as connection:
            connection.execute(insert(positions).values(reader="r", position=0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as reading:
        count = select(func.count()).select_from(positions)
        assert reading.execute(count).scalar_one() == 0
        with store.write() as connection:
            connection.execute(insert(positions).values(reader="r", position=0))
        assert reading.execute(count).scalar_one() == 0
    with store.read() as reading:
        assert reading.execute(count).scalar_one() == 1


def test_a_power_cut_cannot_take_what_was_acknowledged(tmp_path):
    store = open_store(tmp_path)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    store.dispose()


# -- the lease ---------------------------------------------------------------------------------------------------------


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_lease_is_taken_when_it_no_longer_moves_and_the_epoch_fences_the_old_writer(any_store):
    store, time = any_store, Time()
    old = lease.Lease(store, time, "elsewhere/1/1")
    new = lease.Lease(store, time, "elsewhere/2/2")
    assert old.try_take(0)
    fenced = store.fenced(old.check)
    for second in range(10):
        time.now = float(second)
        assert not new.try_take(second)
        old.renew(second + 1)
    time.now += 2.9
    assert not new.try_take(0)  # it looks at the row for three seconds of its own before it believes
    time.now += 3.1
    assert new.try_take(0)
    assert (old.epoch, new.epoch) == (1, 2)
    with pytest.raises(lease.LeaseLostError, match=r"the writer is now elsewhere/2/2 \(epoch 2\)"):
        old.renew(99)
    with pytest.raises(lease.LeaseLostError), fenced.write():
        pytest.fail("a fenced writer got in")
    new.renew(100)
    old.release()  # not its own any more: nothing happens
    new.renew(101)
    new.close()


def test_a_dead_holder_of_this_machine_and_a_released_lease_are_followed_at_once(any_store):
    store, time = any_store, Time()
    this = lease.this_process()
    host, pid, _ = this.split("/")
    dead = lease.Lease(store, time, f"{host}/{pid}/1")  # a process of long ago that had our number
    assert dead.try_take(0)
    living = lease.Lease(store, time, this)
    assert living.try_take(0)
    other = lease.Lease(store, time, "elsewhere/1/1")
    assert not other.try_take(0)
    living.release()
    assert other.try_take(0)
    assert other.epoch == 3
    for each in (dead, other):
        each.close()


# -- the instance ------------------------------------------------------------------------------------------------------


def test_an_instance_is_known_only_while_its_lock_is_held(tmp_path):
    said = Instance(url="http://127.0.0.1:1/", ports={"http": 1}, pids={"probe": 2}, probe="p")
    write(tmp_path, said)
    assert read(tmp_path) is None  # its supervisor was killed
    descriptor = take_lock(tmp_path)
    assert read(tmp_path) == said
    with pytest.raises(UsageError, match="a Sereno already runs on this data"), lock(tmp_path):
        pytest.fail("two on the same data")
    forget(tmp_path)
    assert read(tmp_path) is None
    import os

    os.close(descriptor)
    assert not is_locked(tmp_path)
    with lock(tmp_path):
        assert is_locked(tmp_path)


def test_no_data_yet_is_said_and_not_made(tmp_path):
    with pytest.raises(StoreError, match="there is no Sereno data here yet; start `sereno up`"):
        open_instance(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(UsageError, match="exclude each other"):
        open_instance(tmp_path, "sqlite://")


def test_a_database_that_another_is_just_setting_up_is_waited_for(tmp_path):
    """SQLite answers `locked` at once, whatever its patience, where another is about to write the first pages."""
    first = sqlite3.connect(tmp_path / SQLITE_FILE, isolation_level=None, check_same_thread=False)
    first.execute("CREATE TABLE begun (x)")
    first.execute("BEGIN IMMEDIATE")
    first.execute("INSERT INTO begun VALUES (1)")
    writer = threading.Timer(0.3, first.execute, ("COMMIT",))
    writer.start()
    open_store(tmp_path).dispose()
    writer.join()
    first.close()


@pytest.mark.parametrize("words", ["disk I/O error", "database or disk is full"])
def test_a_full_disk_is_suspected(words):
    assert "is its disk full?" in _advice_sqlite(words)
    assert "disk" not in _advice_sqlite("database disk image is malformed")
