"""The listener: HAProxy on the request path, an agent that configures it, a gate that holds what no worker can take yet.

Three processes of one image share a directory; each may die alone. `agent` never sees a request, `gate` only one for
which HAProxy has no place.

| process | started as                   | signals                                                                        |
|---------|------------------------------|--------------------------------------------------------------------------------|
| HAProxy | `webgarden-listener haproxy` | USR1: finish what runs, then end (`leave` sends it). TERM: end now             |
| agent   | `webgarden-listener agent`   | TERM, INT, USR1: end now; its successor goes on from disk and from what runs   |
| gate    | `webgarden-listener gate`    | TERM, INT, USR1: end at once with all that it holds; its child: TERM           |

Graceful is `webgarden-listener leave`, the preStop hook of all three: see `leaving`.
"""
