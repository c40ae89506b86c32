"""Recordings as files: plain or gzipped, one or several, or standard input; read in folding order in constant memory.

What lies nearly in order of time is read as it comes. What does not is sorted on disk, a run of lines at a time.
"""

import contextlib
import gzip
import heapq
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from collector.stream import Line, Reader
from sereno.errors import ConfigError
from sereno.topology.model import Topology

RUN_LINES = 50_000  # sorted in memory at a time
STDIN = Path("-")
_GZIP, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_MEND = "give files of one JSON object per line, plain or gzipped, or - for standard input"
_Key = tuple[int, tuple[str, str, int], int, int]
_keys = msgspec.json.Decoder(_Key)


class _Found(NamedTuple):
    """A line that waits for its place: by instant, folding order, file, line."""

    key: _Key
    text: bytes


class Recording:
    """Some files' lines; readable several times, standard input too."""

    def __init__(self, topology: Topology, files: Sequence[Path]) -> None:
        self._files = list(files)
        self._readers = [Reader(topology, _name(file)) for file in files]
        self._kept: dict[Path, IO[bytes]] = {}  # what came over pipes

    @property
    def strangers(self) -> set[str]:
        """Probes that the topology does not name."""
        return set().union(*(reader.strangers for reader in self._readers))

    def lines(self) -> Iterator[Line]:
        """Every line in folding order, as it comes; DisorderError where that cannot be."""
        streams = [reader.lines(self._raw(file)) for file, reader in zip(self._files, self._readers, strict=True)]
        return streams[0] if len(streams) == 1 else heapq.merge(*streams, key=lambda line: line[:2])

    def in_order(self) -> Iterator[Line]:
        """The same, however they lie."""
        with contextlib.ExitStack() as stack:
            waiting = self._waiting()
            first = list(islice(waiting, RUN_LINES))
            runs = [iter(sorted(first))]
            while len(first) == RUN_LINES:
                runs[-1] = self._spilled(sorted(first), stack)
                first = list(islice(waiting, RUN_LINES))
                runs.append(iter(sorted(first)))
            del first
            for found in heapq.merge(*runs):
                file, number = found.key[2:]
                yield self._readers[file].parse(found.text, number)

    def _waiting(self) -> Iterator[_Found]:
        for index, (file, reader) in enumerate(zip(self._files, self._readers, strict=True)):
            for number, text in enumerate(self._raw(file), start=1):
                if text.strip():
                    line = reader.parse(text, number)
                    yield _Found((line.at_us, line.order, index, number), text)

    @staticmethod
    def _spilled(found: list[_Found], stack: contextlib.ExitStack) -> Iterator[_Found]:
        """A sorted run, out of memory."""
        file = tempfile.TemporaryFile(prefix="sereno-replay-")  # noqa: SIM115  # closed with the whole
        stack.callback(file.close)
        for one in found:
            file.write(msgspec.json.encode(one.key) + b"\n" + one.text.rstrip(b"\r\n") + b"\n")
        file.seek(0)
        return _run(file)

    def _raw(self, file: Path) -> Iterator[bytes]:
        number = 0
        try:
            with self._opened(file) as handle:
                magic = handle.read(len(_GZIP))
                handle.seek(0)
                text: IO[bytes] = gzip.GzipFile(fileobj=handle) if magic == _GZIP else handle  # type: ignore[assignment]
                for number, line in enumerate(text, start=1):  # counted for the error below
                    yield line.removeprefix(_BOM) if number == 1 else line
        except (OSError, EOFError, zlib.error) as error:
            where = f"{_name(file)}:{number + 1}" if number else _name(file)
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "cannot be read"
            raise ConfigError(where, what, _MEND) from None

    def _opened(self, file: Path) -> IO[bytes]:
        """What comes over a pipe is kept on disk, because it may have to be read twice."""
        if file not in self._kept:
            given = sys.stdin.buffer if file == STDIN else file.open("rb")
            if file != STDIN and given.seekable():
                return given
            kept = tempfile.NamedTemporaryFile(prefix="sereno-replay-")  # noqa: SIM115  # lives as long as we
            shutil.copyfileobj(given, kept)
            kept.flush()
            self._kept[file] = kept
        return Path(self._kept[file].name).open("rb")


def _run(file: IO[bytes]) -> Iterator[_Found]:
    for head in file:
        yield _Found(_keys.decode(head), file.readline())


def _name(file: Path) -> str:
    return "standard input" if file == STDIN else str(file)
