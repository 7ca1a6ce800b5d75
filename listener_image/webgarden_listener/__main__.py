"""The command `webgarden-listener`.

Each sub-command imports what it needs and no more. The two that run for ever turn into something smaller.
"""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence

from webgarden_listener.settings import SettingsError, add_arguments, settings

HELP = {
    "haproxy": "keep HAProxy running, with the last table",
    "agent": "keep an agent running, which keeps HAProxy as the operator wants it",
    "leave": "preStop hook of HAProxy: let clients go elsewhere, wait until they have",
    "stay": "preStop hook of the agent: wait until HAProxy has left",
}


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    asked = parser().parse_args(words)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {asked.command} %(levelname)s %(name)s %(message)s"
    )
    try:
        return COMMANDS[asked.command](asked, words[1:])
    except SettingsError as error:
        print(f"webgarden-listener: {error}", file=sys.stderr)
        return 2


def parser() -> ArgumentParser:
    made = ArgumentParser(prog="webgarden-listener", description="The listener of Webgarden; see the sub-commands.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in HELP.items():  # the others, which have no help, are for our own use and are not listed
        add_arguments(commands.add_parser(name, help=text, description=text))
    add_arguments(commands.add_parser("agent-process"))
    boot = commands.add_parser("boot")
    add_arguments(boot)
    boot.add_argument("--empty", action="store_true")
    return made


def own(command: str, words: Iterable[str]) -> list[str]:
    """One of these sub-commands as a program to run."""
    return [sys.executable, "-m", "webgarden_listener", command, *words]


def haproxy(asked: Namespace, words: list[str]) -> int:
    from webgarden_listener.haproxy import descriptors
    from webgarden_listener.leaving import forget
    from webgarden_listener.supervising import become

    made = settings(asked)
    forget(made.directory)
    fit = descriptors.provide(made.haproxy.connections)
    making = own("boot", [*words, f"--connections={fit}"])
    return become("webgarden_listener.haproxy.process", [made.haproxy.program, str(made.directory.config), *making])


def boot(asked: Namespace, _words: list[str]) -> int:
    from webgarden_listener.haproxy.boot import boot as make

    make(settings(asked), empty=asked.empty)
    return 0


def agent(asked: Namespace, words: list[str]) -> int:
    from webgarden_listener.supervising import become

    made = settings(asked)
    watched = own("agent-process", words)
    return become("webgarden_listener.watching", [str(made.agent_health_port), str(made.timing.silence), *watched])


def agent_process(asked: Namespace, _words: list[str]) -> int:
    from webgarden_listener.agent import run

    return run(settings(asked))


def leave(asked: Namespace, _words: list[str]) -> int:
    from webgarden_listener import leaving

    leaving.leave(settings(asked))
    return 0


def stay(asked: Namespace, _words: list[str]) -> int:
    from webgarden_listener import leaving

    leaving.stay(settings(asked))
    return 0


COMMANDS = {
    "haproxy": haproxy,
    "agent": agent,
    "leave": leave,
    "stay": stay,
    "boot": boot,
    "agent-process": agent_process,
}

if __name__ == "__main__":
    sys.exit(main())
