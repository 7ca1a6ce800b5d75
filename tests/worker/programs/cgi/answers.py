"""Answers of every kind, told apart by the query; not executable, so that python3 runs it."""

import os
import signal
import subprocess
import sys
import time

what, _equals, where = os.environ["QUERY_STRING"].partition("=")


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def for_ever() -> None:
    """With a child of its own, and a note of who they are."""
    child = subprocess.Popen(["sleep", "1000"])
    with open(f"{where}.part", "w") as note:
        note.write(f"{os.getpid()} {child.pid}")
    os.rename(f"{where}.part", where)
    time.sleep(1000)


match what:
    case "status":
        say("Status: 404 Not Here", "Content-Type: text/plain", "X-Powered-By: CGI", "", "not here")
    case "elsewhere":
        say("Location: http://example.com/new", "")
    case "moved":
        say("Status: 301 Moved Permanently", "Location: /new", "Content-Type: text/plain", "", "moved")
    case "local":
        say(f"Location: {where}", "")
    case "circle":
        say("Location: /answers.py?circle", "")
    case "nothing":
        pass
    case "no-head":
        say("Traceback (most recent call last):", "  oops", "")
    case "endless-head":
        say("X: " + "x" * 100_000)
    case "fails":
        say("Content-Type: text/plain", "", "whole")
        sys.exit("the printer is on fire")
    case "crashes":
        say("Content-Type: text/plain", "", "half")
        os.kill(os.getpid(), signal.SIGSEGV)
    case "complains":
        for _ in range(20_000):
            print("complaint", file=sys.stderr)
        say("Content-Type: text/plain", "", "well")
    case "hangs":
        for_ever()
    case "trickles":
        say("Content-Type: text/plain", "", "first")
        for_ever()
    case "leaves":
        subprocess.Popen(["sleep", "1000"])
        say("Content-Type: text/plain", "", "left one behind")
    case "daemon":
        daemon = subprocess.Popen(
            ["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        with open(where, "w") as note:
            note.write(str(daemon.pid))
        say("Content-Type: text/plain", "", "let it run")
    case "long":
        say("Content-Type: application/octet-stream", "")
        for _ in range(64):
            sys.stdout.buffer.write(b"x" * 2**19)
    case "ignores-its-body":
        say("Content-Type: text/plain", "", "heard enough")
