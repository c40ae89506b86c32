"""Serves what is declared: who asks, how fast, what was said, then the handler; every answer in one form."""

import base64
import hashlib
import logging
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dashboards.web.access import address_of
from dashboards.web.api import reading
from dashboards.web.api.caller import Caller, Gate, refuse_unless
from dashboards.web.api.limits import Buckets, Workers
from dashboards.web.api.once import Once
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.refusal import Refused
from sereno.accounts import AccountError
from sereno.errors import SerenoError, StoreError, UsageError

_log = logging.getLogger("sereno.web")
_JSON = "application/json"
_encode = msgspec.json.Encoder(order="deterministic").encode


class Endpoint:
    """Every operation of one path; plain ASGI, so that each method comes here."""

    permission = "api"  # asked of the caller, operation by operation

    def __init__(
        self, operations: Mapping[str, Operation], gate: Gate, buckets: Buckets, workers: Workers, kept: Once
    ) -> None:
        self._operations, self._gate, self._buckets, self._workers = operations, gate, buckets, workers
        self._kept = kept
        methods = [*operations, *(["HEAD"] if "GET" in operations else []), "OPTIONS"]
        self._allow = ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await self._answered(request)
        except Refused as error:
            answer = error.answer()
        except HTTPException as error:  # from what pages share
            answer = Refused(error.status_code, error.detail, **dict(error.headers or {})).answer()
        except StoreError as error:
            answer = Refused(503, str(error), retry_after="5").answer()
        except (UsageError, AccountError) as error:  # well formed, and cannot be
            answer = Refused(409, str(error)).answer()
        except SerenoError as error:
            answer = Refused(409, str(error)).answer()
        except Exception:  # noqa: BLE001 - it is logged whole, and the caller is told in the form of every refusal
            _log.exception("the API failed at %s", scope["path"])
            answer = Refused(500, "this failed; the reason is in the collector's log").answer()
        await answer(scope, receive, send)

    async def _answered(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if not self._gate.exists(request):
            raise Refused(404, "there is nothing here")
        if method == "OPTIONS":
            return Response(status_code=204, headers={"allow": self._allow})
        operation = self._operations.get(method)
        if operation is None:
            raise Refused(405, f"{method[:20]} is not done here; there is {self._allow}", allow=self._allow)
        caller = self._caller(request)
        self._buckets.take(caller.key)
        refuse_unless(caller, operation.needs)
        if caller.customers is not None and not operation.limited:
            raise Refused(403, "this is of the whole platform, and the caller sees some customers only")
        _refuse_other_than_json(operation, request)
        call = Call(
            request, caller, reading.in_path(operation, request), reading.in_query(operation, request),
            await reading.in_body(operation, request),
        )  # fmt: skip
        if operation.heavy:
            async with self._workers.turn(caller.key):
                return _response(operation, request, await operation.handler(call))
        if operation.method == "POST" and not operation.is_order and "idempotency-key" in request.headers:
            return await self._once(operation, call)
        return _response(operation, request, await operation.handler(call))

    async def _once(self, operation: Operation, call: Call) -> Response:
        """As it was answered before under this key; else what is answered now, and kept for the next time."""
        asked = call.body if isinstance(call.body, bytes) else _encode(call.body)
        said = (call.caller.key, operation.name, call.request.url.path, call.request.headers["idempotency-key"])
        known = self._kept.again("\n".join(said), asked)
        if known is not None:
            return Response(known.raw, status_code=known.status, headers=known.headers, media_type=_JSON)
        made = _response(operation, call.request, await operation.handler(call))
        self._kept.keep("\n".join(said), asked, made.status_code, bytes(made.body), dict(made.headers))
        return made

    def _caller(self, request: Request) -> Caller:
        try:
            return self._gate.caller(request)
        except Refused as error:
            if error.status == 401:  # noqa: PLR2004
                self._buckets.take(f"refused/{address_of(request)}")
            raise


def _refuse_other_than_json(operation: Operation, request: Request) -> None:
    """406 where the caller takes nothing that this gives (RFC 9110, section 12.5.1)."""
    accept = request.headers.get("accept")
    if accept is None or not accept.strip():
        return
    gives = (_JSON, *operation.files)
    for each in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in each.split(";"))
        if any(part.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for part in parameters):
            continue
        if kind == "*/*" or any(kind in {one, one.partition("/")[0] + "/*"} for one in gives):
            return
    raise Refused(406, f"this gives {' or '.join(gives)}")


def _response(operation: Operation, request: Request, answer: Answer) -> Response:
    if answer.whole is not None:
        answer.whole.headers.setdefault("cache-control", "no-store")
        return answer.whole
    raw = answer.raw if answer.raw is not None else _encode(answer.found)
    headers = {"cache-control": "no-store", **answer.headers}
    if answer.following is not None:
        url = request.url.include_query_params(cursor=answer.following)
        headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
    if operation.method == "GET":
        tag = _tag(raw if answer.tag is None else _encode([answer.tag, answer.following]))
        headers |= {"cache-control": "no-cache, private", "etag": tag, "vary": "Authorization, Cookie"}
        if _matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
    return Response(raw, status_code=operation.status, headers=headers, media_type=_JSON)


def _tag(raw: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()[:12]).decode()
    return f'W/"{digest}"'


def _matches(asked: str, tag: str) -> bool:
    """RFC 9110, section 13.1.2: by weak comparison."""
    wanted = [each.strip().removeprefix("W/") for each in asked.split(",")]
    return tag.removeprefix("W/") in wanted or asked.strip() == "*"
