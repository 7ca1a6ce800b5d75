"""The worker of an application pool: one process that hosts several applications, as w3wp does.

Application code needs one thing from here:

    from webgarden_worker import declare_unhealthy
    declare_unhealthy("the licence server does not answer")

The worker goes on serving, and its control port tells the reason to whoever pings or asks for its figures.
"""

from webgarden_worker.health import declare_unhealthy

__all__ = ["declare_unhealthy"]
