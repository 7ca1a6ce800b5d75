"""The command `webgarden-listener`.

Each sub-command imports what it needs and no more: the gate is back in a tenth of a second because it loads neither
the link nor a web framework.
"""

from __future__ import annotations

import logging
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from webgarden_listener.settings import Directory, SettingsError, add_arguments, settings


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {asked.command} %(levelname)s %(name)s %(message)s"
    )
    try:
        return COMMANDS[asked.command](asked)
    except SettingsError as error:
        print(f"webgarden-listener: {error}", file=sys.stderr)
        return 2


def parser() -> ArgumentParser:
    made = ArgumentParser(prog="webgarden-listener", description="The listener of Webgarden; see the sub-commands.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("haproxy", "become HAProxy, with the configuration on disk or a first one"),
        ("agent", "keep HAProxy as the operator wants it"),
        ("gate", "hold the first request of a pool without a worker"),
        ("leave", "preStop hook: let clients go elsewhere, then let HAProxy finish"),
    ):
        add_arguments(commands.add_parser(name, help=text, description=text))
    child = commands.add_parser("gate-child", help=SUPPRESS)
    child.add_argument("--directory", required=True)
    child.add_argument("--sockets", type=int, nargs=2, required=True)
    return made


def haproxy(asked: Namespace) -> int:
    from webgarden_listener.haproxy.process import become

    become(settings(asked))


def agent(asked: Namespace) -> int:
    from webgarden_listener.agent import run

    return run(settings(asked))


def gate(asked: Namespace) -> int:
    from webgarden_listener.gate.parent import run

    run(settings(asked).directory)


def gate_child(asked: Namespace) -> int:
    import asyncio

    from webgarden_listener.gate.serving import serve

    asyncio.run(serve(Directory(Path(asked.directory)), *asked.sockets))
    return 0


def leave(asked: Namespace) -> int:
    from webgarden_listener.leaving import leave as wait

    wait(settings(asked))
    return 0


COMMANDS = {"haproxy": haproxy, "agent": agent, "gate": gate, "gate-child": gate_child, "leave": leave}

if __name__ == "__main__":
    sys.exit(main())
