"""Pydantic models -> structural schemas (`apiextensions.k8s.io/v1`).

Pydantic writes JSON schema for documents, Kubernetes takes a subset without references, nulls and titles; the
difference is bridged here, and `structure` checks the result. A part whose fields all have defaults gets the default
`{}`, since the API server fills in defaults only below objects that are there. A status gets none: it says what was
observed. Recursion in the models is an error.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from webgarden.api.duration import render
from webgarden.api.markers import Json


class _Generator(GenerateJsonSchema):
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = _default(schema.get("default"))
        if default is None:
            return inner
        return {**({"allOf": [inner]} if "$ref" in inner else inner), "default": default}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 (pydantic's signature)
        return False


def structural(model: type[BaseModel]) -> Json:
    """The schema of `model`."""
    raw = model.model_json_schema(schema_generator=_Generator)
    definitions = raw.pop("$defs", {})
    return cast(Json, _convert(raw, definitions, ()))


def without_defaults(schema: Json) -> Json:
    """`schema` as a status needs it: nothing is filled in that nobody has observed."""
    return cast(Json, _without_defaults(schema))


def _default(value: Any) -> Any:  # noqa: ANN401
    """A default as the API server takes it; None for none."""
    if isinstance(value, BaseModel):
        return {}
    if isinstance(value, timedelta):
        return render(value)
    if value == () or value is None:
        return None
    return to_jsonable_python(value)


def _convert(node: Any, definitions: Json, inside: tuple[str, ...]) -> Any:  # noqa: ANN401
    if isinstance(node, list):
        return [_convert(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    node, inside = _inlined(node, definitions, inside)
    return {
        key: _members(value, definitions, inside) if key == "properties" else _convert(value, definitions, inside)
        for key, value in node.items()
        if key != "title" and not (key == "additionalProperties" and value is False)
    }


def _members(properties: Json, definitions: Json, inside: tuple[str, ...]) -> Json:
    """Under `properties` the keys are names of fields, of which one may be `title`."""
    return {name: _convert(schema, definitions, inside) for name, schema in properties.items()}


def _inlined(node: Json, definitions: Json, inside: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
    """`node` with what it refers to; what stands beside the reference is more special and wins."""
    while "$ref" in node or "allOf" in node:
        rest = {key: value for key, value in node.items() if key not in ("$ref", "allOf")}
        target = node["$ref"] if "$ref" in node else node["allOf"][0].get("$ref")
        name = str(target).rpartition("/")[2]
        if name in inside:
            raise ValueError(f"{name} refers to itself: a structural schema cannot")
        node, inside = {**definitions[name], **rest}, (*inside, name)
    return node, inside


def _without_defaults(node: Any) -> Any:  # noqa: ANN401
    if isinstance(node, list):
        return [_without_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in ("default", "properties")}
    fields = {name: _without_defaults(schema) for name, schema in node.get("properties", {}).items()}
    return {key: _without_defaults(value) for key, value in kept.items()} | ({"properties": fields} if fields else {})
