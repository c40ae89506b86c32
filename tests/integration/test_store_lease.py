"""Leadership on both databases: one at a time, fenced between check and commit, renewed whatever else is written."""

import threading
from time import monotonic

import pytest
from sqlalchemy import func, insert, make_url, select, text

from sereno.errors import StoreError
from sereno.store import open_store
from sereno.store.advisory import AdvisoryLock
from sereno.store.engine import connect_engine
from sereno.store.lease import HELD_SECONDS, Lease, LeaseLostError, read
from sereno.store.tables import leaderships, positions


class Time:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def member(store_url):
    """Makes processes on one database, each with sessions of its own and a name; all of them end with the test."""
    made = []

    def new(name, time):
        store = open_store(store_url)
        made.append(Lease(store, time, f"elsewhere~0/{name}/1"))
        made[-1].store = store
        return made[-1]

    yield new
    for each in made:
        each.close()
        each.store.dispose()


def test_a_writer_stopped_between_its_check_and_its_commit_commits_nothing(pg_url):
    time = Time()
    old_store, new_store = open_store(pg_url), open_store(pg_url)
    old, new = Lease(old_store, time, "elsewhere~0/1/1"), Lease(new_store, time, "elsewhere~0/2/2")
    assert old.try_take(0)
    stopped = old_store.fenced(old.check).write()
    connection = stopped.__enter__()  # it has passed the fence …
    connection.execute(insert(positions).values(reader="late", position=1))
    assert not new.try_take(0)
    time.now += 3.1
    assert new.try_take(0)  # … is overtaken while it stands still …
    with pytest.raises(StoreError):
        stopped.__exit__(None, None, None)  # … and cannot commit when it wakes
    with new_store.read() as reading:
        assert reading.execute(select(func.count()).select_from(positions)).scalar_one() == 0
    with pytest.raises(LeaseLostError):
        old.renew(1)
    with pytest.raises(LeaseLostError), old_store.fenced(old.check).write():
        pytest.fail("a former writer got in")
    for each, store in ((old, old_store), (new, new_store)):
        each.close()
        store.dispose()


def test_a_long_transaction_does_not_keep_the_lease_from_being_renewed(pg_url):
    store = open_store(pg_url)
    lease = Lease(store, Time(), "elsewhere~0/1/1")
    assert lease.try_take(0)
    with store.fenced(lease.check).write():
        lease.renew(7)
    with store.read() as connection:
        assert read(connection).renewed_us == 7
    lease.close()
    store.dispose()


def test_a_writer_whose_sessions_are_ended_goes_on_if_nobody_took_over(pg_url):
    store, other = open_store(pg_url), open_store(pg_url)
    lease = Lease(store, Time(), "elsewhere~0/1/1")
    assert lease.try_take(0)
    with other.write() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                                " AND datname = current_database() AND usename = current_user"))  # fmt: skip
    lease.renew(1)
    assert lease.held()
    assert lease.epoch == 1
    with other.read() as connection:
        locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        assert connection.execute(locks).scalar_one() == 1
    lease.close()
    store.dispose()
    other.dispose()


def test_of_many_that_try_at_once_one_becomes_the_writer(member):
    time = Time()
    members = [member(number, time) for number in range(5)]
    taken, errors = [], []

    def attempt(each, start):
        start.wait()
        try:
            if each.try_take(0):
                taken.append(each)
        except StoreError as error:  # it waited for another who was quicker
            errors.append(error)

    for turn in range(1, 4):
        taken.clear()
        start = threading.Barrier(len(members))
        threads = [threading.Thread(target=attempt, args=(each, start)) for each in members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1, errors
        assert taken[0].epoch == turn
        taken[0].release()
    with members[0].store.read() as connection:
        assert connection.execute(select(leaderships.c.epoch)).scalars().all() == [1, 2, 3]


def test_who_cannot_renew_is_silent_before_another_may_speak(member):
    time = Time()
    old, new = member(1, time), member(2, time)
    assert old.try_take(0)
    assert not new.try_take(0)
    time.now += HELD_SECONDS - 0.01
    assert old.held()
    time.now += 0.01
    assert not old.held()
    assert not new.try_take(0)
    time.now += 0.5
    assert new.try_take(0)
    assert new.held()
    assert not old.held()


def test_an_epoch_is_never_used_twice_even_if_the_row_is_lost(member):
    time = Time()
    lease = member(1, time)
    assert lease.try_take(0)
    with lease.store.write() as connection:
        connection.execute(text("DELETE FROM lease"))
    with pytest.raises(LeaseLostError, match="the writer is now nobody"):
        lease.renew(1)
    deadline = monotonic() + 5  # the session that held the lock ends when the server hears of it
    while not lease.try_take(2):
        assert monotonic() < deadline
    assert lease.epoch == 2


def test_a_session_that_the_server_ended_is_given_back_without_a_word(empty_pg_url):
    """What is unlocked may be gone already: the lock went with its session, and the next one takes it."""
    ours, others = connect_engine(make_url(empty_pg_url)), connect_engine(make_url(empty_pg_url))
    lock, next_one = AdvisoryLock(ours), AdvisoryLock(others)
    assert lock.take()
    pid = lock.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with others.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 2000)"), {"pid": pid})
    lock.unlock()
    lock.close()
    assert next_one.take()
    next_one.unlock()
    assert lock.take(), "unlocked, though the other's session still lives"
    for each in (lock, next_one):
        each.close()
    ours.dispose()
    others.dispose()
