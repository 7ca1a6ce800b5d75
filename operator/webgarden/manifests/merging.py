"""Strategic merge of two pieces of a pod template, as far as pods need it.

Objects are merged key by key. Lists whose items have a name (containers, env, volumes, ...) or a mount path are merged
item by item; every other list is replaced. Neither input is changed.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

KEYS = {"volumeMounts": "mountPath", "ports": "containerPort", "topologySpreadConstraints": "topologyKey"}
"""Lists that are not merged by `name`."""


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = deepcopy(base)
    for key, value in over.items():
        result[key] = _merged(key, result.get(key), value)
    return result


def _merged(key: str, base: Any, over: Any) -> Any:  # noqa: ANN401 (any JSON)
    if isinstance(base, dict) and isinstance(over, dict):
        return merge(base, over)
    if isinstance(base, list) and isinstance(over, list):
        identity = KEYS.get(key, "name")
        if all(isinstance(item, dict) and identity in item for item in [*base, *over]):
            return _merged_lists(base, over, identity)
    return deepcopy(over)


def _merged_lists(base: list[Any], over: list[Any], identity: str) -> list[Any]:
    items = {item[identity]: item for item in base}
    for item in over:
        name = item[identity]
        items[name] = merge(items[name], item) if name in items else deepcopy(item)
    return list(items.values())


def by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}
