"""How schemas are shown on the API's page: filters of its template."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

_SHORT = 60


def form(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(form(each) for each in schema["anyOf"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {form(schema.get('items', {}))}"
    bounds = [f"{sign} {schema[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema]
    if "maxLength" in schema:
        bounds.append(f"≤ {schema['maxLength']} characters")
    pattern = str(schema.get("pattern", ""))
    if pattern and len(pattern) <= _SHORT:
        bounds.append(pattern)
    if schema.get("examples"):
        bounds.append(f"such as {schema['examples'][0]}")
    return f"{kind} {', '.join(bounds)}".strip()


def fields(schema: Mapping[str, Any], document: Mapping[str, Any], *, asked: bool = False) -> Markup:
    """An object's fields as a list; what it refers to is named."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    if "properties" not in found:
        return Markup("<code>{}</code>").format(form(found))
    needed = set(found.get("required", ()))
    rows = [
        Markup("<li><code>{}</code>{}: {}{}</li>").format(
            key,
            " (needed)" if key in needed and asked else "",
            form(one),
            f". {one['description']}" if "description" in one else "",
        )
        for key, one in found["properties"].items()
    ]
    about = re.sub(r"\s+", " ", str(found.get("description", "")))
    return Markup("<p><b>{}</b> {}</p><ul>{}</ul>").format(name, about, Markup("").join(rows))


FILTERS: dict[str, Callable[..., Any]] = {"form": form, "fields": fields}
__all__ = ["FILTERS", "fields", "form"]
