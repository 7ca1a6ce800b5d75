"""A program that a factory makes, and what it knows of its working directory."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

IMPORTED_IN = str(Path.cwd())
made: list[str] = []


def create_app() -> Any:  # noqa: ANN401
    made.append(str(Path.cwd()))

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        start_response("200 OK", [("Content-Type", "application/json")])
        seen = {"imported in": IMPORTED_IN, "made in": made[0], "made": len(made), "asked in": str(Path.cwd())}
        return [json.dumps(seen).encode()]

    return app
