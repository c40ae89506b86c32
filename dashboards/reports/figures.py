"""What the ledger says of a scope, as a report tells it: figures, arithmetic, outages, what is excluded or unknown."""

from collections.abc import Iterable, Sequence

from dashboards.reports.model import (
    Arithmetic,
    Availability,
    Cause,
    Day,
    Exclusion,
    Notice,
    Outage,
    Promised,
    Site,
    Unknown,
)
from sereno.answers import availability as answers
from sereno.answers.availability import Account
from sereno.availability import PPM, Figures, Scope
from sereno.clock import SECOND_US, iso
from sereno.contract.calendar import local_date
from sereno.incident import IncidentRecord

NO_RECORD = "no_record"  # of unknown time that not even a row of the ledger speaks of
_BESIDE_US = 60 * SECOND_US  # what is looked at before and after an outage


def seconds(microseconds: int) -> float:
    """The same duration in seconds, exact to the microsecond."""
    return microseconds / SECOND_US


def optional(microseconds: int | None) -> float | None:
    return None if microseconds is None else seconds(microseconds)


def availability(one: Figures, zone: str, budget_us: int | None) -> Availability:
    """The fields of `sereno availability --json`."""
    return Availability(
        scope=str(one.scope),
        from_=iso(one.from_us),
        to=iso(one.to_us),
        low=one.low,
        observed=one.observed,
        high=one.high,
        down_seconds=seconds(one.down_us),
        excluded_seconds=seconds(one.excluded_us),
        unknown_seconds=seconds(one.unknown_us),
        total_seconds=seconds(one.total_us),
        target=one.target,
        verdict=one.verdict,
        timezone=zone,
        outages=one.outages,
        bound_seconds=seconds(one.bound_us),
        budget_seconds=optional(budget_us),
        budget_remaining_seconds=None if budget_us is None else seconds(budget_us - one.down_us),
    )


def arithmetic(one: Figures) -> Arithmetic:
    """The verdict's own sums. Whole microseconds: cutting the allowance to one of them changes no comparison."""
    worst, least, allowed = one.down_us + one.bound_us + one.unknown_us, one.down_us - one.bound_us, one.budget_us
    return Arithmetic(
        counted_seconds=seconds(one.counted_us),
        seen_seconds=seconds(one.counted_us - one.unknown_us),
        allowed_seconds=optional(allowed),
        at_worst_seconds=seconds(worst),
        at_least_seconds=seconds(least),
        met=None if allowed is None else worst <= allowed,
        missed=None if allowed is None else least > allowed,
    )


def promises(found: Iterable[answers.Promised]) -> tuple[Promised, ...]:
    return tuple(
        Promised(
            from_=iso(one.from_us),
            to=iso(one.to_us),
            contract=one.contract,
            effective=one.effective,
            target=None if one.target_ppm is None else one.target_ppm / PPM,
        )
        for one in found
    )


def outages(account: Account, records: Sequence[IncidentRecord]) -> tuple[Outage, ...]:
    """Each with the incidents that were worked on for it, and where its samples are."""
    return tuple(_outage(account.scope, one, records) for one in account.outages)


def _outage(scope: Scope, one: answers.Outage, records: Sequence[IncidentRecord]) -> Outage:
    mine = [record for record in records if _about(record, one)]
    window = iso(one.from_us - _BESIDE_US), iso(one.to_us + _BESIDE_US)
    site = one.sites[0] if scope.kind in {"customer", "site"} and one.sites else None
    place = (f"&site={site}", f" --site {site}") if site else ("", "")
    return Outage(
        from_=iso(one.from_us),
        to=iso(one.to_us),
        down_seconds=seconds(one.down_us),
        excluded_seconds=seconds(one.excluded_us),
        bound_seconds=seconds(one.bound_us),
        reason=one.reason,
        sites=one.sites,
        begun_before=one.begun_before,
        goes_on=one.goes_on,
        incidents=tuple(record.number for record in mine),
        cause=Cause(kind=mine[0].cause.kind, name=mine[0].cause.name) if mine else None,
        evidence=f"/forensics?from={window[0]}&to={window[1]}{place[0]}",
        command=f"sereno forensics --from {window[0]} --to {window[1]}{place[1]}",
    )


def _about(record: IncidentRecord, one: answers.Outage) -> bool:
    """Whether an incident lasted during an outage and says that it touched one of its sites."""
    ends_us = record.resolved_us
    if record.kind != "incident" or record.since_us >= one.to_us or (ends_us is not None and ends_us <= one.from_us):
        return False
    named = {*record.sites, record.cause.name, *(symptom.name for symptom in record.symptoms)}
    return record.cause.kind == "service" or not named.isdisjoint(one.sites)


def exclusions(account: Account) -> tuple[Exclusion, ...]:
    return tuple(
        Exclusion(
            from_=iso(one.from_us),
            to=iso(one.to_us),
            seconds=seconds(one.to_us - one.from_us),
            windows=one.windows,
        )
        for one in account.exclusions
    )


def notices(account: Account) -> tuple[Notice, ...]:
    return tuple(
        Notice(
            window=one.number,
            scope=one.scope_kind if one.scope_kind == "service" else f"{one.scope_kind}:{one.scope_name}",
            from_=iso(one.from_us),
            to=iso(one.to_us),
            announced=None if one.announced_us is None else iso(one.announced_us),
            notice_days=one.notice_days,
            critical_fix=one.critical_fix,
            cancelled=None if one.cancelled_us is None else iso(one.cancelled_us),
            who=one.who,
            contract=one.contract,
            least_days=one.least_days,
            most_days=one.most_days,
            hours=None if one.hours is None else "-".join(f"{at // 60:02d}:{at % 60:02d}" for at in one.hours),
            same_day=one.same_day,
            excluded_seconds=seconds(one.excluded_us),
            counts=one.refused,
            sites=one.sites,
        )
        for one in account.notices
    )


def unknown(account: Account) -> tuple[Unknown, ...]:
    return tuple(
        Unknown(
            from_=iso(one.from_us),
            to=iso(one.to_us),
            seconds=seconds(one.to_us - one.from_us),
            reason=one.reason or NO_RECORD,
            sites=one.sites,
        )
        for one in account.unknown
    )


def days(account: Account) -> tuple[Day, ...]:
    return tuple(
        Day(
            date=local_date(account.zone, day.from_us).isoformat(),
            state=_state(day.figures),
            total_seconds=seconds(day.figures.total_us),
            down_seconds=seconds(day.figures.down_us),
            unknown_seconds=seconds(day.figures.unknown_us),
            excluded_seconds=seconds(day.figures.excluded_us),
            observed=day.figures.observed,
        )
        for day in account.days
    )


def _state(one: Figures) -> str:
    if one.down_us:
        return "down"
    if one.unknown_us:
        return "unknown"
    return "excluded" if one.counted_us == 0 else "up"


def site(account: Account, records: Sequence[IncidentRecord]) -> Site:
    """One site by itself."""
    return Site(
        site=account.scope.name,
        availability=availability(account.figures, account.zone, account.budget_us),
        outages=outages(account, records),
        unknown=unknown(account),
        days=days(account),
    )
