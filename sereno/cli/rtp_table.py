"""The live table of `sereno rtp watch`: as many columns and rows as the terminal has room for."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import ConsoleDimensions, Group, JustifyMethod
from rich.table import Table
from rich.text import Text

from sereno.cli._words import several

if TYPE_CHECKING:
    from sereno.cli.rtp_moment import Moment

_NS = 1_000_000_000
_LINES_AROUND = 4  # title, what is wrong, head, what is left out
_GAP = 2  # between columns
# Title, key, how dear it is: what does not fit the terminal goes, the cheapest first.
_COLUMNS = (
    ("From", "src", 9), ("To", "dst", 9), ("SSRC", "ssrc", 3), ("Codec", "codec", 6), ("Packets", "packets", 5),
    ("pkt/s", "packets_per_second", 2), ("Lost", "lost", 9), ("10 s", "recent_loss_ratio", 7),
    ("Disc", "discarded", 4), ("Jitter ms", "jitter_mean_seconds", 8), ("PDV95", "pdv_p95_seconds", 3),
    ("DSCP", "dscp", 1), ("RTT ms", "round_trip_seconds", 1), ("MOS 10 s", "recent_mos_lq", 7), ("MOS-LQ", "mos_lq", 9),
    ("Age", "duration_seconds", 2), ("State", "state", 6),
)  # fmt: skip
_ENDS = {"src", "dst"}
_LEFT = {"src", "dst", "ssrc", "codec", "state"}
_ALONE_SECONDS = 3  # before nobody answers: early media and the first packets of a call come alone
_POOR, _FAIR = 3.6, 4.0  # G.107 Annex B: many users dissatisfied; some users dissatisfied


def screen(interface: str, moment: "Moment", size: ConsoleDimensions, *, plc: bool = True) -> Group:
    """The whole picture, within the terminal."""
    look = moment.look
    room = max(1, size.height - _LINES_AROUND)
    shown = [moment.fields(index, plc=plc) for index in range(min(room, len(look.rows)))]
    parts: list[Text | Table] = [_title(interface, moment)]
    if trouble := _trouble(moment):
        parts.append(trouble)
    parts.append(_table(shown, size.width) if shown else Text("no RTP streams yet", style="dim"))
    if len(look.rows) > len(shown):
        parts.append(Text(f"… and {len(look.rows) - len(shown):,} more that are better", style="dim"))
    return Group(*parts)


def _title(interface: str, moment: "Moment") -> Text:
    look = moment.look
    rate = look.rate.sum()
    at = time.strftime("%H:%M:%S", time.localtime(look.at_ns / _NS))
    streams = several(len(look.rows), "stream")
    words = f"{interface} · {streams} · {rate:,.0f} packets/s · {at} · sensor missed {moment.dropped:,}"
    return Text(words, style="bold", no_wrap=True, overflow="ellipsis")


def _trouble(moment: "Moment") -> Text | None:
    """What keeps the figures from being the network's own."""
    if moment.error:
        return Text(f"✕ {moment.error}: nothing is captured", style="bold red", no_wrap=True, overflow="ellipsis")
    if not moment.look.blind:
        return None
    last = moment.look.blind[-1]
    what = "was down" if last.dropped is None else f"had no room for {last.dropped:,} packets"
    ago = max(0, moment.look.at_ns - last.to_ns) // _NS
    words = f"▲ the sensor {what}, {ago} s ago: losses marked ≤ may be its own, their MOS is unknown"
    return Text(words, style="yellow", no_wrap=True, overflow="ellipsis")


def _table(streams: list[dict[str, Any]], width: int) -> Table:
    cells = {key: [_cell(fields, key) for fields in streams] for _, key, _ in _COLUMNS}
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), collapse_padding=True)
    kept = _that_fit(cells, width)
    most = _room_for_an_end(kept, cells, width)
    for title, key, _ in _COLUMNS:
        if key in kept:
            side: JustifyMethod = "left" if key in _LEFT else "right"
            limit = most if key in _ENDS else None
            table.add_column(title, justify=side, no_wrap=True, overflow="ellipsis", max_width=limit)
    for index, fields in enumerate(streams):
        table.add_row(*(cells[key][index] for _, key, _ in _COLUMNS if key in kept), style=_style(fields))
    return table


def _that_fit(cells: Mapping[str, list[str]], width: int) -> set[str]:
    """The dearest columns that fit; the two ends, loss and MOS always stay, shortened if need be."""
    widths = _widths(cells)
    kept = set(widths)
    for _, key, dear in sorted(_COLUMNS, key=lambda column: column[2]):
        if sum(widths[each] for each in kept) - _GAP <= width or dear == 9:  # noqa: PLR2004 - the dearest
            break
        kept.remove(key)
    return kept


def _widths(cells: Mapping[str, list[str]]) -> dict[str, int]:
    return {key: max(len(title), *map(len, cells[key])) + _GAP for title, key, _ in _COLUMNS}


def _room_for_an_end(kept: set[str], cells: Mapping[str, list[str]], width: int) -> int:
    """What the other columns leave for each of the two addresses."""
    widths = _widths(cells)
    return max(1, (width + _GAP - sum(widths[key] for key in kept - _ENDS)) // 2 - _GAP)


def _cell(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if key == "lost":
        return _lost(fields)
    if key == "state":
        return _state(fields)
    if value is None:
        return "—"
    if key in _FORMATS:
        return _FORMATS[key](value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _lost(fields: Mapping[str, Any]) -> str:
    if fields["lost"] is None:
        return f"≤ {fields['lost_at_most']}"
    return f"{fields['lost']} ({100 * fields['loss_ratio']:.1f} %)" if fields["lost"] else "0"


def _state(fields: Mapping[str, Any]) -> str:
    """What is odd about it. Every stream is silent between two packets: that is not worth a word."""
    said = ["one-way"] if fields["one_way"] and fields["duration_seconds"] >= _ALONE_SECONDS else []
    if fields["captured_twice"]:
        said.append("captured twice")
    if fields["ended"]:
        said.append("ended")
    elif fields["silent_seconds"] >= 1.5:  # noqa: PLR2004
        said.append(f"silent {fields['silent_seconds']:.0f} s")
    return ", ".join(said)


def _age(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "jitter_mean_seconds": lambda value: f"{1000 * value:.2f}",
    "pdv_p95_seconds": lambda value: f"{1000 * value:.2f}",
    "recent_loss_ratio": lambda value: f"{100 * value:.1f} %",
    "duration_seconds": _age,
    "round_trip_seconds": lambda value: f"{1000 * value:.1f}",
    "packets_per_second": lambda value: f"{value:.0f}",
}


def _style(fields: Mapping[str, Any]) -> str:
    if fields["silent_seconds"] > 2:  # noqa: PLR2004 - it may be over
        return "dim"
    known = [value for value in (fields["recent_mos_lq"], fields["mos_lq"]) if value is not None]
    if known and min(known) < _FAIR:
        return "red" if min(known) < _POOR else "yellow"
    return ""
