"""The listener: HAProxy on the request path, and an agent that configures it and never sees a request.

Two containers of one image share a directory; each may die alone, and what dies is started anew in its container.

| container | its first process            | keeps running                                                         |
|-----------|------------------------------|-----------------------------------------------------------------------|
| `haproxy` | `webgarden-listener haproxy` | HAProxy; before each start `boot` makes its files from the last table |
| `agent`   | `webgarden-listener agent`   | `agent-process`, killed when it gives no sign of life                 |

TERM and INT end a container now. Graceful are the preStop hooks, `webgarden-listener leave` for HAProxy and
`webgarden-listener stay` for the agent: see `leaving`.
"""
