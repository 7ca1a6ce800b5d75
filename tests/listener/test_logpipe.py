"""What is written into the pipe comes out of it, whatever happens to its reader's neighbours."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from webgarden_listener.haproxy import logpipe

NO_PARENT = "0"


@pytest.fixture
def pipe() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-I", "-S", logpipe.__file__, NO_PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_every_line_comes_out_in_its_order(pipe: subprocess.Popen[bytes]) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(200_000))
    said, _ = pipe.communicate(lines, timeout=30)
    assert said == lines
    assert pipe.returncode == 0


def test_a_line_does_not_wait_for_the_next(pipe: subprocess.Popen[bytes]) -> None:
    assert pipe.stdin and pipe.stdout
    for _ in range(3):
        pipe.stdin.write(b"one\n")
        pipe.stdin.flush()
        assert pipe.stdout.readline() == b"one\n"


def test_it_stays_as_long_as_somebody_may_write(pipe: subprocess.Popen[bytes]) -> None:
    assert pipe.stdin and pipe.stdout
    pipe.stdin.write(b"before\n")
    pipe.stdin.flush()
    assert pipe.stdout.readline() == b"before\n"
    pipe.send_signal(signal.SIGTERM)
    said, _ = pipe.communicate(b"after\n", timeout=30)
    assert said == b"after\n"


def test_a_program_that_was_attached_writes_through_it() -> None:
    program = (
        "import os; from webgarden_listener.haproxy import logpipe as p; p.attach(); os.execlp('echo', 'echo', 'hello')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"PYTHONPATH": "listener_image", "PATH": "/usr/bin:/bin"},
    )
    assert (done.stdout, done.stderr) == ("hello\n", "")
