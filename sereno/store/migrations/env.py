"""Alembic's entry: runs the revisions on the engine that `migrate.upgrade` hands over, in one transaction."""

from alembic import context

from sereno.store.tables import metadata

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    if engine.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # two processes may start together: one migrates, one waits
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
