"""Brings a database to this version's schema with Alembic; the revisions travel inside the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from sereno.errors import StoreError
from sereno.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"
HEAD = "0004"  # the newest revision; written here so that an up-to-date database never loads Alembic

_VERSION_TABLE = """CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"""


def config_for(engine: Engine) -> "Config":
    """Alembic's settings for this database."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Upgrades to the newest revision; StoreError when the database is newer than this program."""
    current = _current(engine)
    if current == HEAD:
        return
    if current is not None and not is_known(current):
        raise StoreError(f"the database is at revision {current}, newer than this Sereno; install the newer one")
    upgrade_to(engine, "head")


def upgrade_to(engine: Engine, revision: str) -> None:
    """Upgrades to a revision: an older one to take in what was written there."""
    from alembic import command

    command.upgrade(config_for(engine), revision)


def build(engine: Engine, revision: str) -> None:
    """Makes the tables of a revision in an empty SQLite database; this version's at once, which is the same schema."""
    if revision != HEAD:
        upgrade_to(engine, revision)
        return
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.exec_driver_sql(_VERSION_TABLE)
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def is_known(revision: str) -> bool:
    """Whether this program has that revision."""
    from alembic.script import ScriptDirectory

    return revision in {found.revision for found in ScriptDirectory(str(HERE)).walk_revisions()}


def _current(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
