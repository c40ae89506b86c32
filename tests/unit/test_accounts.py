"""Names, passwords, secrets, where one goes after logging in; the table of roles as the documents tell it."""

import re
from pathlib import Path

import argon2
import pytest

from dashboards.web.access import safe_next
from sereno.accounts import MAY, MEANS, ROLES, SCOPES, AccountError, passwords, secret
from sereno.accounts.names import checked_name, checked_password

DOCS = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "kept"), [("Ana", "ana"), (" ana.rojas ", "ana.rojas"), ("ＡＮＡ", "ana"), ("ana@acme.example",) * 2]
)  # fmt: skip
def test_a_name_is_one_however_it_is_typed(typed, kept):
    assert checked_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "Sereno", "api", "a b", ".ana", "añil", "a" * 65, "<b>", "a\nb", "../x", "аna"])
def test_what_no_account_is_called(typed):
    with pytest.raises(AccountError) as caught:
        checked_name(typed)
    assert caught.value.fault == "name"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("once letras", "short"), ("x" * 257, "long"), ("anaanaanaana", "own"), ("ana.rojas1234", "own"),
        ("abababababab", "plain"),
    ],
)  # fmt: skip
def test_a_password_that_is_easy_is_refused_and_never_repeated(typed, fault):
    with pytest.raises(AccountError) as caught:
        checked_password(typed, "ana.rojas" if "rojas" in typed else "ana")
    assert caught.value.fault == fault
    assert typed not in str(caught.value)


def test_a_password_is_the_same_on_every_keyboard():
    composed, apart = "contrase\u00f1a larga", "contrasen\u0303a larga"
    assert checked_password(composed, "ana", apart) == composed
    assert passwords.verified(passwords.hashed(apart), composed)
    assert not passwords.verified(passwords.hashed(apart), composed + "!")


def test_passwords_are_argon2id_and_are_hashed_anew_when_the_parameters_change():
    stored = passwords.hashed("tres palabras largas")
    assert stored.startswith("$argon2id$v=19$m=47104,t=2,p=1$")
    assert not passwords.outdated(stored)
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("tres palabras largas")
    assert passwords.outdated(old)
    assert passwords.verified(old, "tres palabras largas")


@pytest.mark.parametrize("stored", [None, "", "garbage", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$AAAA"])
def test_nobody_has_no_password(stored):
    assert not passwords.verified(stored, "x" * 512)
    assert not passwords.verified(stored, "")


def test_a_secret_has_256_bits_and_is_told_from_anything_else():
    made, token = secret.fresh(), secret.fresh_token()
    assert secret.is_secret(made)
    assert secret.is_token(token)
    assert not secret.is_secret(token)
    assert not secret.is_token(made)
    assert made != secret.fresh()
    assert secret.form_key(made) != secret.form_key(secret.fresh())
    assert made not in secret.form_key(made)
    for junk in ("", "x", made + "x", made[:-1], made[:-1] + "\n", "é" * 43, made + "\n"):
        assert not secret.is_secret(junk)


@pytest.mark.parametrize(
    "inside", ["/", "/incidents?state=open&x=1", "/paths/sbc-1/core-a", "/forensics?from=2026-01-01T00:00Z"]
)
def test_one_goes_where_one_wanted(inside):
    assert safe_next(inside) == inside


@pytest.mark.parametrize(
    "outside",
    [
        "", "https://evil.example/", "//evil.example", "///evil", "/\\evil.example", "\\\\evil", "javascript:alert(1)",
        "/\t/evil.example", "/x\r\nSet-Cookie: a=b", " /x", "/x y", "evil", "/login", "/logout?x", "/" + "x" * 3_000,
        "/\\/evil", "http:/evil", "/[", "\u2215evil", "/\u0000",
    ],
)  # fmt: skip
def test_one_goes_nowhere_else(outside):
    assert safe_next(outside) in {"/", "/["}


def test_the_documents_tell_the_table_of_roles():
    for role in ROLES:
        row = re.search(rf"^\| `{role}` \|(.*)\|(.*)\|$", DOCS, flags=re.MULTILINE)
        assert row is not None, role
        assert set(re.findall(r"`(\w+)`", row[1])) == MAY[role]


def test_the_documents_tell_every_scope():
    for scope in SCOPES:
        row = re.search(rf"^\| `{scope}` \|(.*)\|(.*)\|$", DOCS, flags=re.MULTILINE)
        assert row is not None, scope
        assert set(re.findall(r"`(\w+)`", row[1])) == MEANS[scope]


def test_a_manager_and_a_viewer_act_on_nothing():
    for role in ("viewer", "manager"):
        assert not MAY[role] & {"act", "maintenance", "users", "audit"}
