"""A token reads as what was granted, or raises TokenError and nothing else; no change to it goes unnoticed."""

import stat
import string
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.errors import ConfigError
from sereno.tokens import ACK, LIFE_US, VARIABLE, Grant, Keyring, TokenError, ack_url, key_of, keyring, keys_in

KEYS = Keyring([key_of("0123456789abcdef-first"), key_of("0123456789abcdef-second")])
NOW_US = 1_800_000_000_000_000
PEOPLE = st.text(min_size=1, max_size=40).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))


@given(st.integers(1, 10**9), PEOPLE, st.integers(1, 2**53))
def test_a_grant_reads_back_until_it_expires(number: int, person: str, life_us: int) -> None:
    grant = Grant(number, person, ACK, NOW_US + life_us)
    token = KEYS.issue(grant)
    assert KEYS.issue(grant) == token
    assert KEYS.read(token, NOW_US, number=number) == grant
    with pytest.raises(TokenError) as caught:
        KEYS.read(token, NOW_US + life_us)
    assert caught.value.fault == "expired"
    assert "\n" not in str(caught.value)


@given(st.integers(0, 10**6), st.sampled_from(string.ascii_letters + string.digits + "-_.=+/ %\x00é"))
def test_no_changed_character_is_believed(place: int, letter: str) -> None:
    token = KEYS.issue(Grant(7, "ana", ACK, NOW_US + LIFE_US))
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed == token:
        return
    with pytest.raises(TokenError) as caught:
        KEYS.read(changed, NOW_US)
    assert caught.value.fault == "forged"


@given(st.one_of(st.text(max_size=200), st.from_regex(r"\Av1\.[0-9a-f]{8}\.[\w-]{0,60}\.[\w-]{0,60}\Z")))
def test_whatever_text_is_refused_with_words(text: str) -> None:
    with pytest.raises(TokenError) as caught:
        KEYS.read(text, NOW_US)
    assert caught.value.fault == "forged"


def test_a_link_of_one_incident_or_act_opens_no_other() -> None:
    token = KEYS.issue(Grant(7, "ana", ACK, NOW_US + LIFE_US))
    for asked in ({"number": 8}, {"action": "survey"}):
        with pytest.raises(TokenError, match="incident 7") as caught:
            KEYS.read(token, NOW_US, **asked)
        assert caught.value.fault == "other"


def test_a_changed_secret_still_believes_what_the_last_one_signed() -> None:
    old, new = "a" * 20, "b" * 20
    token = keyring(old, "test").issue(Grant(7, "ana", ACK, NOW_US + LIFE_US))
    assert keyring(f"{new}\n{old}\n", "test").read(token, NOW_US).person == "ana"
    with pytest.raises(TokenError):
        keyring(new, "test").read(token, NOW_US)


def test_the_link_is_a_path_of_the_page() -> None:
    link = ack_url(KEYS, "https://noc.example/", 7, "ana", NOW_US)
    assert link.startswith("https://noc.example/ack/v1.")
    assert KEYS.read(link.rpartition("/")[2], NOW_US).expires_us == NOW_US + LIFE_US


def test_the_secret_is_made_once_for_us_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    folder = tmp_path / "data"
    grant = Grant(7, "ana", ACK, NOW_US)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(keys_in(folder).issue(grant))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in folder.iterdir()] == ["link.secret"]
    assert stat.S_IMODE((folder / "link.secret").stat().st_mode) == 0o600


def test_two_collectors_share_it_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "c" * 32)
    grant = Grant(7, "ana", ACK, NOW_US)
    assert keys_in(tmp_path / "one").issue(grant) == keys_in(tmp_path / "two").issue(grant)
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("text", ["", "short", "a" * 32 + "\nshort"])
def test_a_weak_secret_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="under 16 characters"):
        keyring(text, "desk.yaml")
