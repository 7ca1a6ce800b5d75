"""The command `webgarden`: run the operator. Settings come from the environment, which the chart fills."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys

from kubernetes.aio.config import ConfigException

from webgarden.cluster.client import connect
from webgarden.operating import Operator
from webgarden.settings import Settings, SettingsError

log = logging.getLogger("webgarden")


async def run(settings: Settings) -> int:
    api = await connect()
    stop = asyncio.Event()
    try:
        running = asyncio.create_task(Operator(settings, api).run(stop))
        await asyncio.sleep(0.5)  # kopf sets its own signal handlers when it starts; ours come after
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await running
    finally:
        await api.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="webgarden", description="IIS application pools on Kubernetes: the operator.")
    parser.add_argument("--verbose", action="store_true", help="log every look")
    arguments = parser.parse_args()
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for quiet in ("kopf", "kubernetes.aio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    try:
        settings = Settings.from_environment(os.environ)
        return asyncio.run(run(settings))
    except (SettingsError, ConfigException) as error:
        log.error("%s", error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
