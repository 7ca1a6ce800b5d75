"""Durations as Kubernetes writes them (`29h`, `90s`, `1m30s`, `250ms`), and as `timedelta` inside.

Never negative. Six digits a number: more would overflow either Go's durations at admission or a date in the operator,
and is nobody's idle timeout. Written back in one unit, the largest that is exact (`90s`, not `1m30s`), so that a
default looks like its documentation.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

PATTERN = r"^([0-9]{1,6}(ms|s|m|h))+$"
MAX_LENGTH = 32
_TOO_MANY = 1_000_000

_WHOLE = re.compile(PATTERN)
_PART = re.compile(r"([0-9]+)(ms|s|m|h)")
_UNITS = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def parse(text: str) -> timedelta:
    """The duration in `text`; `ValueError` when it is none."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration such as 29h, 90s or 1m30s")
    return sum((int(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta())


def render(value: timedelta) -> str:
    """`value` in the largest unit that divides it; what is finer than a millisecond is cut."""
    if not value:
        return "0s"
    unit = next((name for name, size in _UNITS.items() if not value % size), "ms")
    count = value // _UNITS[unit]
    return f"{count}{unit}" if count < _TOO_MANY else _mixed(value)


def _mixed(value: timedelta) -> str:
    """As Go writes it: where one unit would take more digits than can be read back."""
    text = ""
    for unit, size in _UNITS.items():
        count, value = divmod(value, size)
        text += f"{count}{unit}" if count else ""
    return text


def _read(value: Any) -> Any:  # noqa: ANN401 (pydantic hands over whatever the object holds)
    return parse(value) if isinstance(value, str) else value


_SCHEMA: dict[str, Any] = {"type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH}
_AT_LEAST_A_SECOND = {"rule": "duration(self) >= duration('1s')", "message": "must be at least 1s"}

Duration = Annotated[
    timedelta, BeforeValidator(_read), PlainSerializer(render, return_type=str), WithJsonSchema(_SCHEMA)
]
"""Any duration; what `0s` means is the field's affair."""

Limit = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(render, return_type=str),
    WithJsonSchema({**_SCHEMA, "x-kubernetes-validations": [_AT_LEAST_A_SECOND]}),
]
"""A duration that is waited for before something is given up: a second or more."""
