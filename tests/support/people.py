"""Accounts for tests, and browsers that are logged in with them."""

import time
from functools import cache

import httpx

from sereno.accounts import Act, passwords, secret, sessions, users

PASSWORD = "tres palabras largas"


def now_us():
    return time.time_ns() // 1_000


def act(who="test", at_us=None, how="cli", address=None):
    return Act(who=who, how=how, at_us=now_us() if at_us is None else at_us, address=address)


@cache
def hashed(password=PASSWORD):
    return passwords.hashed(password)


def account(store, name, role="operator", customers=(), at_us=None, password=PASSWORD):
    with store.write() as connection:
        return users.add_user(
            connection, act(at_us=at_us), name, role, customers=customers, password=hashed(password)
        )  # fmt: skip


def cookie(store, name, at_us=None):
    """The session cookie of one who logged in just now."""
    with store.write() as connection:
        user = users.needed(connection, name)
        return sessions.begin(connection, act(name, at_us, "web"), user, agent="test", lives=sessions.Lives())


class Browser(httpx.Client):
    """Follows no redirects by itself; `key` is what its forms carry."""

    def __init__(self, url, session=None, **options):
        options.setdefault("verify", False)
        super().__init__(base_url=url, follow_redirects=False, timeout=20, **options)
        self.prefix = "__Host-" if url.startswith("https") else ""
        if session is not None:
            self.cookies.set(f"{self.prefix}sereno_session", session, domain="127.0.0.1", path="/")

    def kept(self, name):
        """What a cookie of this house says."""
        return next((one.value for one in self.cookies.jar if one.name == f"{self.prefix}sereno_{name}"), None)

    @property
    def key(self):
        return secret.form_key(self.kept("session") or self.kept("form") or "")

    def send_form(self, path, **fields):
        return self.post(path, data={"csrf": self.key, **fields}, headers={"sec-fetch-site": "same-origin"})

    def login(self, name, password=PASSWORD, **fields):
        self.get("/login")
        return self.send_form("/login", name=name, password=password, **fields)


class Browsers:
    """Opens browsers at a server, and closes them all at the end of a test."""

    def __init__(self, url):
        self.url, self.opened = url, []

    def __enter__(self):
        return self

    def __call__(self, session=None, **options):
        self.opened.append(Browser(self.url, session, **options))
        return self.opened[-1]

    def __exit__(self, *_):
        for each in self.opened:
            each.close()


def eventually(condition, what, seconds=10.0):
    """Waits for what another thread brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: did not happen"
        time.sleep(0.01)
