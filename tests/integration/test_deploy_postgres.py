"""deploy/postgres as it is shipped: the role and the database it makes, the lines it shows, on a real server."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from postgres import HOST, PASSWORD, cluster, programs

from sereno.errors import StoreError
from sereno.store import open_store

HERE = Path(__file__).parents[2] / "deploy" / "postgres"


@pytest.fixture(scope="module")
def server():
    with cluster() as made:
        yield made


def setup(server, *arguments, **more):
    environment = {"PGHOST": HOST, "PGPORT": str(server.port), "PGUSER": "postgres", "PGPASSWORD": PASSWORD, **more}
    return subprocess.run(
        ["sh", HERE / "setup.sh", *map(str, arguments)],
        env={"PATH": f"{programs()}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_makes_what_a_collector_needs_and_may_be_said_again(server, tmp_path):
    secret = tmp_path / "secret"
    server.admin("ALTER SYSTEM SET log_statement = 'all'")
    server.admin("SELECT pg_reload_conf()")
    for password in ('first\'s "one"', "s3cond-0ne"):
        secret.write_text(password + "\n")
        done = setup(server, secret, SERENO_ROLE="watch-man", SERENO_DATABASE="watch-man")
        assert (done.returncode, done.stderr) == (0, "")
    store = open_store(f"postgresql://watch-man:s3cond-0ne@{HOST}:{server.port}/watch-man")
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() is not None
        owner = "SELECT pg_get_userbyid(datdba), datcollate FROM pg_database WHERE datname = current_database()"
        assert tuple(connection.exec_driver_sql(owner).one()) == ("watch-man", "C.UTF-8")
    store.dispose()
    with pytest.raises(StoreError, match="password authentication failed"):
        open_store(f"postgresql://watch-man:first@{HOST}:{server.port}/watch-man")
    assert "s3cond" not in (server.folder / "log").read_text()
    (flags,) = server.admin(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = 'watch-man'"
    )
    assert flags == (False, False, False, False)
    server.admin("CREATE ROLE stranger LOGIN PASSWORD 'x'")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(f"postgresql://stranger:x@{HOST}:{server.port}/watch-man")


def test_without_a_password_it_says_how_to_give_one(server, tmp_path):
    for arguments in ([], [tmp_path / "missing"]):
        done = setup(server, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "give a readable file with the role's password" in done.stderr


def test_the_server_understands_every_line_of_the_examples(server):
    names = [line.partition("=")[0].strip() for line in (HERE / "sereno.conf").read_text().splitlines()]
    settings = [name.lstrip("#") for name in names if name and " " not in name]
    known = {name for (name,) in server.admin("SELECT name FROM pg_settings")}
    assert len(settings) > 15
    assert set(settings) <= known
    hba = server.folder / "data" / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text((HERE / "pg_hba.conf").read_text())
    try:
        wrong = server.admin("SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL")
        assert {error for (error,) in wrong} == {"hostssl record cannot match because SSL is disabled"}
        assert len(server.admin("SELECT line_number FROM pg_hba_file_rules")) == 4
    finally:
        hba.write_text(before)
