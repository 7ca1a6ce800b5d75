"""The listener's end of the link, without HAProxy: what keeps it from being opened ends nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.listener.fake_operator import FakeOperator
from tests.listener.waiting import until

from webgarden_listener.link import Link
from webgarden_listener.settings import LinkSettings


@pytest.fixture
def operator() -> Iterator[FakeOperator]:
    made = FakeOperator()
    made.start()
    yield made
    made.close()


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows with each one that failed; there is no pause between two."""
    made: list[float] = []

    def no_pause(least: float, _most: float) -> float:
        made.append(least)
        return 0.0

    monkeypatch.setattr(random, "uniform", no_pause)
    return made


@contextlib.asynccontextmanager
async def running(settings: LinkSettings) -> AsyncIterator[asyncio.Task[None]]:
    link = Link(settings, heard=lambda _: None, opened=lambda: None)
    task = asyncio.create_task(link.run())
    yield task
    task.cancel()
    await asyncio.wait([task])


def troubles(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one for record in caplog.records if (one := record.getMessage()).startswith("No link")]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\xff\xfe", b"two\nlines", b"nul\0"],
    ids=["missing", "empty", "no text", "lines", "control"],
)
async def test_a_token_that_cannot_be_read_is_said_once_and_read_again(
    operator: FakeOperator,
    attempts: list[float],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: bytes | None,
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    async with running(LinkSettings(url=operator.url, listener="one", token=token)) as link:
        await until(lambda: len(attempts) > 3 or link.done())
        assert not link.done()
        token.write_text("good\n")
        await until(lambda: operator.linked)
    assert operator.tokens == ["Bearer good"]
    (said,) = troubles(caplog)
    assert str(token) in said


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "nonsense"])
async def test_an_authority_that_cannot_be_read_is_said_once_and_read_again(
    attempts: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    authority = tmp_path / "ca.crt"
    if content is not None:
        authority.write_text(content)
    async with running(LinkSettings(url="wss://127.0.0.1:9/", listener="one", ca=authority)) as link:
        await until(lambda: len(attempts) > 3 or link.done())
        assert not link.done()
    (said,) = troubles(caplog)
    assert str(authority) in said


async def test_what_is_wrong_again_after_a_link_is_said_again(
    operator: FakeOperator, attempts: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    async with running(LinkSettings(url=operator.url, listener="one", token=token)):
        for times in (1, 2):
            await until(lambda times=times: len(troubles(caplog)) == times)  # type: ignore[misc]
            token.write_text("good")
            await until(lambda: operator.linked)
            token.unlink()
            operator.away()
            operator.start()
    assert attempts
