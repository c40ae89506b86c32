"""What a path or an SBC was like over minutes, hours, days: counted and put together by the database, not by us.

A window is some hundred buckets. Of each the worst stays beside the mean, so that no spike vanishes; where nothing was
measured there is nothing. Buckets that are over are read once and kept for a while.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Float, Select, case, cast, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from dashboards.web.records import Series
from sereno.clock import SECOND_US
from sereno.store import Store
from sereno.store.queries.results import of_elements
from sereno.store.tables import ODD, incidents, results, runs

WINDOWS: dict[str, tuple[int, int]] = {  # name → seconds, seconds of a bucket
    "10m": (600, 2),
    "1h": (3_600, 10),
    "24h": (86_400, 240),
    "7d": (604_800, 1_800),
}
_KEPT = 48  # pictures of elements and windows
_LATE_SECONDS = 120  # results that came late change buckets so far back
_MOST_FAILURES = 1_000
AGO_US = 7 * 86_400 * SECOND_US


class Bucket(NamedTuple):
    """What was measured in one bucket by one check."""

    size: int
    failed: int
    invalid: int
    rtt_low: float | None
    rtt_mean: float | None
    rtt_high: float | None
    took: float | None  # the longest duration
    expires: float | None  # the shortest
    mos_rx: float | None
    mos_tx: float | None


class Picture(NamedTuple):
    """Of one element in one window: buckets by check and by time."""

    seconds: int
    first: int  # number of the first bucket
    last: int
    buckets: dict[tuple[str, int], Bucket]

    @property
    def times(self) -> list[int]:
        return [number * self.seconds for number in range(self.first, self.last + 1)]

    def line(self, check: str, measure: str, times: float = 1.0) -> list[float | None]:
        """One measure of one check; None where it was not measured."""
        found: list[float | None] = []
        for number in range(self.first, self.last + 1):
            bucket = self.buckets.get((check, number))
            value = None if bucket is None else getattr(bucket, measure)
            found.append(None if value is None else round(float(value) * times, 3))
        return found

    def failing(self, check: str) -> list[float | None]:
        """Percent of the results that failed; None where there were none."""
        found: list[float | None] = []
        for number in range(self.first, self.last + 1):
            bucket = self.buckets.get((check, number))
            valid = 0 if bucket is None else bucket.size - bucket.invalid
            found.append(None if bucket is None or valid <= 0 else round(100 * bucket.failed / valid, 2))
        return found

    def total(self, check: str) -> tuple[int, int]:
        """How many results there are in the window, and how many of them failed."""
        mine = [bucket for (name, _), bucket in self.buckets.items() if name == check]
        return sum(bucket.size for bucket in mine), sum(bucket.failed for bucket in mine)


class History:
    """Pictures, kept; one thread's at a time each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Picture] = OrderedDict()

    def picture(self, element: str, window: str, now_us: int) -> Picture:
        """The window that ends now."""
        span, seconds = WINDOWS[window]
        last = now_us // SECOND_US // seconds
        first = last - span // seconds + 1
        with self._one:
            known = self._kept.get((element, window))
        begin = first
        buckets: dict[tuple[str, int], Bucket] = {}
        if known is not None and known.last >= first:
            begin = max(first, known.last - _LATE_SECONDS // seconds - 1)
            buckets = {key: bucket for key, bucket in known.buckets.items() if first <= key[1] < begin}
        with self._store.read() as connection:
            buckets |= _read(connection, element, begin * seconds * SECOND_US, now_us + SECOND_US, seconds)
        picture = Picture(seconds, first, last, buckets)
        with self._one:
            self._kept[element, window] = picture
            self._kept.move_to_end((element, window))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return picture


def series(picture: Picture, names: dict[str, str]) -> dict[str, Series]:
    """The plots of an element; `names` are the labels in the reader's language."""
    natural = picture.total("options") == (0, 0)
    forced = "natural" if natural else "options"
    plots = {
        "rtt": {
            names["worst"]: picture.line(forced, "rtt_high", 1_000),
            names["mean"]: picture.line(forced, "rtt_mean", 1_000),
            names["best"]: picture.line(forced, "rtt_low", 1_000),
        },
        "mos": {names["rx"]: picture.line("call", "mos_rx"), names["tx"]: picture.line("call", "mos_tx")},
        "register": {
            names["took"]: picture.line("register", "took", 1_000),
            names["expires"]: picture.line("register", "expires"),
        },
        "failing": {check: picture.failing(check) for check in ("options", "register", "call", "edge", "natural")},
    }
    if natural:
        plots["rtt"] = {names["edge"]: picture.line("edge", "rtt_high", 1_000)} | {
            names["natural"]: picture.line("natural", "rtt_high", 1_000)
        }
    times = picture.times
    return {
        plot: Series(times, {name: line for name, line in lines.items() if any(value is not None for value in line)})
        for plot, lines in plots.items()
    }


def _read(
    connection: Connection, element: str, from_us: int, to_us: int, seconds: int
) -> dict[tuple[str, int], Bucket]:
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        number = func.div(results.c.at_us, seconds * SECOND_US).label("number")
    else:
        number = literal_column(f"results.at_us / {seconds * SECOND_US}", results.c.at_us.type).label("number")

    def inside(*path: str) -> ColumnElement[Any]:
        if sqlite:
            return func.json_extract(results.c.body, "$." + ".".join(path))
        return cast(func.json_extract_path_text(literal_column("results.body::json"), *path), Float)

    rtt = inside("rtt_seconds")
    measured: Select[Any] = select(
        results.c.check, number, func.count(),
        _sum(results.c.outcome == "failed"), _sum(results.c.outcome == "invalid"), func.min(rtt),
        func.avg(rtt), func.max(rtt), func.max(inside("duration_seconds")),
        func.min(inside("expires_seconds")), func.min(inside("media", "rx", "mos_lq")),
        func.min(inside("media", "tx", "mos_lq")),
    )  # fmt: skip
    measured = of_elements(measured, connection, [element], from_us, to_us).group_by(results.c.check, number)
    found = {}
    for check, at, count, failed, invalid, low, mean, high, took, expires, rx, tx in connection.execute(measured):
        place = (str(check), int(at))
        found[place] = Bucket(int(count), int(failed), int(invalid), low, mean, high, took, expires, rx, tx)
    return found


def _sum(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


# -- single results ----------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A result as a list shows it; its address in forensics is probe, boot and seq."""

    probe: str
    boot: str
    seq: int
    at_us: int
    check: str
    outcome: str
    reason: str | None
    body: str


_SEEN = tuple(results.c[name] for name in Seen._fields)


def newest(
    connection: Connection, element: str, checks: Iterable[str], now_us: int, most: int
) -> dict[str, list[Seen]]:
    """The last results of every check, newest first: looked for in the last minutes, then in the last hours."""
    found: dict[str, list[Seen]] = {}
    missing = list(checks)
    for back_us in (120 * SECOND_US, 1_200 * SECOND_US, 21_600 * SECOND_US):
        if not missing:
            break
        query = of_elements(select(*_SEEN), connection, [element], now_us - back_us, now_us + 10 * SECOND_US)
        query = query.where(results.c.check.in_(missing)).order_by(results.c.at_us.desc(), results.c.seq.desc())
        if back_us > 120 * SECOND_US:
            query = query.limit(50 * most)
        listed: dict[str, list[Seen]] = {}
        for row in connection.execute(query):
            mine = listed.setdefault(row.check, [])
            if len(mine) < most:
                mine.append(Seen(*row))
        found |= listed
        missing = [check for check in missing if len(found.get(check, ())) < min(most, 3)]
    return found


def last_failure(connection: Connection, element: str, from_us: int) -> Seen | None:
    """The newest failure since an instant: by the index of what is not plainly well."""
    query = select(*_SEEN).where(
        literal_column(f"({ODD})"), results.c.outcome == "failed", results.c.element == element,
        results.c.at_us >= from_us,
    )  # fmt: skip
    row = connection.execute(query.order_by(results.c.at_us.desc()).limit(1)).first()
    return None if row is None else Seen(*row)


class Failures:
    """The last failure of each element that somebody looks at; the past is searched once."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, Seen | None]] = {}

    def last(self, connection: Connection, element: str, now_us: int) -> Seen | None:
        looked_us, known = self._kept.get(element, (0, None))
        since_us = looked_us - _LATE_SECONDS * SECOND_US if 0 < looked_us <= now_us else now_us - AGO_US
        newer = last_failure(connection, element, since_us)
        if newer is not None and (known is None or newer.at_us >= known.at_us):
            known = newer
        if known is not None and known.at_us < now_us - AGO_US:
            known = None
        if len(self._kept) > _MOST_FAILURES:
            self._kept = {}
        self._kept[element] = now_us, known
        return known


def compacted_until(connection: Connection, from_us: int) -> int | None:
    """Up to when results of a window are runs, which keep no single round trip; None where none are."""
    found = connection.execute(
        select(func.max(runs.c.to_us)).where(runs.c.from_us >= from_us - 3_600 * SECOND_US)
    ).scalar()
    return None if found is None or int(found) <= from_us else int(found)


def incident_bodies(connection: Connection, since_us: int, most: int) -> list[str]:
    """The newest incidents that were opened since, as they are stored."""
    query = select(incidents.c.body).where(incidents.c.opened_us >= since_us).order_by(incidents.c.number.desc())
    return [str(row.body) for row in connection.execute(query.limit(most))]
