"""`sereno restore`: a store made again from a backup, all of it or nothing."""

import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `sereno backup` wrote.")],
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what the store holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Restore a backup into an empty store, of either kind; `--force` replaces one that holds something.

    The file is read to its end and tried first: a damaged one changes nothing. No collector may run meanwhile.
    """
    from sereno.cli._copying import told
    from sereno.cli._words import several
    from sereno.clock import SystemClock
    from sereno.errors import UsageError
    from sereno.instance import data_directory, lock
    from sereno.store import backup as backups
    from sereno.store import open_database, open_store

    if data is not None and database is not None:
        raise UsageError("--data and --database exclude each other; give one")
    began = time.monotonic()
    backups.look(file)
    with ExitStack() as stack:
        if database is None:
            folder = data_directory(data)
            stack.enter_context(lock(folder))
            trial, target = folder, lambda: open_store(folder)
        else:
            url = database
            trial, target = Path(tempfile.gettempdir()), lambda: open_database(url, create=True)
        progress = stack.enter_context(told())
        done = backups.restore(file, trial, target, SystemClock(), progress, force=force)
    seconds = time.monotonic() - began
    rows = sum(count.rows for count in done.tables.values())
    if as_json:
        tables = {name: {"rows": count.rows, "sha256": count.digest} for name, count in done.tables.items()}
        print(json.dumps({
            "file": str(file), "at": done.head.at, "from_revision": done.head.revision, "revision": done.revision,
            "from_database": done.head.database, "database": done.database, "rows": rows, "tables": tables,
            "seconds": round(seconds, 3),
        }))  # fmt: skip
        return
    older = f", brought from revision {done.head.revision} to {done.revision}"
    print(f"restored what was stored at {done.head.at}{older if done.head.revision != done.revision else ''}:")
    print(f"{several(rows, 'row')} of {several(len(done.tables), 'table')} ({seconds:.1f} s)")
