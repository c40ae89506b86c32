"""What the API can do, declared: routes and the OpenAPI document are both made from these, so they cannot differ."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dashboards.web.api.caller import Caller, Need

PREFIX = "/api/v1"
Method = Literal["GET", "POST"]


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class Call(NamedTuple):
    """One request, read and allowed. `query`, `path` and `body` are of the types that are declared."""

    request: Request
    caller: Caller
    path: Any
    query: Any
    body: Any


class Answer(NamedTuple):
    """What a handler gives: the JSON (`found`, or `raw` where it is encoded already), and where the rest is.

    `following` is the cursor of the next page. `tag` stands for the answer where part of it (the instant) always
    differs; None: the whole answer counts.
    """

    found: Any = None
    raw: bytes | None = None
    following: str | None = None
    headers: Mapping[str, str] = {}
    tag: Any = None
    whole: Response | None = None  # an answer that is no JSON: a file


Handler = Callable[[Call], Awaitable[Answer]]


class Operation(NamedTuple):
    """One thing that can be asked. `needs`: any of these permissions; none: whoever may use the API at all."""

    method: Method
    path: str  # without the prefix
    name: str
    summary: str
    tag: str
    needs: tuple[Need, ...]
    handler: Handler
    answer: type
    says: str = ""  # more than the summary
    in_path: type[msgspec.Struct] = Nothing
    in_query: type[msgspec.Struct] = Nothing
    body: Any = None  # `bytes`: as it came, described by `described`
    described: Any = None
    limited: bool = False  # also for who sees some customers only; the handler keeps to these
    status: int = 200
    malformed: int = HTTPStatus.UNPROCESSABLE_ENTITY  # what does not fit its shape
    may_be: tuple[int, ...] = ()  # refusals of its own, beside those that every operation has
    most_bytes: int = 1024 * 1024
    heavy: bool = False  # reads much: few at once
    files: tuple[str, ...] = ()  # content types other than JSON that it may answer with
    paged: bool = False
    makes: str = ""  # where in the answer the new thing's name is (RFC 6901)

    @property
    def url(self) -> str:
        return PREFIX + self.path

    @property
    def is_order(self) -> bool:
        """Whether the desk does it: then the same Idempotency-Key is the same order."""
        return 202 in self.may_be  # noqa: PLR2004

    @property
    def refusals(self) -> tuple[int, ...]:
        """Every status that it may refuse with."""
        found = {401, 403, 406, 422, 429, 500, 503, *self.may_be}
        if self.in_path is not Nothing:
            found |= {404}
        if self.method == "POST":
            found |= {400, 408, 409, 413, 415, int(self.malformed)}
        return tuple(sorted(found))
