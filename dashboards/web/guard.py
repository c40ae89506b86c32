"""Around the whole application: headers of every answer, what nobody foresaw, bodies that are too much; plain ASGI."""

import asyncio
import logging
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.web import bounded

_log = logging.getLogger("sereno.web")
MOST_BYTES = 256 * 1024  # of a form; the API says its own, operation by operation
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with none at all a browser says `Origin: null` of our own forms
    "cross-origin-resource-policy": "same-origin",
}
_UNDER_TLS = {"strict-transport-security": "max-age=31536000"}
_NOT_KEPT = "no-store"  # of what says nothing of it: no page with data lies in a cache


class Stopped(Exception):  # noqa: N818 - it never leaves this file
    """The body is too much, or too slow."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status
        super().__init__(status.phrase)


class Guard:
    """Outermost but for Starlette's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(scope, message)
            await send(message)

        try:
            await self._app(scope, receive if _is_api(scope) else _Metered(scope, receive), sending)
        except Stopped as error:
            if not begun:
                await _said(scope, error.status)(scope, receive, sending)
        except ClientDisconnect:
            _log.debug("who asked for %s left", scope["path"])
        except Exception:
            if begun:
                raise
            _log.exception("the page %s failed", scope["path"])
            await _said(scope, HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, sending)


def _add_headers(scope: Scope, message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers[name] = value
    if scope["scheme"] == "https":
        headers.update(_UNDER_TLS)
    if not scope["path"].startswith("/static/"):
        headers.setdefault("cache-control", _NOT_KEPT)


def _said(scope: Scope, status: HTTPStatus) -> Response:
    """Nothing can be rendered any more: one line, in the form that whoever asks reads."""
    headers = {"connection": "close", "cache-control": _NOT_KEPT}
    if _is_api(scope):
        return JSONResponse({"error": status.phrase}, status_code=status, headers=headers)
    return PlainTextResponse(f"{status.value} {status.phrase}\n", status_code=status, headers=headers)


def _is_api(scope: Scope) -> bool:
    return bool(scope["path"].startswith("/api/"))


class _Metered:
    """What is received: the body no larger and no slower than it may be; after it, whenever the browser leaves."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        said = dict(scope["headers"]).get(b"content-length", b"0")
        self._too_much = not said.isdigit() or int(said) > MOST_BYTES
        self._size, self._whole = 0, False
        self._ends: float | None = None

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        if self._too_much:
            raise Stopped(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self._ends is None:
            self._ends = asyncio.get_running_loop().time() + bounded.BODY_SECONDS
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise Stopped(HTTPStatus.REQUEST_TIMEOUT) from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > MOST_BYTES:
            raise Stopped(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message
