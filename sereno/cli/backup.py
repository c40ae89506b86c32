"""`sereno backup`: an off-line copy of the store, while the collector runs, proved by restoring it."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sereno.store import Store

app = typer.Typer(add_completion=False)

Data = Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)]
Database = Annotated[str | None, typer.Option("--database", help="Database URL instead.", show_default=False)]


@app.command()
def backup(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File or folder; else a dated file here.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write everything that is stored to one file, of one instant, and restore it once to prove that it can be.

    The file restores into SQLite and PostgreSQL alike. It holds whatever was collected and who is told: keep it as
    safe as the store.
    """
    from sereno.cli._copying import told
    from sereno.cli._words import several
    from sereno.clock import SystemClock, iso
    from sereno.instance import open_store
    from sereno.store.backup import save

    began = time.monotonic()
    clock = SystemClock()
    store = open_store(data, database)
    try:
        with told() as progress:
            saved = save(store, _file(output, clock.now_us()), clock, progress)
        _noted(store, str(saved.file.absolute()), clock.now_us())
    finally:
        store.dispose()
    seconds = time.monotonic() - began
    rows = sum(count.rows for count in saved.tables.values())
    if as_json:  # also what `databases.NAME.backup.status_file` of a topology expects
        tables = {name: {"rows": count.rows, "sha256": count.digest} for name, count in saved.tables.items()}
        print(json.dumps({
            "file": str(saved.file), "size_bytes": saved.size, "at": saved.head.at, "finished": iso(clock.now_us()),
            "verified": True, "revision": saved.head.revision, "database": saved.head.database, "rows": rows,
            "tables": tables, "seconds": round(seconds, 3),
        }))  # fmt: skip
        return
    print(f"{saved.file}: {several(rows, 'row')} of {several(len(saved.tables), 'table')}, {saved.size:,} bytes")
    print(f"restored once for a trial: every row is as it was read ({seconds:.1f} s)")


def _noted(store: "Store", file: str, now_us: int) -> None:
    """In the audit log, so that `sereno doctor` knows when the last one was made."""
    import getpass
    import sys

    from sereno.accounts import Act, note
    from sereno.errors import StoreError

    try:
        with store.write() as connection:
            note(connection, Act(who=getpass.getuser(), how="cli", at_us=now_us), "backup.make", file)
    except StoreError as error:
        print(f"sereno: the copy is good, and the store could not note it: {error}", file=sys.stderr)


def _file(output: Path | None, now_us: int) -> Path:
    from sereno.clock import to_datetime

    name = f"sereno-{to_datetime(now_us):%Y%m%dT%H%M%SZ}.backup"
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output
