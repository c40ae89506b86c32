"""The data of a report as bytes that anybody can make again, and their hash (docs/reports.md says how to check it)."""

import hashlib
import json

import msgspec
from msgspec.structs import replace

from dashboards.reports.model import Report
from sereno.version import __version__

_OUTSIDE = ("data_hash", "version")  # the version that wrote it down is no data


def canonical(report: Report) -> bytes:
    """JSON with sorted keys and no blanks, without hash and version."""
    data = msgspec.to_builtins(report)
    for name in _OUTSIDE:
        del data[name]
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(report: Report) -> Report:
    """The report with the hash of its data."""
    return replace(report, data_hash=hashlib.sha256(canonical(report)).hexdigest(), version=__version__)


def decoded(body: bytes) -> Report:
    """The report that its JSON was."""
    return msgspec.json.decode(body, type=Report)


def encoded(report: Report) -> bytes:
    """The JSON of a report, for people to read too."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
