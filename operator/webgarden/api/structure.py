"""Is a schema structural, and bounded? The API server's rules in brief, plus ours.

Finds at once, without a cluster, what an API server would refuse (and some of what it would accept to our regret:
untyped lists, unbounded lists and strings). It knows the keywords that our generator can produce; a real API server
has the last word in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webgarden.api.markers import Json

_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "items", "additionalProperties", "description", "default", "enum"),
        *("format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
        *("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
        *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"),
    }
)
_LOOK_AROUND = ("(?=", "(?!", "(?<")


def violations(schema: Json, path: str = "") -> Iterator[str]:
    """Every fault as `path: what is wrong`."""
    yield from (f"{path}: {fault}" for fault in _faults(schema))
    for name, field in schema.get("properties", {}).items():
        yield from violations(field, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(key), dict):
            yield from violations(schema[key], path + suffix)


def _faults(schema: Json) -> Iterator[str]:
    yield from (f"{key} is not allowed" for key in schema if key not in _KEYWORDS)
    if "type" not in schema and not schema.get("x-kubernetes-int-or-string"):
        yield "has no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield "properties and additionalProperties exclude each other"
    if any(group in schema.get("pattern", "") for group in _LOOK_AROUND):
        yield "RE2 has no look-around"
    yield from (f"{name} is required but not declared" for name in _undeclared(schema))
    yield from _list_faults(schema)
    yield from _bound_faults(schema)


def _undeclared(schema: Json) -> list[str]:
    return [name for name in schema.get("required", ()) if name not in schema.get("properties", {})]


def _list_faults(schema: Json) -> Iterator[str]:
    if schema.get("type") != "array":
        return
    if "x-kubernetes-list-type" not in schema:
        yield "list without a type"
    if "maxItems" not in schema:
        yield "list without maxItems"
    item: Any = schema.get("items", {})
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        if key not in item.get("required", ()) and "default" not in item.get("properties", {}).get(key, {}):
            yield f"key {key} is neither required nor has a default"


def _bound_faults(schema: Json) -> Iterator[str]:
    bounded = {"maxLength", "enum", "format"} & schema.keys()
    if schema.get("type") == "string" and not bounded:
        yield "string without maxLength"
    if "additionalProperties" in schema and "maxProperties" not in schema:
        yield "map without maxProperties"
