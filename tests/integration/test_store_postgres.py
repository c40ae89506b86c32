"""What only PostgreSQL does: clear refusals, limits in time, turns, day partitions, a server that goes away."""

import signal
import socket
import threading

import pytest
from postgres import HOST, PASSWORD, cluster
from sqlalchemy import func, insert, select, text

from sereno.clock import iso
from sereno.errors import SerenoError, StoreError, UsageError
from sereno.store import open_database, open_store
from sereno.store.changes import changes_after, insert_changes
from sereno.store.partitions import DAY_US, drop_results_before, ensure_days, existing_days
from sereno.store.queries.results import in_order
from sereno.store.results import Refused, insert_refused, insert_results
from sereno.store.tables import positions, probe_events, results
from sereno.verdict import Change
from sereno.wire import Result

DAY = 20_778  # 2026-11-21


@pytest.fixture
def store(pg_url):
    opened = open_store(pg_url)
    yield opened
    opened.dispose()


def made(seq, at_us):
    return Result(
        v=1, probe="p", boot="b", seq=seq, at=iso(at_us), check="options", outcome="ok", sbc="s", core=f"c{seq % 2}"
    )


def keep(store, *pairs):
    with store.write() as connection:
        insert_results(connection, [made(seq, at_us) for seq, at_us in pairs], 1)


# -- the way in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((f":{PASSWORD}@", ":wr0ng-s3cret@"), "put the role's password into ~/.pgpass"),
        (("sereno:", "nobody:"), "put the role's password"),
        (("/test_", "/nothing_"), r'database "nothing_\d+" does not exist; create it with deploy/postgres/setup.sh'),
        ((f"{HOST}:", f"{HOST}:1"), "URL"),
        (("?", "?sslmode=require&"), "check sslmode"),
        (("?", "?bogus=1&"), "remove it from the URL"),
    ],
)
def test_a_server_that_lets_nobody_in_is_one_line_without_the_password(pg_url, change, words):
    url = f"{pg_url}?connect_timeout=5".replace(*change, 1)
    with pytest.raises(SerenoError, match=words) as caught:
        open_database(url)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_nobody_listening_is_told_with_where():
    with socket.socket() as nobody:
        nobody.bind((HOST, 0))
        port = nobody.getsockname()[1]
        with pytest.raises(
            StoreError, match=rf"^{HOST}:{port}/sereno: .*refused; is PostgreSQL running there"
        ) as caught:
            open_database(f"postgresql://sereno:{PASSWORD}@{HOST}:{port}/sereno")
    assert PASSWORD not in str(caught.value)


def test_the_one_of_several_hosts_that_lives_is_found_and_all_are_told(pg_url):
    """A primary and its replica as libpq names them: who is told of trouble sees both."""
    port = pg_url.rpartition("/")[0].rpartition(":")[2]
    url = pg_url.replace(f"@{HOST}:{port}", "@") + f"?host={HOST}:1&host={HOST}:{port}"
    store = open_database(url)
    assert store.where.startswith(f"{HOST}:1,{HOST}:{port}/test_")
    store.dispose()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_usual_names_of_the_scheme_are_one_driver(pg_url, scheme):
    store = open_database(pg_url.replace("postgresql+psycopg", scheme))
    assert store.engine.dialect.driver == "psycopg"
    store.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://u:s3cret@h/d", "postgresql://u:s3cret@h:port/d", "postgresql+asyncpg://u:s3cret@h/d", "x://"]
)
def test_a_url_of_something_else_says_what_to_write(url):
    with pytest.raises(UsageError, match=r"sqlite:////DIR/sereno.db or postgresql://sereno@HOST:5432/sereno") as caught:
        open_database(url)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_goes_away_is_told_and_used_again_when_it_is_back():
    with cluster() as mine:
        store = open_store(mine.database())
        keep(store, (1, DAY * DAY_US))

        def cut_off():
            with store.write() as connection:
                mine.stop(signal.SIGQUIT)
                connection.execute(insert(positions).values(reader="r", position=1))

        with pytest.raises(StoreError, match=rf"^{HOST}"):
            cut_off()
        with pytest.raises(StoreError, match="refused"), store.read():
            pytest.fail("there is no server")
        mine.start()
        with store.read() as connection:
            assert connection.execute(select(func.count()).select_from(results)).scalar() == 1
            assert connection.execute(select(func.count()).select_from(positions)).scalar() == 0
        store.dispose()


# -- limits and turns --------------------------------------------------------------------------------------------------


def test_a_write_that_waits_for_another_too_long_fails_and_the_other_goes_on(pg_url):
    store, hasty = open_store(pg_url), open_store(f"{pg_url}?options=-c%20lock_timeout%3D200ms")
    with store.write() as connection:
        with pytest.raises(StoreError, match="lock timeout"), hasty.write():
            pytest.fail("two writers at a time")
        connection.execute(insert(positions).values(reader="r", position=1))
    with hasty.write() as connection:
        assert connection.execute(select(positions.c.position)).scalar_one() == 1
    store.dispose()
    hasty.dispose()


def test_nothing_waits_for_ever_and_a_read_cannot_write(store):
    with store.read() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in (
            "lock_timeout", "statement_timeout", "synchronous_commit", "idle_in_transaction_session_timeout",
            "TimeZone", "transaction_isolation", "transaction_read_only")]  # fmt: skip
    assert shown == ["10s", "1min", "on", "1min", "UTC", "repeatable read", "on"]
    with pytest.raises(StoreError, match="read-only"), store.read() as connection:
        connection.execute(insert(positions).values(reader="r", position=1))


def test_ids_come_in_the_order_of_commits(store):
    """Who follows changes by id and has read 2 would never see a 1 that is committed later."""
    say = Change(kind="core", name="a", what="verdict", state="up", since_us=1, at_us=1)
    begun = threading.Event()

    def later():
        begun.set()
        with store.write() as connection:
            insert_changes(connection, [say])

    other = threading.Thread(target=later)
    with store.write() as connection:
        insert_changes(connection, [say])
        other.start()
        begun.wait()
        other.join(0.3)
        assert other.is_alive()  # it waits for its turn, and has no id meanwhile
        insert_changes(connection, [say])
    other.join()
    with store.read() as connection:
        assert [number for number, _ in changes_after(connection, 0)] == [1, 2, 3]


def test_words_of_any_length_and_with_any_sign_stop_nothing(store):
    with store.write() as connection:
        connection.execute(
            insert(probe_events).values(probe="p" * 500, state="online", boot="b" * 500, at_us=1, body="{}")
        )
        insert_refused(connection, [Refused(probe="p", why="a NUL \0 in it", payload="\0\0 garbage")], 1)


# -- days --------------------------------------------------------------------------------------------------------------


def test_every_result_finds_its_day_late_ones_too(store):
    midnight = DAY * DAY_US
    keep(store, (1, midnight - 1), (2, midnight), (3, midnight + DAY_US - 1), (4, midnight - 40 * DAY_US))
    with store.read() as connection:
        days = existing_days(connection)
        assert [at_us for _, at_us in in_order(connection, 0, 1 << 62)] == sorted(
            [midnight - 40 * DAY_US, midnight - 1, midnight, midnight + DAY_US - 1]
        )
        rows = connection.exec_driver_sql(f"SELECT seq FROM {days[DAY]} ORDER BY seq").scalars().all()  # noqa: S608
    assert rows == [2, 3]
    assert days == {
        DAY - 40: "results_20261012", DAY - 39: "results_20261013", DAY - 1: "results_20261120",
        DAY: "results_20261121", DAY + 1: "results_20261122",
    }  # fmt: skip


def test_a_day_whose_rows_were_not_committed_is_made_again(store):
    def fail():
        with store.write() as connection:
            insert_results(connection, [made(1, DAY * DAY_US)], 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    keep(store, (1, DAY * DAY_US))
    with store.read() as connection:
        assert set(existing_days(connection)) == {DAY, DAY + 1}


def test_two_who_need_the_same_new_day_both_write(pg_url):
    stores = [open_store(pg_url) for _ in range(4)]
    errors = []

    def write(number):
        try:
            keep(stores[number], *((number + 1, (DAY + day) * DAY_US) for day in range(5)))
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert errors == []
    with stores[0].read() as connection:
        assert connection.execute(select(func.count()).select_from(results)).scalar() == 20
    for each in stores:
        each.dispose()


def test_a_window_reads_its_own_days_only(store):
    keep(store, *((day, (DAY + day) * DAY_US + 5) for day in range(10)))
    with store.read() as connection:
        plan = "\n".join(
            connection.execute(
                text("EXPLAIN SELECT body FROM results WHERE at_us >= :begin AND at_us < :end"),
                {"begin": (DAY + 3) * DAY_US, "end": (DAY + 5) * DAY_US},
            ).scalars()
        )
    assert "results_20261124" in plan
    assert "results_20261125" in plan
    assert plan.count("results_2026") == plan.count("results_20261124") + plan.count("results_20261125")


def test_old_days_go_and_the_rest_stays(any_store):
    keep(any_store, *((day, (DAY + day) * DAY_US + 5) for day in range(10)))
    with any_store.write() as connection:
        assert drop_results_before(connection, (DAY + 4) * DAY_US + 77) == 4
        assert drop_results_before(connection, (DAY + 4) * DAY_US + 77) == 0
    with any_store.read() as connection:
        assert sorted(connection.execute(select(results.c.seq)).scalars()) == list(range(4, 10))
    keep(any_store, (99, DAY * DAY_US))  # a spool that comes after all
    with any_store.read() as connection:
        assert len(connection.execute(select(results.c.seq)).all()) == 7


def test_a_day_that_is_being_read_stays_and_nobody_waits_for_it(store):
    keep(store, (1, DAY * DAY_US), (2, (DAY + 1) * DAY_US))
    with store.read() as reading:
        reading.execute(select(results)).all()
        with store.write() as connection:
            assert drop_results_before(connection, (DAY + 1) * DAY_US) == 0
            insert_results(connection, [made(3, DAY * DAY_US + 1)], 1)
    with store.write() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "10s"
        assert drop_results_before(connection, (DAY + 1) * DAY_US) == 1
        ensure_days(connection, {DAY})
    keep(store, (4, DAY * DAY_US))
