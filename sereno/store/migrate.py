"""Brings a database to this version's schema with Alembic; the revisions travel inside the package."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from sereno.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent / "migrations"
HEAD = "0002"  # the newest revision; written here so that an up-to-date database never loads Alembic


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
    from alembic import command
    from alembic.script import ScriptDirectory

    config = config_for(engine)
    script = ScriptDirectory.from_config(config)
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise StoreError(f"the database is at revision {current}, newer than this Sereno; install the newer one")
    command.upgrade(config, "head")


def _current(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
