"""Workers that several tests share; a test that changes one starts its own."""

from collections.abc import Iterator

import pytest
from tests.worker.workers import ASGI, WSGI, Worker, running


@pytest.fixture(scope="session")
def shop() -> Iterator[Worker]:
    """The ASGI program at / and at /Two of one site, the WSGI program at / and /books of another."""
    two = {**ASGI, "path": "/Two"}
    with running(
        ASGI, two, WSGI, {**WSGI, "path": "/books"}, {**WSGI, "site": "test/shop", "path": "/books"}
    ) as worker:
        yield worker
