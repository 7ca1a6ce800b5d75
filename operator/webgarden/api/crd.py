"""`python -m webgarden.api.crd [--check] DIRECTORY...`: the CRDs as YAML files, generated from the models.

The files are committed, so that a reviewer sees what a change to a model does to the API; `--check` writes nothing and
exits with 1 when a file differs. Each file carries one CRD and its name is `GROUP_PLURAL.yaml`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from webgarden.api.kinds import KINDS, Column, Kind
from webgarden.api.markers import Json
from webgarden.api.resource import GROUP, VERSION, Resource
from webgarden.api.schema import structural, without_defaults

_HEADER = "# Generated from the models in operator/webgarden/api by `make crds`: edit those.\n"


def definition(kind: Kind) -> Json:
    """The CustomResourceDefinition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "webgarden"}},
        "spec": {
            "group": GROUP,
            "names": _names(kind),
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [_version(kind)],
        },
    }


def _names(kind: Kind) -> Json:
    names: Json = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
        "categories": ["webgarden"],
    }
    return names | ({"shortNames": list(kind.short_names)} if kind.short_names else {})


def _version(kind: Kind) -> Json:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": schema(kind.model)},
        "subresources": _subresources(kind),
    }


def _column(column: Column) -> Json:
    described = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return described | ({"priority": 1} if column.wide else {})


def _subresources(kind: Kind) -> Json:
    if kind.scale is None:
        return {"status": {}}
    paths = zip(("specReplicasPath", "statusReplicasPath", "labelSelectorPath"), kind.scale, strict=True)
    return {"status": {}, "scale": dict(paths)}


def schema(model: type[Resource]) -> Json:
    """The structural schema of a whole resource."""
    whole = structural(model)
    whole["properties"] = {
        "apiVersion": {"type": "string", "maxLength": 253},
        "kind": {"type": "string", "maxLength": 63},
        "metadata": {"type": "object"},
        "spec": whole["properties"]["spec"],
        "status": without_defaults(whole["properties"]["status"]),
    }
    required = [name for name in whole.pop("required", ()) if name == "spec"]
    return whole | ({"required": required} if required else {})


def files() -> dict[str, str]:
    """Name of each file -> its text."""
    return {f"{GROUP}_{kind.plural}.yaml": _HEADER + _yaml(definition(kind)) for kind in KINDS}


def _yaml(document: Json) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=True, width=120, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """No anchors: they are an eyesore in a diff, and some readers refuse them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 (the base class's signature)
        return True


def stale(directory: Path) -> list[str]:
    """Files in `directory` that are missing, differ, or are generated no more."""
    wanted = files()
    present = {path.name: path.read_text("utf-8") for path in directory.glob(f"{GROUP}_*.yaml")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(directory: Path) -> None:
    """Make `directory` hold exactly the generated files, beside whatever else is there."""
    directory.mkdir(parents=True, exist_ok=True)
    for gone in {path.name for path in directory.glob(f"{GROUP}_*.yaml")} - files().keys():
        (directory / gone).unlink()
    for name, content in files().items():
        (directory / name).write_text(content, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m webgarden.api.crd", description="Write the CRDs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is not up to date")
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIRECTORY")
    options = parser.parse_args(arguments)
    if not options.check:
        for directory in options.directories:
            write(directory)
        return 0
    found = [directory / name for directory in options.directories for name in stale(directory)]
    for path in found:
        print(f"{path} is not up to date: run `make crds`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
