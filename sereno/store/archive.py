"""The file of a backup: gzip over lines of JSON, the same whatever database it came from (docs/store.md).

A head (format, revision, when), then each table: what its columns are, one array per row, how many there were and their
digest. The last line says it again for all tables, so that a file cut short is known by its lack of one.

The digest of a table is the sum modulo 2²⁵⁶ of the SHA-256 of its rows: it does not ask in which order rows are read.
"""

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

import msgspec

from sereno.errors import StoreError

FORMAT = 1
_LEVEL = 2  # of gzip: the disk, not the processor, is what a backup should wait for
_LINE_LIMIT = 64 << 20
BUFFER = 1 << 20
_TYPES: dict[str, Any] = {"text": str, "integer": int, "boolean": bool, "bytes": bytes, "real": float}
_BATCH = 2_000
_MODULUS = 1 << 256
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)

Row = tuple[Any, ...]
Told = Callable[[str, int], None]  # which table, and how many of its rows so far


class Shape(msgspec.Struct, frozen=True):
    """A table as it stands in the file: names of its columns, and of which kind each is."""

    table: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]


class Counted(msgspec.Struct, frozen=True):
    """How many rows a table has, and what they say."""

    rows: int
    digest: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    sereno_backup: int
    revision: str
    version: str
    at: str
    database: str


class _End(msgspec.Struct, frozen=True):
    tables: dict[str, Counted]


class Sum:
    """The digest of a table, row by row."""

    def __init__(self) -> None:
        self.rows = self._sum = 0

    def add(self, encoded: Iterable[bytes]) -> None:
        digest, read = hashlib.sha256, int.from_bytes
        total = self._sum
        for line in encoded:
            total += read(digest(line).digest())
            self.rows += 1
        self._sum = total % _MODULUS

    def done(self) -> Counted:
        return Counted(self.rows, f"{self._sum:064x}")


def encoded(rows: Iterable[Row], shape: Shape) -> list[bytes]:
    """Rows as they stand in the file; SQLite says 1 and 0 where PostgreSQL says true and false."""
    encode = msgspec.json.Encoder().encode
    flags = [place for place, kind in enumerate(shape.kinds) if kind == "boolean"]
    if not flags:
        return [encode(row) for row in rows]
    return [encode([bool(v) if n in flags and v is not None else v for n, v in enumerate(row)]) for row in rows]


class Writer:
    """Writes a backup; `finish()` makes it whole."""

    def __init__(self, file: IO[bytes], head: Head) -> None:
        self._zip = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, filename="", mtime=0)
        self._out = io.BufferedWriter(self._zip, BUFFER)
        self._tables: dict[str, Counted] = {}
        self._line(head)

    def table(self, shape: Shape, batches: Iterable[Sequence[Row]], told: Told) -> None:
        """A table with all its rows."""
        self._line(shape)
        total = Sum()
        for rows in batches:
            lines = encoded(rows, shape)
            total.add(lines)
            self._out.write(b"\n".join(lines) + b"\n")
            told(shape.table, total.rows)
        self._tables[shape.table] = total.done()

    def finish(self) -> dict[str, Counted]:
        """Writes the last line; what every table held."""
        self._line(_End(self._tables))
        self._out.flush()
        self._zip.close()
        return self._tables

    def _line(self, what: Any) -> None:
        self._out.write(msgspec.json.encode(what) + b"\n")


class Reader:
    """Reads a backup from its beginning to its end; StoreError in one line for anything that is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        try:
            file = self._stack.enter_context(path.open("rb"))
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}; give a file that `sereno backup` wrote") from None
        self._in = io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), BUFFER)
        self._next = b""
        try:
            self.head = self._head()
        except BaseException:
            self._stack.close()
            raise
        self.tables: dict[str, Counted] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def shapes(self) -> Iterator[Shape]:
        """Table by table; read the `batches()` of each before the next. After the last, `tables` counts them."""
        self._next = self._read()
        while not self._next.startswith(b'{"tables"'):
            shape = self._decode(self._next, Shape)
            if len(shape.columns) != len(shape.kinds) or not set(shape.kinds) <= _TYPES.keys() or not shape.columns:
                raise self._damaged("a table whose columns cannot be understood")
            self._next = self._read()
            yield shape
            if self._next.startswith(b"["):
                raise self._damaged(f"rows of {shape.table} were left unread")
        self.tables = self._decode(self._next, _End).tables
        if self._read(at_end=True):
            raise self._damaged("something follows its last line")

    def batches(self, shape: Shape) -> Iterator[list[Row]]:
        """The rows of a table, some at a time."""
        nullable = tuple(_TYPES[kind] | None for kind in shape.kinds)
        decode = msgspec.json.Decoder(tuple[nullable]).decode  # type: ignore[valid-type]
        found: list[Row] = []
        while self._next.startswith(b"["):
            try:
                found.append(decode(self._next))
            except _UNREADABLE as error:
                raise self._damaged(f"a row of {shape.table}: {error}") from None
            if len(found) == _BATCH:
                yield found
                found = []
            self._next = self._read()
        if found:
            yield found

    def _head(self) -> Head:
        try:
            first = self._read()
            head = msgspec.json.decode(first, type=Head)
        except (StoreError, *_UNREADABLE):
            raise StoreError(
                f"{self._path}: is no backup of Sereno, or was cut short; give a file that `sereno backup` wrote"
            ) from None
        if head.sereno_backup != FORMAT:
            raise StoreError(f"{self._path}: is of a newer Sereno {head.version}; install that one to restore it")
        return head

    def _read(self, *, at_end: bool = False) -> bytes:
        try:
            line = self._in.readline(_LINE_LIMIT)
        except (OSError, EOFError, zlib.error) as error:
            raise self._damaged(" ".join(str(error).split())) from None
        if not at_end and not line.endswith(b"\n"):
            raise self._damaged("it ends in the middle")
        return line

    def _decode(self, line: bytes, kind: Any) -> Any:
        try:
            return msgspec.json.decode(line, type=kind)
        except _UNREADABLE as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, what: str) -> StoreError:
        return damaged(self._path, what)


def damaged(path: Path, what: str) -> StoreError:
    """The one line for a file that cannot be trusted."""
    return StoreError(f"{path}: is damaged: {what}; nothing was changed, take another copy")
