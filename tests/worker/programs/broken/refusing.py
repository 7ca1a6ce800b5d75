"""Imports well and fails at its startup."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    raise ConnectionError("the licence server is closed")
    yield


app = Starlette(lifespan=lifespan)
number = 42


def fail() -> Starlette:
    raise ConnectionError("the licence server is closed")
