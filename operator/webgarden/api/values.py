"""`python -m webgarden.api.values [--check] FILE`: what the chart's `webServer.spec` may hold, in its values.schema.json.

The operator makes the WebServer of a release, after Helm is done: a value that the API server would refuse is better refused
by `helm install`. Only that one member of the file is generated, the rest is written by hand. Helm knows no CEL.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from webgarden.api.markers import Json
from webgarden.api.schema import structural, without_defaults
from webgarden.api.webserver import WebServerSpec


def spec() -> Json:
    """The schema of `webServer.spec`; unlike a CRD's it refuses fields that it does not know."""
    closed: Json = _closed(without_defaults(structural(WebServerSpec)))
    return closed


def _closed(node: Any) -> Any:  # noqa: ANN401
    if not isinstance(node, dict):
        return node
    plain = {key: _closed(value) for key, value in node.items() if not key.startswith("x-kubernetes-")}
    free = "x-kubernetes-preserve-unknown-fields" in node or "additionalProperties" in plain
    unique = node.get("x-kubernetes-list-type") == "set"
    plain |= {"additionalProperties": False} if plain.get("type") == "object" and not free else {}
    plain |= {"type": ["integer", "string"]} if node.get("x-kubernetes-int-or-string") else {}
    return plain | ({"uniqueItems": True} if unique else {})


def filled(text: str) -> str:
    """The text of a values.schema.json with the generated member in it."""
    whole = json.loads(text)
    whole["properties"]["webServer"]["properties"]["spec"] = spec()
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m webgarden.api.values", description="Fill in values.schema.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when it is not up to date")
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    text = options.file.read_text("utf-8")
    if text == filled(text):
        return 0
    if options.check:
        print(f"{options.file} is not up to date: run `make crds`", file=sys.stderr)
        return 1
    options.file.write_text(filled(text), "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
