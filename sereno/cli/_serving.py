"""The page in the collector's process: its listener, TLS, who may come in, and the first administrator's link."""

import asyncio
import os
import socket
import ssl
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sereno.errors import UsageError
from sereno.listen import Listen, refuse_unguarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboards.web.accounts import Access
    from sereno.desk import Desk
    from sereno.store import Store

FIRST_LINK_ENV = "SERENO_FIRST_LINK"  # `sereno up` prints the first administrator's link, wherever its output goes


def bound(listen: Listen) -> socket.socket:
    """The socket of the page; UsageError when it cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((listen.host, listen.port))
    except OSError as error:
        listener.close()
        raise UsageError(f"--http {listen.host}:{listen.port}: {error.strerror}; choose another port") from None
    return listener


def refuse_strangers(store: "Store", listen: Listen, where: str) -> None:
    """UsageError where the listener is open to others and no administrator can log in."""
    from sereno.accounts.users import any_admin

    with store.read() as connection:
        refuse_unguarded(listen, any_admin(connection), where)


def access_of(desk: "Desk | None", listen: Listen) -> "Access":
    """Who may come in: as `desk.yaml` says under `web:`."""
    from dashboards.web.accounts import Access, provider_of
    from sereno.accounts.sessions import Lives
    from sereno.desk.web import Web

    web = desk.web if desk is not None else Web()
    return Access(
        loopback=listen.private, anonymous=web.anonymous == "viewer",
        lives=Lives(idle_us=web.sessions.idle_us, longest_us=web.sessions.longest_us), provider=provider_of(web.oidc),
    )  # fmt: skip


def at_least_tls_1_2(_config: object, make: "Callable[[], ssl.SSLContext]") -> ssl.SSLContext:
    """The library's own context, without the versions that RFC 8996 put away, whatever the system allows."""
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def serve(web: Any, listen: Listen, listener: socket.socket) -> None:
    """The page, in this process's loop; signals stay ours."""
    import uvicorn

    class Server(uvicorn.Server):
        def capture_signals(self) -> Any:
            return nullcontext()

    config = uvicorn.Config(
        web, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on", server_header=False,
        proxy_headers=bool(listen.proxies), forwarded_allow_ips=list(listen.proxies),
        ssl_certfile=listen.certificate, ssl_keyfile=listen.key,
        ssl_context_factory=at_least_tls_1_2 if listen.certificate is not None else None,
    )  # fmt: skip
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


def tell_first(store: "Store", page: str, now_us: int, where: str) -> None:
    """While no administrator can log in: a one-time link, by `sereno up` or on a terminal; else the command for one.

    The link goes to no log and no file of ours.
    """
    from sereno.accounts.invitations import invite_first
    from sereno.accounts.users import any_admin
    from sereno.notify import tell

    with store.read() as connection:
        if any_admin(connection):
            return
    if not _is_read():
        tell("note", f"there is no administrator yet; make one with: sereno users invite --role admin {where}")
        return
    with store.write() as connection:
        token = invite_first(connection, now_us)
    if token is not None:
        tell("note", f"administrator: {page}/invite/{token} (there is none yet; works once, for an hour)")


def whose(folder: Path | None) -> str:
    """How a command names the same accounts."""
    return f"--data {folder}" if folder is not None else "--database URL"


def _is_read() -> bool:
    """Whether what is told goes to a person, and not into a log."""
    from sereno.notify import FD_ENV

    return os.environ.get(FIRST_LINK_ENV) == "1" if FD_ENV in os.environ else sys.stderr.isatty()
