"""The gate: takes the first request of a pool that has no worker, says so, and carries it to the worker when there is one.

HAProxy hands over one request a pool and keeps all others in its own queue, so what happens here is seldom much.
It is a process of its own that nothing restarts: when its listening socket goes away, HAProxy throws the whole
queue into it (measured: 19 of 20 waiting requests were lost). For that reason a parent that does nothing else owns
the sockets, and a child that does the work may die.
"""
