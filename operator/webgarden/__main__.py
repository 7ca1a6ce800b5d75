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
        operator = Operator(settings, api)
        running = asyncio.create_task(operator.run(stop))
        started = asyncio.create_task(operator.started.wait())
        await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):  # after kopf's own, and in their place
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
