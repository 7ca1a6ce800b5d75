"""What a CRD says and JSON schema does not: list types, admission rules, objects of another API carried as they are.

Every list of a resource is typed by one of `list_map`, `list_set`, `atomic`, and bounded: the API server estimates the
cost of a rule at the worst case, so an unbounded list makes every rule that looks at it too expensive. A free-form
value is a plain `dict`, which the operator passes on unread; `name` and the like are declared where the API server
needs them as a key.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema
from pydantic.fields import FieldInfo

Json = dict[str, Any]


def rules(*pairs: tuple[str, str]) -> Json:
    """Admission rules as (CEL expression, sentence for the user), for `json_schema_extra`."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def list_map(*keys: str, most: int, least: int | None = None, **extra: Any) -> FieldInfo:  # noqa: ANN401
    """A list whose items are told apart by `keys`; the API server refuses duplicates and merges item by item."""
    kind: Json = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    return _list(kind | extra, most, least)


def list_set(*, most: int, least: int | None = None) -> FieldInfo:
    """A list of scalars without duplicates."""
    return _list({"x-kubernetes-list-type": "set"}, most, least)


def atomic(*, most: int, least: int | None = None) -> FieldInfo:
    """A list that is replaced as a whole."""
    return _list({"x-kubernetes-list-type": "atomic"}, most, least)


def _list(extra: Json, most: int, least: int | None) -> FieldInfo:
    found: FieldInfo = Field(min_length=least, max_length=most, json_schema_extra=extra)
    return found


def free_form(*required: str, **properties: Json) -> Json:
    """Schema of an object of another API: `properties` are declared, everything else is kept as it is."""
    schema: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema |= {"properties": properties} if properties else {}
    return schema | ({"required": list(required)} if required else {})


def text(most: int, least: int = 1) -> Json:
    """Schema of a bounded string inside a free-form object."""
    return {"type": "string", "minLength": least, "maxLength": most}


_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_SIZE = r"^[0-9]+(k|M|G|Ki|Mi|Gi)?$"
_QUANTITIES: Json = {
    "type": "object",
    "maxProperties": 16,
    "additionalProperties": {"x-kubernetes-int-or-string": True, "pattern": _QUANTITY, "maxLength": 32},
}


def size(least: str, most: str) -> WithJsonSchema:
    """Schema of a quantity of bytes between two."""
    bounds = rules(
        (
            f"quantity(string(self)).compareTo(quantity('{least}')) >= 0"
            f" && quantity(string(self)).compareTo(quantity('{most}')) <= 0",
            f"must be {least} to {most}",
        )
    )
    return WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": _SIZE, "maxLength": 16} | bounds)


Named = Annotated[Json, WithJsonSchema(free_form("name", name=text(253)))]
"""An object with a name: an EnvVar, a Volume."""

Mount = Annotated[Json, WithJsonSchema(free_form("name", "mountPath", name=text(253), mountPath=text(1024)))]
"""A VolumeMount."""

Anything = Annotated[Json, WithJsonSchema(free_form())]

Resources = Annotated[Json, WithJsonSchema(free_form(limits=_QUANTITIES, requests=_QUANTITIES))]
"""ResourceRequirements."""
