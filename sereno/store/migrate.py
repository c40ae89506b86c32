"""Brings a database to this version's schema with Alembic; the revisions travel inside the package."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from sereno.errors import StoreError

HERE = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return config


def upgrade(engine: Engine) -> None:
    """Upgrades to the newest revision; StoreError when the database is newer than this program."""
    config = _config()
    script = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreError(f"the database is at revision {current}, newer than this Sereno; install the newer one")
    config.attributes["engine"] = engine
    command.upgrade(config, "head")
