"""The ports. A port's number for sites is its id here, since HAProxy itself listens on another one."""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.rules.frame import Frame

IPV6 = 65536
"""Added to a port's number, it is the id of its other socket: a client's IPv4 address stays one that way."""


def frontend(frame: Frame) -> Iterator[str]:
    yield f"maxconn {frame.connections}"
    for port in frame.settings.haproxy.ports:
        yield f"bind :{port.container} id {port.number} backlog 8192"
        if frame.ipv6:
            yield f"bind :::{port.container} v6only id {IPV6 + port.number} backlog 8192"
    yield f"tcp-request session set-var(sess.port) so_id,mod({IPV6})"
