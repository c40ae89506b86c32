"""What far ends send back: read, or nothing; never an exception of its own, and never a word that may not be seen."""

from hypothesis import given
from hypothesis import strategies as st

from alerting.channels.base import LONGEST_REST_SECONDS, RejectedError, RetryError, one_line
from alerting.channels.http import Answer, retry_after, settled
from alerting.channels.mail import recipients
from alerting.channels.pagerduty import _reply
from alerting.effects import Notification


@given(
    st.one_of(st.text(), st.from_regex(r"[0-9 ]{1,400}"), st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y")))
)
def test_a_retry_after_is_seconds_within_an_hour_or_nothing(value: str) -> None:
    found = retry_after(value)
    assert found is None or 0 <= found <= LONGEST_REST_SECONDS


@given(
    st.one_of(
        st.binary(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda one: repr(one).encode())
    )
)
def test_a_reply_of_pagerduty_is_read_or_is_empty(body: bytes) -> None:
    assert isinstance(_reply(body).errors, list)


@given(st.integers(100, 999))
def test_every_status_is_a_receipt_or_one_of_two_errors(status: int) -> None:
    try:
        receipt = settled(Answer(status, f"HTTP {status}", b"", None))
    except (RejectedError, RetryError):
        assert not 200 <= status < 300
    else:
        assert 200 <= status < 300
        assert receipt == f"HTTP {status}"


@given(st.text(), st.from_regex(r"[A-Za-z0-9]{4,40}", fullmatch=True))
def test_an_error_in_one_line_never_shows_the_secret(before: str, secret: str) -> None:
    line = one_line(f"{before}{secret}", secret)
    assert secret not in line
    assert len(line) <= 300
    assert line.isprintable()


@given(st.text())
def test_addresses_are_addresses_or_the_message_is_refused(address: str) -> None:
    message = Notification(
        key="k", at_us=0, incident=1, what="opened", page=False, to="ana", channel="mail", address=address,
        locale="es", subject="", body="", priority="Alta", severity=None, kind="", name="",
    )  # fmt: skip
    try:
        found = recipients(message)
    except RejectedError:
        return
    assert found
    assert all("@" in one and one.isprintable() for one in found)
