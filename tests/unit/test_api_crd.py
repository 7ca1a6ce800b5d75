"""The generated files: up to date, structural, bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from webgarden.api import crd, values
from webgarden.api.kinds import APPLICATION_POOL, KINDS, Kind
from webgarden.api.schema import structural
from webgarden.api.structure import violations

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "webgarden"
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.mark.parametrize("directory", [ROOT / "crds", CHART / "files" / "crds"], ids=["crds", "chart"])
def test_the_committed_crds_are_those_of_the_models(directory: Path) -> None:
    assert crd.stale(directory) == [], "run `make crds`"


def test_the_chart_s_schema_of_values_is_that_of_the_models() -> None:
    assert values.main(["--check", str(CHART / "values.schema.json")]) == 0, "run `make crds`"


@each_kind
def test_a_schema_is_structural_and_bounded(kind: Kind) -> None:
    assert list(violations(crd.schema(kind.model))) == []


@each_kind
def test_a_status_has_no_defaults(kind: Kind) -> None:
    assert "default" not in str(crd.schema(kind.model)["properties"]["status"])


@each_kind
def test_every_field_is_described(kind: Kind) -> None:
    undescribed = [path for path, field in fields(crd.schema(kind.model)) if "description" not in field]
    assert undescribed == []


def test_parents_have_defaults_so_that_their_children_s_show() -> None:
    spec = crd.schema(APPLICATION_POOL.model)["properties"]["spec"]
    assert spec["default"] == spec["properties"]["processModel"]["default"] == {}
    assert spec["properties"]["processModel"]["properties"]["idleTimeout"]["default"] == "20m"


def test_a_state_that_is_absent_stays_so() -> None:
    """A default would hide whether the administrator has started a pool with autoStart: false."""
    assert "default" not in crd.schema(APPLICATION_POOL.model)["properties"]["spec"]["properties"]["state"]


def test_check_fails_for_a_file_that_differs_and_one_too_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crd.main([str(tmp_path)]) == 0
    assert crd.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "webgarden.dev_sites.yaml").write_text("{}")
    (tmp_path / "webgarden.dev_gone.yaml").write_text("{}")
    (tmp_path / "else.yaml").write_text("{}")
    assert crd.main(["--check", str(tmp_path)]) == 1
    assert "make crds" in capsys.readouterr().err
    assert crd.stale(tmp_path) == ["webgarden.dev_gone.yaml", "webgarden.dev_sites.yaml"]
    assert crd.main([str(tmp_path)]) == 0
    assert crd.stale(tmp_path) == []
    assert (tmp_path / "else.yaml").exists()


def test_a_schema_of_values_that_differs_is_found_and_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "values.schema.json"
    file.write_text('{"properties": {"webServer": {"properties": {"spec": {}}}}}')
    assert values.main(["--check", str(file)]) == 1
    assert values.main([str(file)]) == 0
    assert values.main(["--check", str(file)]) == 0
    assert '"threads"' in file.read_text()


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "array", "maxItems": 1, "items": {}}, "list without a type"),
        ({"type": "array", "x-kubernetes-list-type": "atomic"}, "list without maxItems"),
        ({"type": "string"}, "string without maxLength"),
        ({"properties": {}}, "has no type"),
        ({"type": "object", "title": "A"}, "title is not allowed"),
        ({"type": "object", "$ref": "#"}, "$ref is not allowed"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "map without maxProperties"),
        ({"type": "object", "properties": {}, "additionalProperties": True}, "exclude each other"),
        ({"type": "object", "required": ["a"]}, "a is required but not declared"),
        ({"type": "string", "maxLength": 1, "pattern": "(?=a)"}, "no look-around"),
        ({"type": "array", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object"}}, "key k is neither"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, ".a: string"),
    ],
)
def test_the_checker_finds_the_fault(schema: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in violations(schema))


class Loop(BaseModel):
    again: Loop | None = None


class Titled(BaseModel):
    title: str


def test_a_model_that_holds_itself_is_an_error() -> None:
    with pytest.raises(ValueError, match="refers to itself"):
        structural(Loop)


def test_a_field_may_be_named_title() -> None:
    assert structural(Titled)["properties"] == {"title": {"type": "string"}}


def fields(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The fields that are ours: not those of a resource's frame, nor what lies in free-form objects."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    found = []
    for name, field in schema.get("properties", {}).items():
        found += [] if path == "" and name in ("apiVersion", "kind", "metadata") else [(f"{path}.{name}", field)]
        found += fields(field, f"{path}.{name}") + fields(field.get("items", {}), f"{path}.{name}[]")
    return found
