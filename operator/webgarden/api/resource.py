"""What all resources have in common: frozen parts in camelCase, metadata, times.

Unknown fields are ignored when reading (a newer CRD) and `as_dict` writes what the API server takes. Times are RFC
3339 with whole seconds, as `metav1.Time`: two times that differ by less are equal once they have been through the API.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

GROUP = "webgarden.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Part(BaseModel):
    """Any object inside a resource."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def as_dict(self) -> dict[str, Any]:
        """As the API takes it: camelCase, times and durations as text, nothing that is None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _write_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    datetime,
    AfterValidator(_in_utc),
    PlainSerializer(_write_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def clip(most: int) -> AfterValidator:
    """Cuts a text to `most` characters."""
    return AfterValidator(lambda text: text if len(text) <= most else text[: most - 1] + "…")


Message = Annotated[str, clip(1024), WithJsonSchema({"type": "string", "maxLength": 1024})]
"""A sentence for people. Clipped: it may quote what a container said, and a status that is refused says nothing."""

Reason = Annotated[str, clip(128), WithJsonSchema({"type": "string", "maxLength": 128})]
"""One CamelCase word for machines."""

Name = Annotated[str, WithJsonSchema({"type": "string", "maxLength": 253})]

Count = Annotated[int, Field(ge=0)]


class ObjectMeta(Part):
    """The part of `metav1.ObjectMeta` that decisions are made of."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class Resource(Part):
    """An object of our group; `spec` and `status` are the subclass's."""

    api_version: str = API_VERSION
    kind: str
    metadata: ObjectMeta

    @field_validator("status", mode="wrap", check_fields=False)
    @classmethod
    def _read_status(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 (the subclass's)
        """A status that cannot be read, since an operator of a newer release wrote it, counts as empty."""
        try:
            return read(value)
        except ValidationError:
            return read({})

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone of a cluster-scoped resource."""
        return f"{self.metadata.namespace}/{self.metadata.name}" if self.metadata.namespace else self.metadata.name
