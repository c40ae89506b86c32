"""Digest against the standards' own examples (RFC 7616 section 3.9, RFC 2617 section 3.5) and hostile challenges."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.sip.digest import Challenge, Credentials, Nonces, authorization, challenges
from probes.sip.message import parse_reply

MUFASA = Credentials("Mufasa", "Circle of Life")
CHALLENGE_7616 = {
    "header": "Authorization",
    "realm": "http-auth@example.org",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    "qop": "auth",
}
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def answered(line: str) -> dict[str, str]:
    return {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', line)}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm, response):
    challenge = Challenge(**CHALLENGE_7616, algorithm=algorithm)
    line = authorization(challenge, MUFASA, method="GET", uri="/dir/index.html", cnonce=CNONCE)
    said = answered(line)
    assert line.startswith("Authorization: Digest ")
    assert said["response"] == response
    assert (said["nc"], said["qop"], said["opaque"]) == ("00000001", "auth", CHALLENGE_7616["opaque"])
    assert said["algorithm"] == algorithm


def test_without_qop_as_rfc_2069_had_it():
    """RFC 2069's published example is known to be wrong; this is its arithmetic by hand (errata 749)."""
    challenge = Challenge(
        header="Authorization", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"
    )
    who = Credentials("Mufasa", "CircleOfLife")
    said = answered(authorization(challenge, who, method="GET", uri="/dir/index.html"))
    assert said["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert "cnonce" not in said
    assert "nc" not in said


def test_sha_512_256_and_sess_are_answered():
    for algorithm, length in (("SHA-512-256", 64), ("MD5-SESS", 32), ("SHA-256-SESS", 64)):
        line = authorization(Challenge(**CHALLENGE_7616, algorithm=algorithm), MUFASA, method="OPTIONS", uri="sip:x")
        said = answered(line)
        assert len(said["response"]) == length
        assert said["algorithm"] == algorithm.replace("SESS", "sess")
        assert said["cnonce"]


def reply(*headers: str, code: int = 401):
    text = (
        f"SIP/2.0 {code} No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
        "Call-ID: x\r\nCSeq: 1 OPTIONS\r\n" + "".join(f"{header}\r\n" for header in headers) + "\r\n"
    )
    return parse_reply(text.encode())


def test_challenges_topmost_first_and_only_those_that_can_be_answered():
    found = challenges(
        reply(
            'WWW-Authenticate: Digest realm="r", nonce="1", algorithm=AKAv1-MD5',
            'WWW-Authenticate: Digest realm="r", nonce="2", algorithm=sha-256, qop="auth,auth-int", stale=TRUE',
            'WWW-Authenticate: Basic realm="r"',
            'WWW-Authenticate: Digest realm="r", nonce="3", qop="auth-int"',
            'WWW-Authenticate: Digest realm="a \\"b\\"", nonce="4", opaque=""',
            'WWW-Authenticate: Digest realm="r", nonce=""',
            'Proxy-Authenticate: Digest realm="r", nonce="5"',
        )
    )
    assert [(c.nonce, c.algorithm, c.qop, c.stale) for c in found] == [
        ("2", "SHA-256", "auth", True), ("4", "MD5", None, False),
    ]  # fmt: skip
    assert found[1].realm == 'a "b"'
    (proxy,) = challenges(reply('Proxy-Authenticate: Digest realm="r", nonce="5"', code=407))
    assert proxy.header == "Proxy-Authorization"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=120))
def test_any_challenge_is_answered_on_one_line_or_not_at_all(text):
    for challenge in challenges(reply(f'WWW-Authenticate: Digest realm="r", nonce="n", {text}')):
        line = authorization(challenge, MUFASA, method="OPTIONS", uri="sip:x")
        assert "\r" not in line
        assert "\n" not in line
        assert "Circle of Life" not in line


def test_a_nonce_is_used_again_with_its_count():
    nonces, place = Nonces(), ("sip:x", "core-a", "options")
    assert nonces.next(place) is None
    challenge = Challenge(header="Authorization", realm="r", nonce="n")
    nonces.keep(place, challenge)
    assert [nonces.next(place)[1] for _ in range(3)] == [2, 3, 4]
    nonces.forget(place)
    assert nonces.next(place) is None


def test_credentials_do_not_show_their_password():
    assert "Circle" not in repr(MUFASA)
