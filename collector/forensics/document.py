"""The JSON document around the entries, written as they come: what is asked first, what was counted last."""

from collections.abc import Mapping
from typing import Any

import msgspec

from collector.forensics import correlate
from collector.forensics.case import Case
from collector.forensics.correlate import Correlation
from collector.forensics.entry import as_json
from collector.forensics.words import Words, sentences
from sereno.clock import iso


def head(case: Case, found: Correlation) -> bytes:
    """Everything up to the first entry, the bracket included."""
    covered = case.coverage
    words = Words("es", case.world.newest.timezone)
    plain = Words("en", case.world.newest.timezone)
    document: dict[str, Any] = {
        "from": iso(case.from_us),
        "to": iso(case.to_us),
        "scope": {"kind": case.selection.kind, "name": case.selection.name},
        "timezone": case.world.newest.timezone,
        "covers": {
            "results": _span(covered.first_us, covered.last_us),
            "runs": _span(covered.first_run_us, covered.last_run_us),
        },
        "notes": [plain(message, **values) for message, values in case.notes()],
        "before": [msgspec.Raw(as_json(one)) for one in case.before()],
        "correlation": correlate.as_json(found, case.from_us, case.to_us)
        | {"sentence": {"es": " ".join(sentences(words, found)), "en": " ".join(sentences(plain, found))}},
    }
    document["correlation"]["beside"] = [msgspec.Raw(as_json(one)) for one in case.beside(found)]
    return msgspec.json.encode(document)[:-1] + b',"entries":['


def tail(counts: Mapping[str, int], case: Case) -> bytes:
    """Everything after the last entry."""
    rest = {"counts": dict(sorted(counts.items())), "holes_left_out": case.holes_left}
    return b"\n]," + msgspec.json.encode(rest)[1:] + b"\n"


def _span(first_us: int | None, last_us: int | None) -> dict[str, str] | None:
    return None if first_us is None or last_us is None else {"first": iso(first_us), "last": iso(last_us)}
