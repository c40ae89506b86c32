"""Every released schema comes to this version's with all its rows, on SQLite and on PostgreSQL alike."""

import subprocess
import sys

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, text
from store_rows import fill, in_order, read

from sereno.errors import StoreError
from sereno.store import open_store
from sereno.store.engine import connect_engine
from sereno.store.migrate import HEAD, HERE, build, config_for, upgrade, upgrade_to
from sereno.store.postgres import parse_url
from sereno.store.tables import metadata

RELEASED = [found.revision for found in ScriptDirectory(str(HERE)).walk_revisions() if found.revision != HEAD]
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    """An empty database."""
    url = f"sqlite:///{tmp_path}/old.db" if request.param == "sqlite" else request.getfixturevalue("empty_pg_url")
    found = connect_engine(parse_url(url))
    yield found
    found.dispose()


def schema(engine):
    """Everything the database knows of its tables, but for partitions and Alembic's own."""
    queries = {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[engine.dialect.name]
    with engine.connect() as connection:
        rows = [
            tuple(map(str, row))
            for query in queries
            for row in connection.exec_driver_sql(query.replace("OURS", _OURS))
        ]
    if engine.dialect.name == "sqlite":  # the same words, whatever the order of columns and blanks
        rows = [(name, *sorted("".join(sql.replace('"', "").split()).split(","))) for name, sql in rows]
    return sorted(rows)


_SQLITE = ["SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"]
_OURS = """relnamespace = 'public'::regnamespace AND NOT relispartition AND relkind IN ('r', 'p')
           AND relname <> 'alembic_version'"""
_POSTGRESQL = [
    """SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, collname,
               pg_get_expr(adbin, adrelid)
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE OURS AND attnum > 0 AND NOT attisdropped""",
    """SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid)
        FROM pg_constraint JOIN pg_class ON conrelid = pg_class.oid WHERE OURS""",
    """SELECT relname, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON indrelid = pg_class.oid
        WHERE OURS""",
    "SELECT relname, pg_get_partkeydef(oid) FROM pg_class WHERE OURS AND relkind = 'p'",
    """SELECT relname, pg_get_triggerdef(pg_trigger.oid), pg_get_functiondef(tgfoid)
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE OURS AND NOT tgisinternal""",
]


@pytest.mark.parametrize("revision", RELEASED)
def test_an_older_database_comes_to_this_schema_with_all_its_rows(engine, revision):
    command.upgrade(config_for(engine), revision)
    kept = fill(engine)
    assert len(kept) >= 16
    upgrade(engine)
    assert read(engine, kept) == {name: in_order(rows) for name, rows in kept.items()}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]


class Killed(BaseException):
    """As kill −9: nothing after it runs."""


@pytest.mark.parametrize("at", [4, 15])
def test_interrupted_anywhere_it_is_as_it_was_and_can_be_done_again(engine, at):
    command.upgrade(config_for(engine), RELEASED[0])
    kept = fill(engine)
    said = 0

    def bomb(_connection, _cursor, statement, *_):
        nonlocal said
        said += statement.lstrip().startswith(("CREATE", "ALTER", "INSERT", "DROP", "UPDATE"))
        if said == at:
            raise Killed

    event.listen(engine, "before_cursor_execute", bomb)
    with pytest.raises(Killed):
        upgrade(engine)
    event.remove(engine, "before_cursor_execute", bomb)
    assert read(engine, kept) == {name: in_order(rows) for name, rows in kept.items()}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [RELEASED[0]]
    upgrade(engine)
    assert read(engine, kept) == {name: in_order(rows) for name, rows in kept.items()}


def test_the_revisions_build_exactly_the_tables(engine):
    upgrade(engine)
    migrated = schema(engine)
    if engine.dialect.name == "sqlite":
        fresh = create_engine("sqlite://")
    else:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        fresh = engine
    metadata.create_all(fresh)
    assert schema(fresh) == migrated
    fresh.dispose()


def test_a_schema_made_at_once_is_the_one_that_revisions_make(tmp_path):
    found = []
    for name, make in (("at_once", build), ("by_revisions", upgrade_to)):
        made = connect_engine(parse_url(f"sqlite:///{tmp_path}/{name}.db"))
        make(made, HEAD)
        with made.connect() as connection:
            version = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = 'alembic_version'"
            ).scalar()
            found.append(("".join(version.split()), schema(made)))
            assert connection.exec_driver_sql("SELECT * FROM alembic_version").scalars().all() == [HEAD]
        made.dispose()
    assert found[0] == found[1]


def test_the_newest_revision_is_the_one_named():
    assert ScriptDirectory(str(HERE)).get_current_head() == HEAD


def test_a_database_of_a_newer_version_is_left_alone(store_url):
    open_store(store_url).dispose()
    engine = connect_engine(parse_url(store_url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'f999'")
    with pytest.raises(StoreError, match=r"at revision f999, newer than this Sereno; install the newer one$") as caught:
        open_store(store_url)
    assert "\n" not in str(caught.value)
    engine.dispose()


def test_two_that_start_together_on_an_empty_server_migrate_once(empty_pg_url):
    code = "import sys; from sereno.store import open_store; open_store(sys.argv[1]).dispose()"
    both = [
        subprocess.Popen([sys.executable, "-c", code, empty_pg_url], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for each in both:
        _, said = each.communicate(timeout=60)
        assert (each.returncode, said) == (0, "")
