"""Every question that the doctor asks, in the order of asking: what others rest on comes first.

A new one is a file here with `look`, `judge` and `QUESTION`, its name in this list, its words in
`sereno/locale/es/doctor.po`, a line in docs/doctor.md, and a test that makes the mistake.
"""

from sereno.doctor.findings import (
    accounts,
    backups,
    broker,
    capture,
    certificates,
    channels,
    clock,
    collector,
    commits,
    contracts,
    database,
    disk,
    exposure,
    files,
    grafana,
    heartbeat,
    holes,
    identify,
    mail,
    media,
    oncall,
    page,
    pdf,
    probes_blind,
    probes_notes,
    probes_silent,
    programs,
    prometheus,
    quarantine,
    reached,
    reports,
    sbc_answers,
    schema,
    secrets,
    skew,
    steering,
    timezones,
    topology_notes,
)
from sereno.doctor.model import Question

QUESTIONS: tuple[Question, ...] = tuple(
    room.QUESTION
    for room in (
        programs, files, contracts, topology_notes, secrets, timezones,  # what was written
        database, schema, disk, page, broker, collector, commits,  # what runs
        clock, skew, probes_silent, probes_notes, probes_blind, quarantine, holes, capture,  # what measures
        reached, sbc_answers, identify, steering, accounts, media,  # what is measured
        oncall, channels, mail, heartbeat, reports,  # who is told
        exposure, certificates, backups, pdf, prometheus, grafana,  # what is easily forgotten
    )
)  # fmt: skip

__all__ = ["QUESTIONS"]
