import logging
import os
import sys
from argparse import ArgumentParser

from webgarden_listener.settings import add_arguments, settings


def main():
    p = ArgumentParser()
    c = p.add_subparsers(dest="command")
    for n in ("haproxy", "agent", "leave"):
        add_arguments(c.add_parser(n))
    a = p.parse_args()
    s = settings(a)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {a.command} %(levelname)s %(name)s %(message)s"
    )
    if a.command == "haproxy":
        from webgarden_listener.haproxy.boot import boot

        boot(s)
        os.execvp(s.haproxy.program, [s.haproxy.program, "-f", str(s.directory.config), "-db"])
    from webgarden_listener.agent import run

    run(s)


main()
