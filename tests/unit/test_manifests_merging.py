"""Merging pieces of a pod template: objects by key, lists by the name of their items."""

from __future__ import annotations

from copy import deepcopy

from webgarden.manifests.merging import merge


def test_objects_are_merged_key_by_key_and_values_replaced() -> None:
    assert merge({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}


def test_items_with_a_name_are_merged_and_new_ones_come_after() -> None:
    base = {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}
    over = {"containers": [{"name": "c"}, {"name": "a", "image": "2"}]}
    assert merge(base, over) == {"containers": [{"name": "a", "image": "2"}, {"name": "b"}, {"name": "c"}]}


def test_mounts_are_told_apart_by_their_path_and_ports_by_their_number() -> None:
    base = {"volumeMounts": [{"mountPath": "/a", "name": "x"}], "ports": [{"containerPort": 80, "name": "old"}]}
    over = {"volumeMounts": [{"mountPath": "/b", "name": "x"}], "ports": [{"containerPort": 80, "name": "new"}]}
    assert merge(base, over) == {
        "volumeMounts": [{"mountPath": "/a", "name": "x"}, {"mountPath": "/b", "name": "x"}],
        "ports": [{"containerPort": 80, "name": "new"}],
    }


def test_other_lists_are_replaced() -> None:
    assert merge({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}
    assert merge({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == {"tolerations": [{"key": "b"}]}
    assert merge({"x": [{"name": "a"}]}, {"x": []}) == {"x": [{"name": "a"}]}


def test_what_is_of_another_type_is_replaced() -> None:
    assert merge({"a": {"x": 1}}, {"a": 1}) == {"a": 1}
    assert merge({"a": [1]}, {"a": {"x": 1}}) == {"a": {"x": 1}}


def test_neither_input_is_changed_nor_shared() -> None:
    base, over = {"l": [{"name": "a", "v": {"x": 1}}]}, {"l": [{"name": "b", "v": {"y": 2}}]}
    before = deepcopy((base, over))
    made = merge(base, over)
    made["l"][0]["v"]["x"] = 9
    made["l"][1]["v"]["y"] = 9
    assert (base, over) == before
