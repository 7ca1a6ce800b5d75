"""The messages between operator and listener. This package does no I/O and knows neither of them.

One WebSocket, opened by the listener; every frame is one JSON object with a `kind`.

| kind        | direction | when                               | meaning                                               |
|-------------|-----------|------------------------------------|-------------------------------------------------------|
| `Hello`     | listener  | first frame                        | who I am, which version of these messages I speak     |
| `Refusal`   | operator  | instead of `Table`, then it closes | why this listener may not come in                     |
| `Table`     | operator  | after `Hello`                      | every pool and site; replaces all that was known      |
| `Change`    | operator  | from then on                       | pools and sites that differ, and those that went      |
| `Listeners` | operator  | when one comes or goes for good    | among how many the limits are divided                 |
| `Demand`    | listener  | a request waits for a pool without | start a worker; said at once, and again every second  |
|             |           | a worker                           | while it lasts                                        |
| `Report`    | listener  | after `Table` for every pool and   | the listener's view of pools and sites, which version |
|             |           | site, then for those that differ   | of each HAProxy has, and which sites it refuses       |

Every pool and site has a version of its own, so one change makes one report a listener. Counters in a report are totals
by the life of the listener's HAProxy (`boot`). They only grow, so a lost or repeated frame changes nothing, and an
operator that comes back learns the true count.

Versions: `PROTOCOL` is raised when a message changes its meaning. Fields that are unknown are ignored (a newer peer may
send more), kinds that are unknown are refused (`LinkError`): half understood is worse than not connected. What must not
be ignored is named in `Site.requires`.
"""

from webgarden_link.messages import (
    FEATURES,
    PROTOCOL,
    Affinity,
    Application,
    Binding,
    Change,
    Demand,
    Hello,
    LinkError,
    Listeners,
    Message,
    Pool,
    PoolReport,
    PoolState,
    Refusal,
    Report,
    Site,
    SiteReport,
    Table,
    Worker,
    WorkerReport,
    WorkerState,
    WorkerStatus,
    decode,
    encode,
)

__all__ = [
    "FEATURES",
    "PROTOCOL",
    "Affinity",
    "Application",
    "Binding",
    "Change",
    "Demand",
    "Hello",
    "LinkError",
    "Listeners",
    "Message",
    "Pool",
    "PoolReport",
    "PoolState",
    "Refusal",
    "Report",
    "Site",
    "SiteReport",
    "Table",
    "Worker",
    "WorkerReport",
    "WorkerState",
    "WorkerStatus",
    "decode",
    "encode",
]
