"""The table of `sereno rtp analyze`: the worst stream first, as many columns as there is room for, and what to mind."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from probes.media.analysis import Analysis
from probes.media.printable import printable
from probes.media.remarks import remarks, worst_first

Fields: TypeAlias = Mapping[str, Any]

_NOTHING = "—"
_GAP = "  "
_POOR, _FAIR = 3.6, 4.0  # G.107 annex B: many users dissatisfied; some users dissatisfied
_MOST_NAMED = 12
_ALWAYS = 99


@dataclass(frozen=True)
class _Column:
    title: str
    dear: int  # what does not fit goes, the cheapest first
    cell: Callable[[Fields], str]
    left: bool = False


def _plain(key: str, digits: int = 0, scale: float = 1) -> Callable[[Fields], str]:
    def cell(fields: Fields) -> str:
        value = fields[key]
        if value is None:
            return _NOTHING
        return f"{value * scale:,.{digits}f}" if digits else str(value)

    return cell


def _lost(fields: Fields) -> str:
    return f"{fields['lost']} ({100 * fields['loss_ratio']:.2f} %)" if fields["lost"] else "0"


def _listening(fields: Fields) -> str:
    if fields["mos_lq"] is None:
        return _NOTHING
    wide = "w" if fields["mos_scale"] == "wideband" else ""
    return f"{fields['mos_lq']:.2f}{wide}{'p' if fields['mos_provisional'] else ''}"


_COLUMNS = (
    _Column("#", _ALWAYS, lambda fields: str(fields["number"])),
    _Column("File", 7, lambda fields: printable(Path(fields["file"]).name), left=True),
    _Column("From", _ALWAYS, lambda fields: fields["src"], left=True),
    _Column("To", _ALWAYS, lambda fields: fields["dst"], left=True),
    _Column("SSRC", 5, lambda fields: fields["ssrc"], left=True),
    _Column("Codec", 10, lambda fields: fields["codec"] or f"type {fields['payload_type']}", left=True),
    _Column("Packets", 9, _plain("packets")),
    _Column("Lost", _ALWAYS, _lost),
    _Column("Dup", 2, _plain("duplicates")),
    _Column("Late", 2, _plain("reordered")),
    _Column("Disc", 4, _plain("discarded")),
    _Column("BurstR", 3, _plain("burst_ratio", 2)),
    _Column("Jitter ms", 11, _plain("jitter_mean_seconds", 3, 1000)),
    _Column("Max", 6, _plain("jitter_max_seconds", 3, 1000)),
    _Column("PDV95", 3, _plain("pdv_p95_seconds", 2, 1000)),
    _Column("Secs", 1, _plain("duration_seconds", 1)),
    _Column("MOS-LQ", _ALWAYS, _listening),
    _Column("CQ", 12, _plain("mos_cq", 2)),
)


@dataclass
class Table:
    """Collects what it says of each stream, and prints it all at the end."""

    _rows: list[tuple[tuple[float, ...], list[str], list[str]]] = field(default_factory=list)
    _packets: int = 0
    _lost: int = 0
    _listened: bool = False  # somebody told a delay, so there is a MOS-CQ
    _marks: set[str] = field(default_factory=set)

    def take(self, analysis: Analysis) -> None:
        """Take the streams of a capture."""
        for index in range(analysis.count):
            fields = {**analysis.stream(index), "file": str(analysis.path), "number": ""}
            self._packets += fields["packets"]
            self._lost += fields["lost"]
            self._listened |= fields["mos_cq"] is not None
            self._marks |= {fields["mos_scale"] or "", "provisional" if fields["mos_provisional"] else ""}
            cells = [column.cell(fields) for column in _COLUMNS]
            self._rows.append((worst_first(fields), cells, [str(remark) for remark in remarks(fields)]))

    def close(self, files: list[dict[str, Any]]) -> None:
        """Print it."""
        if not self._rows:
            sys.stdout.write("no RTP streams\n")
            return
        self._rows.sort(key=lambda row: row[0])
        for number, (_, cells, _) in enumerate(self._rows, 1):
            cells[0] = str(number)
        left_out = set() if len(files) > 1 else {"File"}
        left_out |= set() if self._listened else {"CQ"}
        # A pipe has no width to respect, unless it was told one: whole lines there.
        width = shutil.get_terminal_size(fallback=(400, 50)).columns
        for line in _lines(self._rows, left_out, width):
            sys.stdout.write(line + "\n")
        sys.stdout.write("\n")
        for line in self._notes():
            sys.stdout.write(line + "\n")
        sys.stdout.write(self._summary() + "\n")

    def _notes(self) -> list[str]:
        """What to mind, each once, with the numbers of its streams."""
        told: dict[str, list[int]] = {}
        for number, (_, _, said) in enumerate(self._rows, 1):
            for remark in said:
                told.setdefault(remark, []).append(number)
        lines = [f"{_numbers(numbers)}: {remark}" for remark, numbers in told.items()]
        if "wideband" in self._marks:
            lines.append("w: on the wideband scale of G.107.1; not to be averaged with the others")
        if "provisional" in self._marks:
            lines.append("p: provisional, by figures that are not G.113's")
        return lines

    def _summary(self) -> str:
        share = f" ({100 * self._lost / (self._packets + self._lost):.2f} %)" if self._lost else ""
        plural = "" if len(self._rows) == 1 else "s"
        return f"{len(self._rows):,} stream{plural}, {self._packets:,} packets, {self._lost:,} lost{share}"


def _numbers(numbers: list[int]) -> str:
    named = " ".join(f"#{number}" for number in numbers[:_MOST_NAMED])
    more = len(numbers) - _MOST_NAMED
    return f"{named} and {more:,} more" if more > 0 else named


def _lines(rows: list[tuple[tuple[float, ...], list[str], list[str]]], left_out: set[str], width: int) -> list[str]:
    widths = [max(len(column.title), *(len(row[1][at]) for row in rows)) for at, column in enumerate(_COLUMNS)]
    kept = [at for at, column in enumerate(_COLUMNS) if column.title not in left_out]
    for at in sorted(kept, key=lambda at: _COLUMNS[at].dear):
        if _taken(kept, widths) <= width or _COLUMNS[at].dear == _ALWAYS:
            break
        kept.remove(at)
    for at in sorted(
        set(kept) ^ {at for at in range(len(_COLUMNS)) if _COLUMNS[at].title not in left_out},
        key=lambda at: -_COLUMNS[at].dear,
    ):
        if _taken([*kept, at], widths) <= width:
            kept.append(at)
    kept.sort()
    _shorten(kept, widths, width)
    lines = [_line([column.title for column in _COLUMNS], kept, widths)]
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for worst, cells, _ in rows:
        line = _line(cells, kept, widths)
        lines.append(_painted(line, worst[0]) if coloured else line)
    return lines


def _taken(kept: list[int], widths: list[int]) -> int:
    return sum(widths[at] for at in kept) + len(_GAP) * (len(kept) - 1)


def _shorten(kept: list[int], widths: list[int], width: int) -> None:
    """Too narrow even for what always stays: the two ends share what is left."""
    ends = [at for at in kept if _COLUMNS[at].title in {"From", "To"}]
    while _taken(kept, widths) > width and max(widths[at] for at in ends) > 4:  # noqa: PLR2004 - something to see
        longest = max(ends, key=lambda at: widths[at])
        widths[longest] -= 1


def _line(cells: list[str], kept: list[int], widths: list[int]) -> str:
    parts = []
    for at in kept:
        cell = cells[at] if len(cells[at]) <= widths[at] else cells[at][: widths[at] - 1] + "…"
        parts.append(cell.ljust(widths[at]) if _COLUMNS[at].left else cell.rjust(widths[at]))
    return _GAP.join(parts).rstrip()


def _painted(line: str, mos: float) -> str:
    if mos < _POOR:
        return f"\033[31m{line}\033[0m"
    return f"\033[33m{line}\033[0m" if mos < _FAIR else line
