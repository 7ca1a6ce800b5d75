"""The worker of an application pool: one process that hosts several applications, as w3wp does.

Application code needs one thing from here:

    from webgarden_worker import declare_unhealthy
    declare_unhealthy("the licence server does not answer")

The worker goes on serving; the pool sees the reason at its next ping and replaces the worker by a fresh one.
"""

from webgarden_worker.health import declare_unhealthy

__all__ = ["declare_unhealthy"]
