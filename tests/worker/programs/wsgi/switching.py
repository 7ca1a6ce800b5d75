"""Configures logging as programs do, which by default disables every logger there is."""

import logging.config

from ledger import app  # type: ignore[import-not-found]

logging.config.dictConfig({"version": 1, "root": {"level": "WARNING"}})
__all__ = ["app"]
