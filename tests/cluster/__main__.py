"""`python -m tests.cluster VERB`: make, use and end the test cluster."""

import argparse
import os
import sys
from pathlib import Path

from tests.cluster import images, progress, ways
from tests.cluster.errors import ClusterError


def main() -> int:
    options = _parser().parse_args()
    progress.verbose = options.progress
    try:
        _do(options, ways.chosen())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _do(options: argparse.Namespace, cluster: ways.Way) -> None:
    match options.verb:
        case "up":
            cluster.up()
        case "down":
            cluster.down(purge=options.purge)
        case "status":
            print(cluster.status())
        case "kubeconfig":
            print(cluster.kubeconfig())
        case "load":
            cluster.load(options.images)
        case "build":
            _build(cluster, options.extra)
        case "exec":
            command = cluster.inside(options.command)
            os.execvpe(command[0], command, cluster.environment())


def _build(cluster: ways.Way, extras: list[tuple[str, str]]) -> None:
    for image in [*images.ours(), *(images.extra(Path(folder), tag) for folder, tag in extras)]:
        progress.step(f"building {image.tag}")
        cluster.build(image)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--progress", action="store_true", help="show what long commands print")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, description=text, parents=[shared])

    verb("up", "make the cluster, unless it is up")
    down = verb("down", "end the cluster and leave nothing of it")
    down.add_argument("--purge", action="store_true", help="nor what was built for it")
    verb("status", "say whether it is up, and where")
    verb("kubeconfig", "print the path of the kubeconfig")
    load = verb("load", "make images of the local storage available to the cluster")
    load.add_argument("images", nargs="+", metavar="IMAGE")
    build = verb("build", "build the images of this project which have a Dockerfile")
    build.add_argument(
        "--extra",
        action="append",
        default=[],
        type=_extra,
        metavar="DIR=TAG",
        help="one more image",
    )
    command = verb("exec", "run a command where pods and services can be reached")
    command.add_argument("command", nargs="+", metavar="-- CMD")
    return parser


def _extra(text: str) -> tuple[str, str]:
    folder, _, tag = text.partition("=")
    if not tag:
        raise argparse.ArgumentTypeError(f"{text} is not DIR=TAG")
    return folder, tag


if __name__ == "__main__":
    sys.exit(main())
