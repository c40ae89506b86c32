"""Who may look: accounts exist, and nothing listens beyond loopback without them and TLS."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, warning
from sereno.doctor.patient import Patient


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """`pages`: the addresses at which collectors show it."""

    accounts: int
    administrators: int
    pages: tuple[str, ...] = ()


def look(patient: Patient) -> Exposure:
    """Counts accounts in use; reads where each collector says that its page is."""
    from sqlalchemy import func, select

    from sereno.store.collectors import presences
    from sereno.store.tables import users

    columns = users.c
    with patient.store().read() as connection:
        living = select(columns.role, func.count()).where(columns.disabled_us.is_(None)).group_by(columns.role)
        roles = {str(role): int(count) for role, count in connection.execute(living)}
        pages = {one.page for one in presences(connection) if one.page is not None}
    running = patient.instance()
    pages |= {running.url} if running is not None else set()
    return Exposure(accounts=sum(roles.values()), administrators=roles.get("admin", 0), pages=tuple(sorted(pages)))


def beyond_loopback(url: str) -> bool:
    """Whether others than this machine can reach a page."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def judge(found: Exposure) -> Iterator[Finding]:
    """On loopback an open house is a choice; beyond, it is a leak."""
    abroad = [page for page in found.pages if beyond_loopback(page)]
    for page in abroad:
        if page.startswith("http:"):
            yield broken("the page is shown beyond this machine without TLS", "--tls-cert and --tls-key, or listen on "
                         "127.0.0.1", page)  # fmt: skip
        if not found.accounts:
            yield broken("the page is open to everybody: there are no accounts", "sereno users add NAME --role admin",
                         page)  # fmt: skip
    if not found.accounts and not abroad:
        yield warning("there are no accounts: everybody on this machine may read", "open the one-time link that "
                      "`sereno up` prints, or sereno users add NAME --role admin")  # fmt: skip
    elif found.accounts and not found.administrators:
        yield warning("no account is an administrator's", "sereno users add NAME --role admin")
    elif found.accounts and not any(page.startswith("http:") for page in abroad):
        yield ok("{count} accounts", count=found.accounts)


QUESTION = Question(name="exposure", title="Accounts and listeners", look=look, judge=judge)
