"""Every probe of the topology reports."""

from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US, iso
from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient

SILENT_US = 60 * SECOND_US


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe said last; None: never."""

    probe: str
    named: bool  # in the topology
    state: str | None
    status_us: int | None
    result_us: int | None
    now_us: int
    current: bool | None = None  # it has the topology in use


def look(patient: Patient) -> list[Word]:
    """Statuses, and the newest result of each."""
    from sereno.topology import topology_hash

    patient.leading()  # without a collector nobody takes what probes say
    named, digest = patient.topology().probes, None
    row = patient.accepted()
    digest = row.hash if row is not None else topology_hash(patient.topology())
    return [
        Word(
            probe=one.probe, named=one.probe in named, state=one.status.state if one.status is not None else None,
            status_us=one.status_us, result_us=one.last_at_us, now_us=patient.clock.now_us(),
            current=None if one.status is None else one.status.topology_hash == digest,
        )
        for one in patient.standings()
    ]  # fmt: skip


def judge(words: list[Word]) -> Iterator[Finding]:
    """A probe that is silent sees nothing; enough of them and nothing can be told."""
    well = 0
    for one in words:
        where = f"probe {one.probe}"
        if one.state is None:
            if one.named:
                yield broken(
                    "never reported", "start it there: sereno probe --broker mqtts://{probe}@HOST:8883 --name {probe}; "
                    "name and account must be the same", where, probe=one.probe,
                )  # fmt: skip
        elif one.state == "offline":
            yield broken("offline since {at}", "look at that host, its network and its log (journalctl -u "
                         "sereno-probe)", where, at=iso(one.status_us or 0))  # fmt: skip
        elif one.result_us is None or one.now_us - one.result_us > SILENT_US:
            yield broken(
                "online, and without a result since {at}", "look at its log, and at what it has to check (`checks:`)",
                where, at="the start" if one.result_us is None else iso(one.result_us),
            )  # fmt: skip
        elif one.current is False:
            yield warning("works by another topology than the one in use", "wait ten seconds; if it stays, look at "
                          "the broker's access list (topology/NAME)", where)  # fmt: skip
        else:
            well += 1
    if words and well == len(words):
        yield ok("{count} report", count=well)
    elif not words:
        yield warning("no probe is named and none ever reported", "start one: sereno probe --broker … --name NAME")


QUESTION = Question(name="probes", title="Probes", look=look, judge=judge)
