"""One listener for all tests that leave it as it was, and `fresh_node` for those that kill parts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.listener.fake_operator import FakeOperator
from tests.listener.node import Node
from tests.listener.place import Place


@pytest.fixture(scope="session")
def shared_operator() -> Iterator[FakeOperator]:
    made = FakeOperator()
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_node(shared_operator: FakeOperator) -> Iterator[Node]:
    made = Node(shared_operator.url)
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.end()


@pytest.fixture
def place(shared_node: Node, shared_operator: FakeOperator) -> Iterator[Place]:
    made = Place(shared_node, shared_operator)
    yield made
    made.end()


@pytest.fixture
def operator() -> Iterator[FakeOperator]:
    made = FakeOperator()
    made.start()
    yield made
    made.close()


@pytest.fixture
def fresh(operator: FakeOperator) -> Iterator[Callable[..., Place]]:
    """Makes listeners that belong to this test alone."""
    made: list[Place] = []

    def make(*, ready: bool = True, **options: str) -> Place:
        place = Place(Node(operator.url, **options), operator)
        made.append(place)
        if ready:
            place.node.start()
            place.node.wait_ready()
        return place

    try:
        yield make
    finally:
        for place in made:
            place.end()
            place.node.end()
