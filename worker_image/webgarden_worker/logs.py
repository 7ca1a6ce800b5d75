"""The worker's log: standard output, one line an entry, UTC.

Only the loggers of the worker and of its server are set up. The root logger is left to the applications, which
configure their own logging and would print everything twice otherwise. The listener writes a line for each request;
the worker's access log is for looking closely at one worker.
"""

import logging
import sys
import time

from webgarden_worker.settings import Settings

_OURS = ("webgarden_worker", "uvicorn", "uvicorn.error", "uvicorn.access")


def set_up(*, pool: str, worker: str) -> None:
    formatter = logging.Formatter(f"%(asctime)s %(levelname)s {pool}/{worker} %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    for name in ("webgarden_worker", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # Its starts and stops are told by us.


def switch_on_again() -> None:
    """Undo what an application's `logging.config.dictConfig` does by default: it disables every logger it finds."""
    for name in _OURS:
        logging.getLogger(name).disabled = False


def describe(settings: Settings) -> None:
    log = logging.getLogger("webgarden_worker")
    for application in settings.applications:
        log.info("Hosting %s as %s", application, application.kind.value)
    if not settings.applications:
        log.warning("Nothing to host: no Site names an application for this pool")
