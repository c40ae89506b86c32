"""What the pages of incidents and maintenance are made of, without a browser: filters, acts, calendars."""

from datetime import date

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from starlette.datastructures import FormData, QueryParams

from dashboards.web.incidents.acts import ACTS, BY_VERB, arguments, given, moment_us, offered
from dashboards.web.incidents.filters import Filters, filters_of
from dashboards.web.incidents.house import House
from dashboards.web.incidents.promises import hours
from dashboards.web.incidents.times import moment
from dashboards.web.words import Words
from dashboards.web.works.calendar import month_of, sheet
from sereno.clock import parse_instant
from sereno.contract import load_contract
from sereno.incident import STATES, Element, IncidentRecord
from sereno.incident.moves import MOVES

NOW = parse_instant("2026-11-21T15:00:00-06:00")
RECORD = IncidentRecord(
    number=1, state="open", class_="service", priority="Alta", priority_peak="Alta", cause=Element("core", "core-a"),
    title="x", since_us=NOW, opened_us=NOW,
)  # fmt: skip


@examples(
    st.builds(
        Filters, states=st.sets(st.sampled_from(STATES)).map(lambda some: tuple(s for s in STATES if s in some)),
        text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(str.strip),
        customer=st.sampled_from(["", "acme"]), class_=st.sampled_from(["", "service", "monitor"]),
        from_day=st.none() | st.just(date(2026, 1, 1)), to_day=st.none() | st.just(date(2026, 2, 1)),
        page=st.integers(1, 99),
    )
)  # fmt: skip
def test_filters_come_back_from_their_address(filters):
    assert filters_of(QueryParams(filters.query())) == filters


@examples(st.dictionaries(st.sampled_from(["state", "priority", "from", "to", "page", "text", "class"]), st.text()))
def test_whatever_an_address_says_is_no_error(asked):
    found = filters_of(asked)
    assert found.page >= 1
    assert "\x00" not in found.text
    found.window("America/Bogota")


@examples(st.text())
def test_an_instant_is_one_or_none(text):
    assert moment_us(text, "America/Bogota") is None or isinstance(moment_us(text, "America/Bogota"), int)


def test_a_local_time_is_of_the_service_and_never_of_the_browser():
    assert moment_us("2026-11-21T15:00", "America/Costa_Rica") == NOW
    assert moment_us("2026-11-21T15:00-05:00", "America/Costa_Rica") is None


def test_every_verb_of_the_desk_has_its_form_and_no_other():
    assert set(BY_VERB) == set(MOVES)


@pytest.mark.parametrize("state", STATES)
def test_what_is_offered_is_what_the_desk_takes(state):
    record = msgspec.structs.replace(RECORD, state=state, opened_by="ana")
    for act in ACTS:
        if offered(act, record):
            assert state in MOVES[act.verb].sources
    mine = msgspec.structs.replace(RECORD, state="acknowledged", opened_by="sereno")
    assert not {act.verb for act in ACTS if offered(act, mine)} & {"priority", "pause", "resume", "ack"}


def test_what_is_missing_is_said_before_the_desk_is_asked():
    typed = given(BY_VERB["redate"], FormData([("due", "mañana"), ("reason", " ")]))
    found, wrong = arguments(BY_VERB["redate"], typed, House())
    assert found == {}
    said = {one.name: one.text for one in wrong}
    assert said == {"due": "Write a date and a time.", "reason": "This is needed."}
    typed = given(BY_VERB["assign"], FormData([("to", "ana"), ("to-other", "  Rosa\x00 ")]))
    assert arguments(BY_VERB["assign"], typed, House())[0] == {"to": "Rosa�"}


def test_calendars_by_name():
    version = load_contract("wekall").versions[-1]
    assert hours(version, "office", Words("es", "UTC")) == "lun–vie 07:30–12:30, 14:00–18:00; sin festivos (CO)"
    assert hours(version, "always", Words("en", "UTC")) == "24 hours, every day"
    centre = load_contract("callmyway").versions[-1]
    assert hours(centre, "call_centre", Words("en", "UTC")) == "Mon–Fri 06:00–21:00; Sat–Sun 07:00–17:00"


def test_an_instant_has_its_year_and_its_zone_where_it_needs_them():
    words = Words("es", "America/Costa_Rica", "es_CR")
    assert moment(words, NOW, NOW) == "21 nov 15:00:00"
    assert moment(words, NOW - 31_536_000_000_000, NOW) == "21 nov 2025 15:00:00"
    assert moment(words, NOW, NOW, zone="America/Bogota") == "21 nov 16:00:00 (hora de Colombia, −05:00)"


def test_a_month_is_whole_weeks_and_another_one_is_one_step_away():
    month = sheet(month_of("2026-11", "America/Bogota", NOW), (), "America/Bogota", NOW)
    assert [week[0].day.isoweekday() for week in month.weeks] == [1] * 6
    assert [day.day.day for week in month.weeks for day in week if day.today] == [21]
    assert (month.other(-1), month.other(1), month.other(2)) == ("2026-10", "2026-12", "2027-01")
    for odd in ("", "9999-12", "2026-13", "x", "0001-01"):
        assert month_of(odd, "America/Bogota", NOW) == date(2026, 11, 1)
