"""Running other programs: what they say on failure ends up in the error, nothing is swallowed.

Arguments are lists, there is no shell. `logged` is for what takes long, `run` for what is quick.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster import progress
from tests.cluster.errors import ClusterError

Command = Sequence[str | Path]


def run(command: Command, *, stdin: str | None = None) -> str:
    """Return what the command printed; raise ClusterError with its complaint when it fails."""
    done = _start(command, stdin=stdin)
    if done.returncode:
        raise ClusterError(f"{_title(command)} failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout


def succeeds(command: Command) -> bool:
    return _start(command).returncode == 0


def logged(
    command: Command,
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str = "",
) -> None:
    """Run with all output appended to the log, and shown as well when progress is verbose."""
    _require(command)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a") as written,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(environment or {})},
            cwd=directory,
        ) as process,
    ):
        assert process.stdin and process.stdout
        with contextlib.suppress(BrokenPipeError):  # its exit code tells more
            process.stdin.write(stdin)
            process.stdin.close()
        for line in process.stdout:
            written.write(line)
            if progress.verbose:
                sys.stderr.write(line)
    if process.returncode:
        raise ClusterError(f"{_title(command)} failed ({process.returncode})\n{last_lines(log)}")


def piped(source: Command, sink: Command) -> None:
    """`source | sink`, and both must succeed."""
    _require(source)
    _require(sink)
    with subprocess.Popen(source, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stderr
        reader = subprocess.run(sink, stdin=writer.stdout, capture_output=True, text=True, check=False)
        writer.stdout.close()
        complaint = writer.stderr.read().decode(errors="replace")
    for command, code, said in (
        (source, writer.returncode, complaint),
        (sink, reader.returncode, reader.stderr),
    ):
        if code:
            raise ClusterError(f"{_title(command)} failed ({code}): {said.strip()}")


def last_lines(log: Path, count: int = 20) -> str:
    """The end of a log, indented, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else []
    return "\n".join([*(f"    {line[:400]}" for line in lines), f"  log: {log}"])


def _start(command: Command, *, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    _require(command)
    return subprocess.run(
        command,
        input=stdin or "",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _require(command: Command) -> None:
    if shutil.which(command[0]) is None:
        raise ClusterError(f"{command[0]} is not installed")


def _title(command: Command) -> str:
    return " ".join(str(word) for word in command[:4])
