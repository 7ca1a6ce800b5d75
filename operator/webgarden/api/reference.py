"""`python -m webgarden.api.reference [--check] FILE`: every field of every kind as Markdown, generated from the models.

It reads the same schemas as the CRDs, so it can say nothing that the API server does not do: types, defaults, bounds and
admission rules are theirs, sentences are the docstrings of the models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from webgarden.api import duration
from webgarden.api.crd import schema
from webgarden.api.kinds import KINDS, Kind
from webgarden.api.markers import Json
from webgarden.api.resource import API_VERSION

_OPENING = f"""# Reference

<!-- Generated from the models in operator/webgarden/api by `make crds`: edit those. -->

Every field of the kinds of `{API_VERSION}`. `kubectl explain pool.spec --recursive` says the same in a terminal.

- A *duration* is written `29h`, `90s`, `1m30s` or `250ms`.
- A *quantity* is written as elsewhere in Kubernetes: `500m`, `256Mi`.
- An *object of Kubernetes* is passed on as it is; what may stand in it is said by Kubernetes' own reference.
- `[]` behind a name: each item of the list.
- A field that an API server does not know is refused by `kubectl` and dropped by other clients.
"""


class Row(NamedTuple):
    """One field, as one line of a table."""

    path: str
    type: str
    default: str
    range: str
    meaning: str


def document() -> str:
    """The whole page."""
    return "\n".join([_OPENING, *(line for kind in KINDS for line in _kind(kind))])


def _kind(kind: Kind) -> Iterator[str]:
    whole = schema(kind.model)
    yield f"## {kind.name}\n"
    yield f"{whole['description']}\n"
    yield f"{_names(kind)}\n"
    for rule in whole.get("x-kubernetes-validations", ()):
        yield f"Rule: {rule['message']}.\n"
    yield f"### {kind.name} spec\n"
    yield from _table(rows(whole["properties"]["spec"]), "field", "type", "default", "range", "meaning")
    yield f"### {kind.name} status\n"
    yield from _table(
        (Row(r.path, r.type, "", "", r.meaning) for r in rows(whole["properties"]["status"])),
        "field",
        "type",
        "meaning",
    )


def _names(kind: Kind) -> str:
    scope = "Namespaced" if kind.namespaced else "Cluster-scoped"
    short = f" Short names: {', '.join(f'`{name}`' for name in kind.short_names)}." if kind.short_names else ""
    scale = " Has the `scale` subresource." if kind.scale else ""
    return f"{scope}. `kubectl get {kind.plural}`; also listed by `kubectl get webgarden`.{short}{scale}"


def rows(node: Json, path: str = "") -> Iterator[Row]:
    """The fields below `node`, each before its own."""
    required = node.get("required", ())
    for name, field in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        default = "required" if name in required else _default(field)
        yield Row(here, _type(field), default, _range(field), field.get("description", ""))
        if not field.get("x-kubernetes-preserve-unknown-fields"):
            yield from rows(field, here)
        item = field.get("items", {})
        if not item.get("x-kubernetes-preserve-unknown-fields"):
            yield from rows(item, f"{here}[]")


def _type(field: Json) -> str:
    if field.get("type") == "array":
        return f"list of {_plural(_type(field['items']))}"
    if field.get("x-kubernetes-preserve-unknown-fields"):
        return "object of Kubernetes"
    if "additionalProperties" in field:
        return f"map of {_plural(_type(field['additionalProperties']))}"
    if field.get("pattern") == duration.PATTERN:
        return "duration"
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    return "time" if field.get("format") == "date-time" else str(field.get("type"))


def _plural(name: str) -> str:
    return name.replace("object", "objects") if name.startswith("object") else f"{name}s"


def _default(field: Json) -> str:
    value = field.get("default")
    if value is None or value == {}:
        return ""
    return f"`{_plain(value)}`" if value != "" else "empty"


def _plain(value: Any) -> str:  # noqa: ANN401 (any JSON)
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)


def _range(field: Json) -> str:
    """What the API server accepts; the item's own bounds for a list."""
    said = [*_bounds(field), *_bounds(field.get("items", {}))]
    said += [rule["message"] for each in (field, field.get("items", {})) for rule in _rules(each)]
    return "; ".join(said)


def _rules(field: Json) -> list[Json]:
    rules: list[Json] = field.get("x-kubernetes-validations", [])
    return rules


def _bounds(field: Json) -> Iterator[str]:
    if field.get("x-kubernetes-int-or-string"):
        return  # its pattern says what a quantity is
    if "enum" in field:
        yield ", ".join(f"`{value}`" for value in field["enum"])
    if "minimum" in field and "maximum" in field:
        yield f"{field['minimum']} to {field['maximum']}"
    elif "minimum" in field:
        yield f"{field['minimum']} or more"
    if "maxItems" in field:
        yield _count(field, "minItems", "maxItems", "items")
    if field.get("maxLength", duration.MAX_LENGTH) != duration.MAX_LENGTH and "enum" not in field:
        yield _count(field, "minLength", "maxLength", "characters")
    if field.get("x-kubernetes-list-map-keys"):
        yield f"each {' and '.join(field['x-kubernetes-list-map-keys'])} once"
    if "pattern" in field and field["pattern"] != duration.PATTERN:
        yield f"matches `{field['pattern']}`"


def _count(field: Json, least: str, most: str, what: str) -> str:
    return f"{field[least]} to {field[most]} {what}" if field.get(least) else f"at most {field[most]} {what}"


def _table(found: Iterator[Row], *columns: str) -> Iterator[str]:
    names = {"field": "path"}
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in found:
        cells = row._replace(path=f"`{row.path}`")._asdict()
        yield f"| {' | '.join(_cell(cells[names.get(column, column)]) for column in columns)} |"
    yield ""


def _cell(text: str) -> str:
    """Text in a table: a bar would end the cell."""
    return " ".join(text.split()).replace("|", r"\|")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m webgarden.api.reference", description="Write the reference.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when it is not up to date")
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    if options.file.exists() and options.file.read_text("utf-8") == document():
        return 0
    if options.check:
        print(f"{options.file} is not up to date: run `make crds`", file=sys.stderr)
        return 1
    options.file.write_text(document(), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
