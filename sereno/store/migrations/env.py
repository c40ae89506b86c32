"""Alembic's entry: runs the revisions on the engine that `migrate.upgrade` hands over, in one transaction."""

from alembic import context

from sereno.store.tables import metadata

_LOCK_KEY = 0x5345_5246

engine = context.config.attributes["engine"]
with engine.connect() as connection:  # two processes may start together: one migrates, one waits
    if engine.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")  # as long as the other needs for its rows
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
