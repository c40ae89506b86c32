"""What a customer's contract makes of announced work, in words: whether its time counts, and why."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from dashboards.web.incidents.house import House
from dashboards.web.incidents.times import moment, place
from dashboards.web.words import Words
from sereno.answers.works import CustomerWord
from sereno.contract.calendar import day_start_us, local_date

Weight = Literal["out", "part", "counts"]
_MINUTES = 60


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """One customer: `out` — nothing of it counts, `counts` — all of it, `part` — some of it."""

    customer: str
    contract: str
    weight: Weight
    head: str
    why: tuple[str, ...]
    local: str = ""  # when it is for them, where their contract reads another clock


def saying(word: CustomerWord, house: House, words: Words, now_us: int) -> Saying:
    """What his contract makes of it."""
    span_us = word.notice.to_us - word.notice.from_us
    weight = _weight(word, span_us)
    heads = {
        "out": words.text("does not count against the availability"),
        "part": words.text("counts in part against the availability"),
        "counts": words.text("counts against the availability"),
    }
    return Saying(
        customer=house.customer_name(word.customer), contract=word.contract, weight=weight, head=heads[weight],
        why=tuple(_why(word, house, words, now_us, span_us)),
        local=_local(word, words, now_us) if word.zone != house.zone else "",
    )  # fmt: skip


def _local(word: CustomerWord, words: Words, now_us: int) -> str:
    """`23 nov 21:00 – 23 nov 23:00 (hora de Colombia, −05:00)`."""
    zone, notice = ZoneInfo(word.zone), word.notice
    there = Words(words.language, zone.key, words.locale)
    begin, end = (moment(there, at_us, now_us, seconds=False) for at_us in (notice.from_us, notice.to_us))
    return f"{begin} – {end} ({place(words, word.zone, notice.from_us)})"


def _weight(word: CustomerWord, span_us: int) -> Weight:
    taken = [site.notice.excluded_us for site in word.sites] or [word.notice.excluded_us]
    if not any(taken):
        return "counts"
    return "out" if all(one >= span_us for one in taken) else "part"


def _why(word: CustomerWord, house: House, words: Words, now_us: int, span_us: int) -> Iterator[str]:
    refused = set(word.notice.refused)
    if "no_exclusion" in refused:
        yield words.text("its contract takes no announced work out")
    yield from _announcing(word, words, now_us)
    if "outside_hours" in refused:
        yield from _hours(word, words, span_us)
    bare = [site.site for site in word.sites if not site.covered]
    if bare and "no_exclusion" not in refused:
        yield words.text("it does not cover {sites} wholly: what fails there counts", sites=words.names(bare))
    contract = house.contracts.get(word.contract)
    if contract is not None and contract.at(word.notice.from_us).target_ppm is None:
        yield words.text("its contract promises no figure of availability")


def _announcing(word: CustomerWord, words: Words, now_us: int) -> Iterator[str]:
    """What is said of the notice."""
    notice, refused = word.notice, set(word.notice.refused)
    if "not_received" in refused:
        yield words.text("the notice has not reached all of its contacts")
    elif "after_begin" in refused:
        yield words.text("it is announced after it began")
    if "notice_short" in refused:
        yield from _short(word, words, now_us)
    if "notice_long" in refused:
        yield words.text("announced too early: {days} days before at most", days=notice.most_days)
    if refused - {"not_covered", "outside_hours"} or notice.notice_days is None:
        return
    if notice.same_day and notice.critical_fix and notice.notice_days == 0:
        yield words.text("a critical fix may be announced and done on one day")
        return
    yield words.text(
        "announced {days} days before; it asks for {least} to {most}", days=notice.notice_days,
        least=notice.least_days, most=notice.most_days,
    )  # fmt: skip


def _hours(word: CustomerWord, words: Words, span_us: int) -> Iterator[str]:
    """What of it lies in the contract's hours."""
    notice = word.notice
    if notice.hours is None:
        return
    taken = max([site.notice.excluded_us for site in word.sites] or [notice.excluded_us])
    yield words.text(
        "only {begin}–{end} ({zone}) is taken out: {taken} of {whole}", begin=_hour(notice.hours[0]),
        end=_hour(notice.hours[1]), zone=place(words, word.zone, notice.from_us), taken=words.span(taken),
        whole=words.span(span_us),
    )  # fmt: skip


def _short(word: CustomerWord, words: Words, now_us: int) -> Iterator[str]:
    """How much notice is missing, and from when on the work could begin."""
    notice = word.notice
    if notice.announced_us is None or notice.least_days is None:
        return
    day = local_date(word.zone, notice.announced_us) + timedelta(days=notice.least_days)
    first_us = day_start_us(word.zone, day)
    yield words.text(
        "{span} of notice are missing: it asks for {days} days; announced so, it could begin on {moment}",
        span=words.span(first_us - notice.from_us), days=notice.least_days,
        moment=moment(words, first_us, now_us, zone=word.zone, seconds=False),
    )  # fmt: skip
    if notice.same_day and not notice.critical_fix:
        yield words.text("were it a critical fix, it could be announced and done on one day")


def _hour(minute: int) -> str:
    return f"{minute // _MINUTES:02d}:{minute % _MINUTES:02d}"
