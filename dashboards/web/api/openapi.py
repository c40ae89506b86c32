"""The OpenAPI 3.1 document, made from the operations themselves."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from dashboards.web.api.caller import OPENLY
from dashboards.web.api.once import FORM
from dashboards.web.api.operation import Nothing, Operation
from dashboards.web.api.shape import END, Refusal
from sereno.accounts.roles import MEANS
from sereno.version import __version__

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_ABOUT = (
    "What the pages show and people do there, for programs. Times are ISO 8601 UTC with microseconds, durations are"
    " seconds, ratios lie between 0 and 1; what was not measured is null, or absent in a result. A request is refused"
    ' with `{"error": "one line"}`: 422 (of incidents: 400) says what does not have its form, 409 what has it and'
    " cannot be: a window that ends before it begins, something that the desk refuses."
)
_STATUS = {
    202: "The order is in the desk's inbox and has not been answered within five seconds.",
    304: "It is as it was (`If-None-Match`).",
    400: "The request cannot be read.",
    401: "Nobody knows who asks.",
    403: "The caller may not do this.",
    404: "There is no such thing, or it is none of the caller's business.",
    406: "The caller takes nothing that this gives.",
    408: "The body did not arrive in time.",
    409: "Well formed, and cannot be: it contradicts itself, or how things stand.",
    413: "The body is too large.",
    415: "The body is not JSON by its own word.",
    422: "A parameter or field is unknown, missing, or not of its form.",
    429: "Too many requests.",
    500: "It failed.",
    503: "Nobody can answer now: no collector is active, the database is away, or too much waits.",
}
_RETRIED = frozenset({202, 429, 503})


def document(operations: Iterable[Operation], *, open_house: bool) -> dict[str, Any]:
    """The whole document; in an open house it says what may be asked there without a token."""
    operations = list(operations)
    shapes = _shapes(operations)
    _, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.url, {})[each.method.lower()] = _operation(each, operations, open_house=open_house)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sereno", "version": __version__, "summary": "The monitor's HTTP API.", "description": _ABOUT,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {
            "schemas": _plain(components),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "Of `sereno users token add`, of an administrator, or of a client in desk.yaml.",
                },
                "client": {
                    "type": "http", "scheme": "basic",
                    "description": "A client of desk.yaml: its name, and its token as password.",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "sereno_session",
                    "description": "Who is logged in; what changes something carries X-CSRF too.",
                },
            },
        },
    }  # fmt: skip


def _shapes(operations: list[Operation]) -> list[Any]:
    found: list[Any] = [Refusal]
    for each in operations:
        found.append(each.answer)
        if (body := each.described or each.body) is not None:
            found.append(body)
    return list(dict.fromkeys(found))


def _operation(one: Operation, every: list[Operation], *, open_house: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [*_parameters(one.in_path, "path"), *_parameters(one.in_query, "query")],
        "responses": _responses(one, every),
        "security": _security(one, open_house=open_house),
    }
    if one.says:
        made["description"] = one.says
    if one.method == "POST":
        made["parameters"].append({
            "name": "Idempotency-Key", "in": "header", "required": False,
            "description": "The same key again is the same request, done once.",
            "schema": {"type": "string", "pattern": FORM.pattern},
        })  # fmt: skip
        made["requestBody"] = {"required": True, "content": {_JSON: {"schema": _schema(one.described or one.body)}}}
    return made


def _security(one: Operation, *, open_house: bool) -> list[dict[str, list[str]]]:
    wanted: list[str] = sorted({scope for scope, means in MEANS.items() if not means.isdisjoint(one.needs)})
    if "alerts" in one.needs:
        wanted = ["alerts"]
    free = open_house and (not one.needs or not OPENLY.isdisjoint(one.needs))
    found: list[dict[str, list[str]]] = [{}] if free else []
    found.append({"token": wanted})
    if not one.needs or not {"incidents", "act", "alerts"}.isdisjoint(one.needs):
        found.append({"client": []})
    return [*found, {"session": []}]


def _responses(one: Operation, every: list[Operation]) -> dict[str, Any]:
    content = {_JSON: {"schema": _schema(one.answer)}}
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in one.files}
    done: dict[str, Any] = {"description": HTTPStatus(one.status).phrase, "content": content}
    headers: dict[str, Any] = {}
    if one.paged:
        headers["Link"] = {"description": "Where the next page is (RFC 8288).", "schema": {"type": "string"}}
    if one.method == "GET" and not one.files:
        headers["ETag"] = {"required": True, "schema": {"type": "string"}}
    if headers:
        done["headers"] = headers
    if one.makes:
        done["links"] = _links(one, every)
        done["headers"] = {**headers, "Location": {"required": True, "schema": {"type": "string"}}}
    made = {str(one.status): done}
    if one.method == "GET" and not one.files:
        made["304"] = {"description": _STATUS[304]}
    for status in one.refusals:
        made[str(status)] = _refusal(status)
    return dict(sorted(made.items()))


def _links(one: Operation, every: list[Operation]) -> dict[str, Any]:
    """What can be done with what this made."""
    (name,) = {
        field.encode_name
        for each in every
        if each.path.startswith(one.path + "/{")
        for field in msgspec.structs.fields(each.in_path)
    }
    return {
        each.name: {"operationId": each.name, "parameters": {name: f"$response.body#{one.makes}"}}
        for each in every
        if each.path.startswith(f"{one.path}/{{{name}}}")
    }


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _STATUS[status], "content": {_JSON: {"schema": {"$ref": _REF.format(name="Refusal")}}},
    }  # fmt: skip
    if status in _RETRIED:
        found["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
    if status == HTTPStatus.UNAUTHORIZED:
        found["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return found


def _parameters(shape: type[msgspec.Struct], place: str) -> list[dict[str, Any]]:
    if shape is Nothing:
        return []
    _, found = msgspec.json.schema_components([shape], ref_template=_REF)
    whole = _plain(found[shape.__name__])
    needed = set(whole.get("required", ()))
    made = []
    for name, schema in whole["properties"].items():
        one = {"name": name, "in": place, "required": place == "path" or name in needed, "schema": schema}
        if "description" in schema:
            one["description"] = schema.pop("description")
        if schema.get("type") == "array":
            one |= {"style": "form", "explode": True}
        made.append(one)
    return made


def _schema(shape: Any) -> dict[str, Any]:
    (found,), _ = msgspec.json.schema_components([shape], ref_template=_REF)
    made: dict[str, Any] = _plain(found)
    return made


def _plain(schema: Any) -> Any:
    """Tuples as lists, so that the document is plain JSON; patterns end as everybody else's do."""
    if isinstance(schema, dict):
        return {
            key: value.removesuffix(END) + "$" if key == "pattern" and str(value).endswith(END) else _plain(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list | tuple):
        return [_plain(each) for each in schema]
    return msgspec.to_builtins(schema)
