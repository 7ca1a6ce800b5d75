"""What is written into the pipe comes out of it, whatever becomes of its reader."""

import contextlib
import fcntl
import os
import sys
import termios
from collections.abc import Iterator

import pytest
from tests.listener.waiting import until_now

from webgarden_listener.haproxy.logpipe import LogPipe


def waiting(pipe: int) -> int:
    """Bytes that nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The container's output: who reads it, and what the pipe writes to."""
    made = os.pipe()
    yield made
    for end in made:
        os.close(end)


def test_every_line_comes_out_in_its_order(ends: tuple[int, int]) -> None:
    source, output = ends
    pipe = LogPipe(output)
    lines = [b"line %d\n" % number for number in range(20_000)]
    reader = os.fdopen(os.dup(source), "rb")
    for start in range(0, len(lines), 1000):
        os.write(pipe.sink, b"".join(lines[start : start + 1000]))
        assert [reader.readline() for _ in range(1000)] == lines[start : start + 1000]
    reader.close()
    pipe.close()


def test_a_line_does_not_wait_for_the_next(ends: tuple[int, int]) -> None:
    source, output = ends
    pipe = LogPipe(output)
    for _ in range(3):
        os.write(pipe.sink, b"one\n")
        assert os.read(source, 100) == b"one\n"
    pipe.close()


def test_the_last_line_is_out_when_it_is_closed(ends: tuple[int, int]) -> None:
    source, output = ends
    pipe = LogPipe(output)
    os.write(pipe.sink, b"first\n")
    assert os.read(source, 100) == b"first\n"
    os.write(pipe.sink, b"last\n")
    pipe.close()
    os.set_blocking(source, False)
    assert os.read(source, 100) == b"last\n"


def test_an_output_that_refuses_a_line_gets_the_next_one(ends: tuple[int, int]) -> None:
    source, output = ends
    with open("/dev/full", "wb", buffering=0) as refusing:
        keeper = os.dup(output)
        os.dup2(refusing.fileno(), output)
        pipe = LogPipe(output)
        for number in range(3):  # when the second one has been read, the first one has been refused
            os.write(pipe.sink, b"refused %d\n" % number)
            until_now(lambda: waiting(pipe.sink) == 0)
        os.dup2(keeper, output)
        os.close(keeper)
    os.set_blocking(source, False)

    def taken() -> bool:
        os.write(pipe.sink, b"taken\n")
        with contextlib.suppress(BlockingIOError):
            return os.read(source, 1_000_000).endswith(b"taken\n")
        return False

    until_now(taken)
    pipe.close()
