"""`GET /healthz` of the agent's container, for the kubelet: whether the agent gets on.

The supervisor answers, in its own loop, so nothing here blocks, and nothing that a client does may end it. A client that
is slow waits for itself alone: when there are too many, the oldest is dropped. On IPv4 and IPv6.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from webgarden_listener.supervising import Supervisor

CLIENTS = 64
HEAD = 8192
"""Most bytes of a request."""


class Liveness:
    def __init__(self, port: int, supervisor: Supervisor, alive: Callable[[], bool]) -> None:
        """Raises `OSError`."""
        self._supervisor = supervisor
        self._alive = alive
        self._heads: dict[socket.socket, bytes] = {}
        self._socket = listen(port)
        supervisor.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the client has gone again
            client, _ = self._socket.accept()
            client.setblocking(False)
            self._supervisor.watch(client.fileno(), lambda: self._read(client))
            self._heads[client] = b""
        if len(self._heads) > CLIENTS:
            self._drop(next(iter(self._heads)))

    def _read(self, client: socket.socket) -> None:
        try:
            piece = client.recv(HEAD)
        except BlockingIOError:
            return
        except OSError:
            return self._drop(client)
        head = self._heads[client] = self._heads[client] + piece
        # It is read whole: the kernel would throw our answer away together with what is left unread.
        if b"\r\n\r\n" in head:
            with contextlib.suppress(OSError):
                client.send(answer(head, alive=self._alive()))
        elif piece and len(head) < HEAD:
            return None
        return self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        del self._heads[client]
        self._supervisor.forget(client.fileno())
        client.close()


def listen(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    made = socket.create_server(("", port), family=family, backlog=CLIENTS, dualstack_ipv6=both)
    made.setblocking(False)
    return made


def answer(head: bytes, *, alive: bool) -> bytes:
    if not head.startswith(b"GET /healthz "):
        status, text = "404 Not Found", "not found\n"
    elif alive:
        status, text = "200 OK", "ok\n"
    else:
        status, text = "503 Service Unavailable", "the agent gives no sign of life\n"
    lines = (f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(text)}", "Connection: close")
    return "\r\n".join([*lines, "", text]).encode()
