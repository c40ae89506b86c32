"""Sessions, links and the rate limit against a model of a few lines, under a clock that jumps as it likes."""

from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sereno.accounts import ROLES, AccountError, Act, invitations, limits, sessions, users
from sereno.accounts.limits import BY_ADDRESS, BY_NAME, WINDOW_US, Limit
from sereno.clock import SECOND_US
from sereno.store import open_store

NAMES = ("ana", "luis", "eva")
ADDRESSES = ("192.0.2.1", "2001:db8::1")
LIVES = sessions.Lives(idle_us=3_600 * SECOND_US, longest_us=8 * 3_600 * SECOND_US)
START_US = 1_795_219_200_000_000
JUMPS = st.sampled_from([1, 59, 61, 1_799, 3_599, 3_600, 3_601, 28_799, 28_801, 86_399, 86_401, 604_801])


OPENED = []


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory):
    OPENED.append(open_store(tmp_path_factory.mktemp("accounts")))
    yield
    OPENED.pop().dispose()


class Undo(Exception):  # noqa: N818 - no fault
    pass


@contextmanager
def undone():
    """A transaction of the one store that leaves nothing."""
    with suppress(Undo), OPENED[0].write() as connection:
        yield connection
        raise Undo


class Accounts(RuleBasedStateMachine):
    """All of an example is one transaction, undone at its end."""

    @initialize()
    def begin(self):
        self.context = undone()
        self.c = self.context.__enter__()
        self.now = START_US
        self.people = {}  # name → [version, role, disabled, has a password]
        self.inside = {}  # digest → [name, version, created, seen]
        self.links = {}  # text → [user or None, role, expires, first, used]
        self.add("ana", "admin")

    def teardown(self):
        if hasattr(self, "context"):
            self.context.__exit__(None, None, None)

    def act(self, who="test"):
        return Act(who=who, how="web", at_us=self.now, address=ADDRESSES[0])

    def admins(self, but=None):
        return [n for n, (_, role, off, has) in self.people.items() if role == "admin" and not off and has and n != but]

    @rule(seconds=JUMPS)
    def time_passes(self, seconds):
        self.now += seconds * SECOND_US

    def add(self, name, role):
        users.add_user(self.c, self.act(), name, role, customers=["acme"], password="h")
        self.people[name] = [1, role, False, True]

    @rule(name=st.sampled_from(NAMES), role=st.sampled_from(ROLES))
    def somebody_new(self, name, role):
        if name in self.people:
            with pytest.raises(AccountError, match="already"):
                self.add(name, role)
        else:
            self.add(name, role)

    @precondition(lambda self: self.people)
    @rule(data=st.data(), role=st.sampled_from(ROLES))
    def another_role(self, data, role):
        name = data.draw(st.sampled_from(sorted(self.people)))
        person = self.people[name]
        if person[1] == "admin" and role != "admin" and not person[2] and person[3] and not self.admins(but=name):
            with pytest.raises(AccountError, match="only administrator"):
                users.set_role(self.c, self.act(), name, role, ["acme"])
            return
        users.set_role(self.c, self.act(), name, role, ["acme"])
        if person[1] != role:
            person[0], person[1] = person[0] + 1, role

    @rule(data=st.data())
    def disabled(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        person = self.people[name]
        if person[1] == "admin" and not person[2] and person[3] and not self.admins(but=name):
            with pytest.raises(AccountError, match="only administrator"):
                users.disable(self.c, self.act(), name)
            return
        users.disable(self.c, self.act(), name)
        if not person[2]:
            person[0], person[2] = person[0] + 1, True

    @rule(data=st.data())
    def enabled(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        users.enable(self.c, self.act(), name)
        if self.people[name][2]:
            self.people[name][0] += 1
            self.people[name][2] = False

    @rule(data=st.data())
    def another_password(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        users.set_password(self.c, self.act(), name, "other")
        self.people[name][0] += 1
        self.people[name][3] = True

    # -- sessions ------------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def logs_in(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        user = users.needed(self.c, name)
        made = sessions.begin(self.c, self.act(name), user, agent="x", lives=LIVES)
        self.inside[sessions.secret.digest(made)] = [name, user.version, self.now, self.now]

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def is_there(self, data):
        digest = data.draw(st.sampled_from(list(self.inside)))
        if self.holds(digest):
            sessions.touch(self.c, [digest], self.now)
            self.inside[digest][3] = self.now

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def logs_out(self, data, name):
        digest = data.draw(st.sampled_from(list(self.inside)))
        owner = self.inside[digest][0]
        gone = sessions.end(self.c, self.act(name), name, digest)
        assert not gone or owner == name  # nobody ends another's
        if owner == name:
            del self.inside[digest]

    @rule(data=st.data())
    def logs_out_everywhere(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        own = [digest for digest, each in self.inside.items() if each[0] == name]
        but = data.draw(st.sampled_from([*own, ""]))
        sessions.end_others(self.c, self.act(name), name, but=but)
        self.inside = {d: each for d, each in self.inside.items() if each[0] != name or d == but}

    def holds(self, digest):
        name, version, created, seen = self.inside[digest]
        person = self.people[name]
        return (
            version == person[0] and not person[2] and self.now < created + LIVES.longest_us
            and self.now < seen + LIVES.idle_us
        )  # fmt: skip

    # -- links ---------------------------------------------------------------------------------------------------------

    @rule(role=st.sampled_from(ROLES))
    def invited(self, role):
        text = invitations.invite(self.c, self.act(), role, customers=["acme"])
        self.links[text] = [None, role, self.now + invitations.LIFE_US, False, False]

    @rule()
    def first_run(self):
        text = invitations.invite_first(self.c, self.now)
        assert (text is None) == bool(self.admins())
        if text is not None:
            for each in self.links.values():
                each[4] = each[4] or each[3]  # the newest alone works
            self.links[text] = [None, "admin", self.now + invitations.FIRST_LIFE_US, True, False]

    @rule(data=st.data())
    def forgot_password(self, data):
        name = data.draw(st.sampled_from(sorted(self.people)))
        if self.people[name][2]:
            with pytest.raises(AccountError, match="disabled"):
                invitations.reset(self.c, self.act(), name)
            return
        text = invitations.reset(self.c, self.act(), name)
        for each in self.links.values():
            each[4] = each[4] or each[0] == name  # the newest alone works
        self.links[text] = [name, self.people[name][1], self.now + invitations.RESET_LIFE_US, False, False]

    @precondition(lambda self: self.links)
    @rule(data=st.data(), chosen=st.sampled_from(NAMES))
    def link_is_used(self, data, chosen):
        text = data.draw(st.sampled_from(list(self.links)))
        user, role, _, _, _ = self.links[text]
        if not self.opens(text):
            with pytest.raises(AccountError, match="this link"):
                invitations.redeem(self.c, text, chosen, "h", self.now)
            return
        assert invitations.opened(self.c, text, self.now).role == role
        if user is None and chosen in self.people:
            with pytest.raises(AccountError, match="already"), self.c.begin_nested():
                invitations.redeem(self.c, text, chosen, "h", self.now)
            return
        made = invitations.redeem(self.c, text, chosen, "h", self.now)
        assert made.name == (user or chosen)
        self.links[text][4] = True
        if user is None:
            assert made.role == role
            self.people[chosen] = [1, role, False, True]
        else:
            self.people[user][0] += 1
            self.people[user][3] = True
            for each in self.links.values():
                each[4] = each[4] or each[0] == user

    def opens(self, text):
        user, _, expires, first, used = self.links[text]
        return (
            not used and self.now < expires and not (first and self.admins())
            and not (user is not None and self.people[user][2])
        )  # fmt: skip

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def store_and_model_agree(self):
        if not hasattr(self, "c"):
            return
        held = sessions.entries(self.c, list(self.inside), self.now, LIVES)
        assert set(held) == {digest for digest in self.inside if self.holds(digest)}
        assert all(held[digest].user.name == self.inside[digest][0] for digest in held)
        for text in self.links:
            try:
                invitations.opened(self.c, text, self.now)
            except AccountError:
                assert not self.opens(text)
            else:
                assert self.opens(text)
        found = {one.name: (one.version, one.role, one.disabled_us is not None) for one in users.every_user(self.c)}
        assert found == {name: (version, role, off) for name, (version, role, off, _) in self.people.items()}
        assert users.any_admin(self.c) == bool(self.admins())


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


@given(
    st.lists(st.integers(START_US - 2 * WINDOW_US, START_US + WINDOW_US), max_size=60),
    st.builds(Limit, st.integers(1, 30), st.integers(SECOND_US, 120 * SECOND_US)),
)
def test_a_pause_is_never_longer_than_the_longest_whatever_the_clocks_say(failures, limit):
    assert 0 <= limits.pause_us(failures, START_US, limit) <= limit.longest_us


@given(st.lists(st.tuples(st.integers(0, 5_000_000), st.sampled_from(ADDRESSES)), min_size=40, max_size=120))
@settings(max_examples=15, deadline=None)
def test_who_guesses_gets_few_guesses_and_the_owner_still_comes_in(attempts):
    """However fast somebody guesses from elsewhere: few guesses pass, none locks the owner out where she works."""
    now, passed = START_US, 0
    with undone() as c:
        users.add_user(c, Act(who="t", how="cli", at_us=now), "ana", "operator", password="h")
        user = users.needed(c, "ana")
        home = Act(who="ana", how="web", at_us=now, address="198.51.100.7")
        sessions.begin(c, home, user, agent=None, lives=LIVES)
        for gap_us, address in attempts:
            now += gap_us
            row, wait_us = limits.begin_attempt(c, "ana", address, now)
            assert (row == 0) == (wait_us > 0)
            passed += row != 0
        assert passed <= BY_NAME.free + 6 + (now - START_US) / BY_NAME.longest_us
        assert limits.begin_attempt(c, "ana", "198.51.100.7", now)[1] == 0  # known: it is hers
        limits.succeeded(c, "ana", "198.51.100.7")
        assert limits.begin_attempt(c, "ana", "203.0.113.9", now)[1] <= BY_NAME.longest_us  # slow, never locked


def test_what_was_waited_for_is_given_and_many_names_from_one_address_are_slowed():
    now = START_US
    with undone() as c:
        for number in range(BY_ADDRESS.free):
            assert limits.begin_attempt(c, f"nobody{number}", "2001:db8:1:2::1", now)[1] == 0
        _, wait_us = limits.begin_attempt(c, "another", "2001:db8:1:2:ffff::9", now)  # the same household
        assert 0 < wait_us <= BY_ADDRESS.longest_us
        assert limits.begin_attempt(c, "another", "2001:db8:1:3::1", now)[1] == 0
        assert limits.begin_attempt(c, "another", "2001:db8:1:2::1", now + wait_us)[1] == 0
        kept = [row.user for row in c.execute(limits.login_failures.select())]
        assert not any("nobody" in name or "another" in name for name in kept)  # passwords are typed there, too
