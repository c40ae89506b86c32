"""The question of `/forensics`: what people write is understood, what is understood is written in one way."""

from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.forensics.question import Question, Wrong, read
from dashboards.web.forensics.times import instant
from dashboards.web.words import Words
from sereno.answers.cases import Source
from sereno.clock import SECOND_US, iso, parse_instant
from sereno.wire import CHECKS, REASONS

NOW = parse_instant("2026-11-21T15:00:00.250000Z")  # 09:00 in San José
ES = Words("es", "America/Costa_Rica")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-21T14:00:00Z", "2026-11-21T14:00:00Z"),
        ("2026-11-21T14:00:00.000001Z", "2026-11-21T14:00:00.000001Z"),
        ("2026-11-21T08:00:00-06:00", "2026-11-21T14:00:00Z"),
        ("2026-11-21 08:00", "2026-11-21T14:00:00Z"),
        ("2026-11-21 08:00:01.5", "2026-11-21T14:00:01.5Z"),
        ("21/11/2026 8:00:01", "2026-11-21T14:00:01Z"),
        ("08:00", "2026-11-21T14:00:00Z"),
        ("hoy 8:00", "2026-11-21T14:00:00Z"),
        ("hoy a las 8:00", "2026-11-21T14:00:00Z"),
        ("Ayer 14:00", "2026-11-20T20:00:00Z"),
        ("yesterday 14:00", "2026-11-20T20:00:00Z"),
        ("2026-11-21", "2026-11-21T06:00:00Z"),
        ("hace 15 min", "2026-11-21T14:45:00Z"),
        ("hace 2 horas", "2026-11-21T13:00:00Z"),
        ("-15m", "2026-11-21T14:45:00Z"),
        ("15 minutes ago", "2026-11-21T14:45:00Z"),
        ("hace 1 día", "2026-11-20T15:00:00Z"),
        ("ahora", "2026-11-21T15:00:01Z"),
    ],
)
def test_an_instant_as_people_write_it(written, meant):
    assert iso(instant(written, ES.zone, NOW)) == iso(parse_instant(meant))


@pytest.mark.parametrize(
    "written", ["", "tarde", "25:00", "2026-13-01", "31/02/2026", "9", "12345678901", "hace", "x" * 300]
)
def test_what_is_no_instant(written):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever of its kinds
        instant(written, ES.zone, NOW)


@given(st.text(max_size=70))
def test_any_text_is_an_instant_or_refused(text):
    with suppress(ValueError, OverflowError):
        assert isinstance(instant(text, ES.zone, NOW), int)


def test_nothing_given_is_the_last_quarter_of_an_hour_to_the_second():
    found = read({}, ES, NOW)
    assert (found.to_us - found.from_us, found.to_us % SECOND_US) == (900 * SECOND_US, 0)
    assert read({"incident": "7"}, ES, NOW).from_us is None  # its window is its own
    assert read({"last": "1h"}, ES, NOW).to_us - read({"last": "1h"}, ES, NOW).from_us == 3_600 * SECOND_US


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"from": "tarde"}, "«tarde» no es un instante: escriba 2026-11-21 09:49, 09:49, ayer 14:00 o hace 15 min."),
        ({"from": "09:00", "to": "08:00"}, "La ventana termina antes de empezar: ponga en «Hasta» la hora posterior."),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "La ventana pasa de 400 días: dé una más corta."),
        ({"incident": "siete"}, "«siete» no es un número de incidente: escríbalo en cifras."),
        ({"to": "0001-01-01 00:00"}, "«0001-01-01 00:00» no es un instante"),
    ],
)
def test_a_wrong_window_says_in_one_line_how_to_mend_it(given_, said):
    with pytest.raises(Wrong) as caught:
        read(given_, ES, NOW)
    assert said in str(caught.value)


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,20}", fullmatch=True)
moments = st.integers(NOW - 86_400 * SECOND_US, NOW)


@given(
    moments, st.integers(1, 86_400 * SECOND_US), st.sampled_from(("path", "sbc", "core", "probe", "target")), names,
    st.sets(st.sampled_from(CHECKS)), st.sets(st.sampled_from(("ok", "failed", "late", "invalid"))),
    st.sampled_from((None, *REASONS)), st.text(max_size=30), st.sampled_from((None, "all", "changes", "failures")),
    st.sampled_from(("both", "results", "events")), st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_question_is_the_same_after_a_way_through_its_url(  # noqa: PLR0917 - hypothesis gives them
    from_us, length, about, name, checks, outcomes, reason, text, show, kind, folded, opened
):
    given_ = Question(
        from_us=from_us, to_us=from_us + length, about=about, name=name,
        checks=tuple(one for one in CHECKS if one in checks),
        outcomes=tuple(one for one in ("failed", "late", "invalid", "ok") if one in outcomes), reason=reason,
        text=text.strip(), show=show, kind=kind, folded=folded, newest=not folded,
        result=Source("bog-1", "b1", 7) if opened else None,
    )  # fmt: skip
    query = dict(parse_qsl(urlsplit(given_.address()).query, keep_blank_values=True))
    assert read(query, ES, NOW) == given_


def test_another_question_begins_at_its_first_line_and_an_open_result_does_not():
    question = Question(from_us=1, to_us=2, after="abc")
    assert question.but(reason="timeout").after is None
    assert question.but(result=Source("a", "b", 1)).after == "abc"


def test_a_short_window_tells_every_result_a_long_one_what_changed():
    assert Question(from_us=0, to_us=600 * SECOND_US).showing == "all"
    assert Question(from_us=0, to_us=601 * SECOND_US).showing == "changes"
    assert Question(incident=1).asked().only == "changes"
