"""What may go wrong with HAProxy."""

from __future__ import annotations


class HAProxyError(Exception):
    """HAProxy did not do what it was told, in its own words, or could not be told."""


class HAProxyAway(HAProxyError):
    """Nobody answers on its socket."""
