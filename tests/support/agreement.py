"""The same story told to our machines and to Prometheus: what the desk's alarms did, and the series of its scrapes.

The stream goes through `collector.replay` and the desk machine, as in `sereno replay`. What was said then goes into a
store, what was measured into `Metrics`, and its exposition is read every 15 s, as Prometheus does.
"""

import re
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert
from streams import T0, Run

from alerting.desk import DeskMachine
from alerting.effects import AlarmCleared, AlarmRaised
from collector.metrics import Metrics
from collector.recording import Recording
from collector.replay import Replay
from deploy.prometheus.alarms import render
from sereno.alarms import Alarms
from sereno.clock import SECOND_US, FakeClock
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.store import open_store
from sereno.store.tables import verdict_changes
from sereno.topology import load_topology
from sereno.verdict import Change
from sereno.wire import Result

STEP = 15
SLACK = 60  # seconds: "in the same minute"
_SERIES = re.compile(r"sereno_(?:verdict_state|finding|rtp_|mos_|call_(?:setup|post_dial))")
_DESK = b"contract: callmyway\nchannels: {d: {webhook: 'http://127.0.0.1:1/'}}\npeople: {d: {channels: [d]}}\n"
_Labels = dict[str, str]
Key = tuple[str, str, str]  # alarm, kind, element


class Told(NamedTuple):
    """A story: how long, what held when (seconds), and its series by the quarter of a minute."""

    seconds: int
    held: dict[Key, list[tuple[float, float]]]
    series: dict[str, list[str]]

    def firing(self, at: float) -> set[Key]:
        return {key for key, spans in self.held.items() if any(begin <= at < end for begin, end in spans)}

    def moving(self, at: float) -> set[str]:
        """Alarms that change within a minute of an instant: nothing is asked of them then."""
        return {
            key[0]
            for key, spans in self.held.items()
            if any(abs(at - edge) <= SLACK for span in spans for edge in span)
        }


def tell(run: Run, folder: Path, alarms: Alarms, seconds: int) -> Told:
    """The story of a stream, as both of them get it."""
    topology = load_topology(run.topology)
    run.write()
    contracts = {"callmyway": load_contract("callmyway")}
    desk = DeskMachine(topology, parse_desk("desk.yaml", _DESK), contracts, alarms)
    said: list[tuple[int, Change]] = []
    held: dict[Key, list[tuple[float, float]]] = {}
    open_: dict[Key, float] = {}

    def note(effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, AlarmRaised | AlarmCleared):
                key = (effect.alarm, effect.kind, effect.name)
                at = (effect.at_us - T0) / SECOND_US
                if isinstance(effect, AlarmRaised):
                    open_[key] = at
                else:
                    held.setdefault(key, []).append((open_.pop(key), at))

    def hear(changes: list[Change], at_us: int) -> None:
        said.extend((at_us, change) for change in changes)
        for change in changes:
            note(desk.change(change))
        note(desk.tick(at_us))

    lines = list(Recording(topology, [run.stream]).lines())
    replay = Replay(topology, contracts, T0, hear, lambda *_: None, desk.next_due_us, alarms)
    replay.run(iter(lines), T0 + seconds * SECOND_US)
    for key, at in open_.items():
        held.setdefault(key, []).append((at, float("inf")))
    results = [(line.item, line.at_us) for line in lines if isinstance(line.item, Result)]
    return Told(seconds, held, _scraped(folder, topology, said, results, seconds))


def _scraped(
    folder: Path, topology: Any, said: list[tuple[int, Change]], results: list[tuple[Result, int]], seconds: int
) -> dict[str, list[str]]:
    clock, store = FakeClock(T0), open_store(folder)
    metrics = Metrics(store, topology, clock=clock)
    metrics.lead(1)
    found: dict[str, list[str]] = {}
    for turn in range(seconds // STEP + 1):
        clock.set(T0 + turn * STEP * SECOND_US)
        now = [result for result in results if result[1] + _took(result[0]) <= clock.now_us()]
        results = results[len(now) :]
        metrics.observe_all([one for one, _ in now], [at_us for _, at_us in now])
        with store.write() as connection:
            while said and said[0][0] <= clock.now_us():
                _, change = said.pop(0)
                connection.execute(
                    insert(verdict_changes).values(
                        kind=change.kind, name=change.name, what=change.what, state=change.state,
                        since_us=change.since_us, at_us=change.at_us, facts="{}",
                    )
                )  # fmt: skip
        for line in metrics.render()[0].decode().splitlines():
            if _SERIES.match(line):
                series, _, value = line.rpartition(" ")
                row = found.setdefault(series, [])
                row += ["_"] * (turn - len(row)) + [value]
    store.dispose()
    return found


def _took(result: Result) -> int:
    return round((result.duration_seconds or result.answered_after_seconds or 0) * SECOND_US)


def case(name: str, told: Told, alarms: Alarms) -> dict[str, Any]:
    """The story as a test of promtool: at each minute exactly what our desk held, of all that is not just changing."""
    rendered = {one.name for one in render.ways(alarms) if one.way is not None}
    asked = []
    for at in range(STEP, told.seconds, SLACK):
        moving = "|".join(sorted(told.moving(at) & rendered)) or "-"
        expected = sorted(key for key in told.firing(at) if key[0] in rendered and key[0] not in told.moving(at))
        asked.append({
            "eval_time": f"{at}s",
            "expr": f'count by (alarm, kind, element) (ALERTS{{alertstate="firing",alarm!="",alarm!~"{moving}"}})',
            "exp_samples": [
                {"labels": f'{{alarm="{alarm}",kind="{kind}",element="{element}"}}', "value": 1}
                for alarm, kind, element in expected
            ],
        })  # fmt: skip
    return {
        "name": name,
        "interval": f"{STEP}s",
        "input_series": [{"series": series, "values": _packed(values)} for series, values in told.series.items()],
        "promql_expr_test": asked,
    }


def _packed(values: list[str]) -> str:
    """Runs of one value as promtool writes them."""
    parts = []
    for value, run in groupby(values):
        count = len(list(run))
        parts.append(f"_x{count}" if value == "_" else f"{value}x{count - 1}")
    return " ".join(parts)
