"""The messages between operator and listener. This package does no I/O and knows neither of them.

One WebSocket, opened by the listener; every frame is one JSON object with a `kind`.

| kind      | direction | when                                  | meaning |
|-----------|-----------|---------------------------------------|------------------------------------------------------|
| `Hello`   | listener  | first frame                           | who I am and which version of these messages I speak |
| `Refusal` | operator  | instead of `Table`, then it closes    | why this listener may not come in |
| `Table`   | operator  | after `Hello`                         | every pool and site; replaces all that was known |
| `Change`  | operator  | from then on                          | the pools and sites that differ, and those that went |
| `Applied` | listener  | after each `Table` and `Change`       | HAProxy now runs this version |
| `Failed`  | listener  | instead of `Applied`                  | HAProxy refused it; the version before goes on |
| `Demand`  | listener  | a request waits for a pool without a  | start a worker; said at once, and again every second |
|           |           | worker                                | while it lasts |
| `Report`  | listener  | after `Table` for every pool, then    | the listener's view of one pool: a level, never an |
|           |           | whenever it differs                   | event, so the newest one is the whole truth |

Counters in a `Report` are totals since the listener first saw the worker. They only grow, so a lost or repeated frame
changes nothing, and an operator that comes back learns the true count.

Versions: `PROTOCOL` is raised when a message changes its meaning. Fields that are unknown are ignored (a newer peer may
send more), kinds that are unknown are refused (`LinkError`): half understood is worse than not connected.
"""

from webgarden_link.messages import (
    PROTOCOL,
    Application,
    Applied,
    Binding,
    Change,
    Demand,
    Failed,
    Hello,
    LinkError,
    Message,
    Pool,
    PoolState,
    Refusal,
    Report,
    Site,
    Table,
    Worker,
    WorkerReport,
    WorkerState,
    decode,
    encode,
)

__all__ = [
    "PROTOCOL",
    "Application",
    "Applied",
    "Binding",
    "Change",
    "Demand",
    "Failed",
    "Hello",
    "LinkError",
    "Message",
    "Pool",
    "PoolState",
    "Refusal",
    "Report",
    "Site",
    "Table",
    "Worker",
    "WorkerReport",
    "WorkerState",
    "decode",
    "encode",
]
