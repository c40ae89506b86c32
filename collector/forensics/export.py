"""A case as files: the timeline twice, the correlation, SIP as pcap, packets by the second as CSV, sums of all of it.

Everything goes into a folder beside the one that was named, which takes its place when it is whole: nobody ever finds
half an export, and nothing that was there is written over.
"""

import csv
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from collector.forensics import correlate
from collector.forensics.case import Case
from collector.forensics.correlate import Correlation
from collector.forensics.document import head, tail
from collector.forensics.entry import Entry, as_json
from collector.forensics.samples import Body
from sereno import evidence
from sereno.errors import UsageError
from sereno.evidence import COLUMNS, Message, packets
from sereno.version import __version__

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_CAPTURE = re.compile(r"call-[A-Za-z0-9_.-]{1,200}\.pcap")
_MAGICS = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a")
_CAPTURE_BYTES = 100_000_000
_CSV_HEAD = ("at", "element", "check", "probe", "boot", "seq", "direction", *COLUMNS)


class Export:
    """Takes the entries of a timeline as they pass, and writes what each of them is worth. Use `export_to`."""

    def __init__(self, folder: Path, case: Case, found: Correlation) -> None:
        self._folder, self._case, self._found = folder, case, found
        self._files: list[dict[str, Any]] = []
        self._missing: list[dict[str, Any]] = []
        self._copied: set[str] = set()
        self._first = True
        self._last: Entry | None = None
        self._counts: dict[str, int] = {}
        self._json = self._new("timeline.json")
        self._lines = self._new("timeline.ndjson")
        self._csv: Any = None
        self._csv_file: Any = None
        self._json.write(head(case, found))

    def take(self, entry: Entry) -> None:
        """One entry of the timeline, in its turn."""
        line = as_json(entry)
        self._json.write((b"\n" if self._first else b",\n") + line)
        self._lines.write(line + b"\n")
        self._first = False
        self._counts[entry.kind] = self._counts.get(entry.kind, 0) + 1
        if entry.kind == "result":
            self._last = entry
        elif entry.kind == "sip":
            self._sip(entry)
        elif entry.kind == "rtp":
            self._rtp(entry)

    def finish(self) -> None:
        """The last files, and the manifest over all of them."""
        self._json.write(tail(self._counts, self._case))
        self._json.close()
        self._lines.close()
        if self._csv_file is not None:
            self._csv_file.close()
        case = self._case
        beside = [msgspec.Raw(as_json(one)) for one in case.beside(self._found)]
        text = msgspec.json.encode(correlate.as_json(self._found, case.from_us, case.to_us) | {"beside": beside})
        with self._new("correlation.json") as file:
            file.write(msgspec.json.format(text, indent=2) + b"\n")
        for name in ("timeline.json", "timeline.ndjson", "correlation.json", "rtp-seconds.csv"):
            if (self._folder / name).exists():
                self._note(name, {})
        with self._new("manifest.json") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._manifest()), indent=2) + b"\n")

    def close(self) -> None:
        """Whatever happened, no file stays open."""
        for file in (self._json, self._lines, self._csv_file):
            if file is not None:
                file.close()

    @property
    def files(self) -> int:
        """How many files there are, the manifest too."""
        return len(self._files) + 1

    def _manifest(self) -> dict[str, Any]:
        from sereno.clock import iso

        case = self._case
        return {
            "sereno": __version__,
            "scope": {"kind": case.selection.kind, "name": case.selection.name},
            "from": iso(case.from_us),
            "to": iso(case.to_us),
            "counts": self._counts,
            "files": sorted(self._files, key=lambda one: str(one["name"])),
            "missing": self._missing,
        }

    # -- what entries are worth -------------------------------------------------------------------------------------

    def _sip(self, entry: Entry) -> None:
        key = "messages" if entry.what == "messages" else "callee"
        last = self._last
        body: Body | None = last.read if last is not None and last.source == entry.source else None
        found: list[Message] = evidence.messages(body.evidence, key) if body is not None else []
        if body is None or not found:
            return
        address = body.address if isinstance(body.address, str) and key == "messages" else None
        wire = packets.wire_of(found, address, body.transport if isinstance(body.transport, str) else None)
        name = self._name("sip", entry, "-callee" if key == "callee" else "") + ".pcap"
        with self._new(name) as file:
            file.write(packets.pcap(found, wire, entry.at_us))
        facts: dict[str, Any] = {"source": dict(entry.source), "transport": wire.transport}
        notes = []
        if not wire.probe.known:
            notes.append(f"the probe's address is not known: {wire.probe.address} stands in")
        if not wire.peer.known:
            notes.append(f"the peer's address is not known: {wire.peer.address} stands in")
        if wire.transport == "tls":
            notes.append("these went over TLS; they are shown as UDP, since ciphertext is not kept")
        if any(one.cut for one in found):
            notes.append("messages that were cut when they were kept are packets of which a part was captured")
        self._note(name, facts | ({"notes": notes} if notes else {}))

    def _rtp(self, entry: Entry) -> None:
        if entry.facts.get("seconds") and self._csv is None:
            path = self._folder / "rtp-seconds.csv"
            self._csv_file = os.fdopen(_fresh(path), "w", newline="", encoding="utf-8")
            self._csv = csv.writer(self._csv_file)
            self._csv.writerow(_CSV_HEAD)
        source = entry.source
        place = [entry.element, entry.facts.get("check"), source["probe"], source["boot"], source["seq"]]
        for second in entry.facts.get("seconds", ()):
            values = [second.get(column) for column in COLUMNS]
            self._csv.writerow([_safe(value) for value in (second["at"], *place, second["direction"], *values)])
        if entry.facts.get("pcap"):
            self._capture(str(entry.facts["pcap"]), entry)

    def _capture(self, path: str, entry: Entry) -> None:
        """A kept capture of a call, where it lies on this machine. A probe names it: it is not believed any further."""
        source = {"source": dict(entry.source), "kept_as": path}
        opened = _open_capture(path)
        if isinstance(opened, str):
            self._missing.append({**source, "why": opened})
            return
        with opened:
            name = self._name("call", entry, "") + ".pcap"
            if name in self._copied:
                return
            with self._new(name) as file:
                shutil.copyfileobj(opened, file, 1 << 20)
        self._copied.add(name)
        self._note(name, source)

    # -- files --------------------------------------------------------------------------------------------------------

    def _name(self, what: str, entry: Entry, suffix: str) -> str:
        """Unique, sortable by time, and safe whatever a probe calls itself."""
        from sereno.clock import iso

        source = entry.source
        at = iso(entry.at_us).replace(":", "").replace("-", "")
        words = (entry.element, source["probe"], source["boot"], source["seq"])
        return _UNSAFE.sub("_", f"{what}-{at}-" + "-".join(str(word) for word in words) + suffix)[:200]

    def _new(self, name: str) -> BinaryIO:
        return os.fdopen(_fresh(self._folder / name), "wb")

    def _note(self, name: str, facts: Mapping[str, Any]) -> None:
        path = self._folder / name
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._files.append({"name": name, "bytes": path.stat().st_size, "sha256": digest, **facts})


def _fresh(path: Path) -> int:
    """For its owner alone: evidence names people's numbers and addresses."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _safe(value: object) -> object:
    """A table calculates with what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _open_capture(path: str) -> BinaryIO | str:
    """The file, or why not."""
    if not _CAPTURE.fullmatch(Path(path).name):
        return "not a name that a probe gives to captures"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return f"not on this machine ({getattr(error, 'strerror', None) or error}); fetch it from the probe's"
    file = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _CAPTURE_BYTES or file.read(4) not in _MAGICS:
        file.close()
        return "not a capture"
    file.seek(0)
    return file


@contextmanager
def export_to(folder: Path, case: Case, found: Correlation) -> Iterator[Export]:
    """An export that is there as a whole when the block ends well, and not at all otherwise."""
    _free(folder)
    beside = folder.parent / f".{folder.name}.{os.getpid()}.part"
    export: Export | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir(mode=0o700)
        export = Export(beside, case, found)
        yield export
        export.finish()
        _free(folder)
        beside.rename(folder)
    except OSError as error:
        where = error.filename or folder
        raise UsageError(f"--export {folder}: {where}: {error.strerror}; name a folder that can be written") from None
    finally:
        if export is not None:
            export.close()
        shutil.rmtree(beside, ignore_errors=True)


def _free(folder: Path) -> None:
    try:
        taken = folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir())))
    except OSError as error:
        raise UsageError(f"--export {folder}: {error.strerror}; name a folder that can be written") from None
    if taken:
        raise UsageError(f"--export {folder}: is there already; nothing is written over, name a new folder")
