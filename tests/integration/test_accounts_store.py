"""Accounts in both databases: what is done and what is told of it is one; the audit log only grows."""

import threading

import pytest
from people import act, hashed
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DatabaseError

from sereno.accounts import AccountError, invitations, limits, sessions, tokens, users
from sereno.accounts.log import Asked, every_line, lines, people
from sereno.clock import SECOND_US
from sereno.errors import StoreError
from sereno.store.commands import Outcome, finish, submit
from sereno.store.tables import api_tokens, audit, commands
from sereno.store.tables import invitations as links
from sereno.store.tables import sessions as browsers

T0 = 1_795_219_200_000_000


@pytest.mark.parametrize("statement", [update(audit).values(who="nobody"), delete(audit), text("DELETE FROM audit")])
def test_the_database_refuses_to_change_the_log(any_store, statement):
    with any_store.write() as connection:
        users.add_user(connection, act("root", T0), "ana", "admin")
    with pytest.raises((StoreError, DatabaseError), match="append only"), any_store.write() as connection:
        connection.execute(statement)
    with any_store.read() as connection:
        assert [(line.who, line.what, line.about) for line in lines(connection, Asked(), 9)] == [
            ("root", "user.add", "ana admin")
        ]


def test_one_order_of_time_paged_without_a_gap_or_a_double(any_store):
    for number in range(7):
        with any_store.write() as connection:  # every second one at the same instant as an order to the desk
            users.set_locale(connection, act("ana", T0 + number // 2), users.add_user(
                connection, act("ana", T0 + number // 2), f"u{number}", "viewer").name, f"en_{number:02d}")  # fmt: skip
        order = submit(any_store, "incident.ack", {"number": number, "note": "x"}, "luis", key=f"page/{number}")
        with any_store.write() as connection:
            connection.execute(update(commands).where(commands.c.id == order).values(at_us=T0 + number // 2))
            if number % 3:
                state = "done" if number % 3 == 1 else "refused"
                finish(connection, order, Outcome(state=state, text="dicho"), T0)
    with any_store.read() as connection:
        whole = list(every_line(connection, Asked()))
        paged, after = [], ""
        while piece := lines(connection, Asked(), 3, after):
            paged += piece
            after = piece[-1].place
        assert paged == whole
        assert len({(line.source, line.id) for line in whole}) == 21
        assert [line.at_us for line in whole] == sorted((line.at_us for line in whole), reverse=True)
        assert people(connection) == ["ana", "luis", *(f"u{number}" for number in range(7))]
        desk = lines(connection, Asked(who="luis", what="incident."), 50)
        assert {(line.what, line.outcome) for line in desk} == {
            ("incident.ack", "pending"), ("incident.ack", "done"), ("incident.ack", "refused")
        }  # fmt: skip
        assert [line.about for line in desk][:2] == ["number=6", "number=5"]
        assert lines(connection, Asked(what="incident.%"), 50) == []
        window = lines(connection, Asked(from_us=T0 + 1, to_us=T0 + 2), 50)
        assert {line.at_us for line in window} == {T0 + 1}
        assert lines(connection, Asked(), 3, "garbage.x.y") == whole[:3]


def test_nothing_secret_lies_in_the_store(any_store):
    with any_store.write() as connection:
        user = users.add_user(connection, act("root"), "ana", "admin", password=hashed())
        secrets = [
            invitations.invite(connection, act("root"), "viewer"), invitations.reset(connection, act("root"), "ana"),
            sessions.begin(connection, act("ana"), user, agent=None, lives=sessions.Lives()),
            tokens.make_token(connection, act("ana"), "prom", ["metrics"])[1], "tres palabras largas",
        ]  # fmt: skip
        limits.begin_attempt(connection, "tres palabras largas", "192.0.2.1", T0)
    with any_store.read() as connection:
        rows = [
            str(row)
            for table in (users.users, links, browsers, api_tokens, audit, limits.login_failures)
            for row in connection.execute(table.select())
        ]
    assert len(rows) >= 6
    assert [each for each in secrets if any(each in row for row in rows)] == []


def test_of_two_who_use_one_link_one_is_refused(any_store):
    with any_store.write() as connection:
        token = invitations.invite(connection, act("root"), "operator")
    said, together = [], threading.Barrier(2)

    def use(name):
        together.wait()
        try:
            with any_store.write() as connection:
                said.append(invitations.redeem(connection, token, name, "h", act().at_us).name)
        except AccountError as error:
            said.append(error.fault)

    both = [threading.Thread(target=use, args=(name,)) for name in ("ana", "luis")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert "link" in said
    with any_store.read() as connection:
        assert len(users.every_user(connection)) == 1


def test_of_two_administrators_who_disable_each_other_one_stays(any_store):
    with any_store.write() as connection:
        for name in ("ana", "luis"):
            users.add_user(connection, act("root"), name, "admin", password="h")
    said, together = [], threading.Barrier(2)

    def disable(name):
        together.wait()
        try:
            with any_store.write() as connection:
                users.disable(connection, act(), name)
        except AccountError as error:
            said.append(error.fault)

    both = [threading.Thread(target=disable, args=(name,)) for name in ("ana", "luis")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert said == ["last"]
    with any_store.read() as connection:
        assert users.any_admin(connection)


def test_a_token_opens_while_it_holds(any_store):
    with any_store.write() as connection:
        made, secret = tokens.make_token(
            connection, act("ana", T0), "bot", ["read", "incidents"], customers=["acme"], life_us=60 * SECOND_US
        )
        assert tokens.holder(connection, secret, T0 + 59 * SECOND_US) == made
        assert (made.scopes, made.customers) == (frozenset({"read", "incidents"}), ("acme",))
        assert tokens.holder(connection, secret, T0 + 60 * SECOND_US) is None
        for junk in ("", "sereno_", secret[:-1], secret + "x", made.name, "sereno_" + "é" * 43, "%" * 50):
            assert tokens.holder(connection, junk, T0) is None
        assert tokens.revoke(connection, act("ana", T0 + 1), made.id).revoked_us == T0 + 1
        assert tokens.holder(connection, secret, T0 + 2) is None
        for wrong in ([], ["boss"], ["read", ""]):
            with pytest.raises(AccountError, match=r"name one or more of read"):
                tokens.make_token(connection, act("ana"), "bot", wrong)


def test_an_account_keeps_twenty_sessions_the_oldest_goes(any_store):
    with any_store.write() as connection:
        user = users.add_user(connection, act("root", T0), "ana", "viewer", password="h")
        for number in range(22):
            sessions.begin(connection, act("ana", T0 + number), user, agent=None, lives=sessions.Lives())
        held = sessions.of_user(connection, user, T0 + 30, sessions.Lives())
    assert [each.created_us - T0 for each in held] == list(range(21, 1, -1))
