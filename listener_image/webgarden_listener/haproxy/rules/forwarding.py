"""What the worker learns of the client: from us alone.

Whatever says who a client is, is taken off a request and written anew: a name with underscores is the same name to a CGI
or WSGI application, and `Proxy` becomes its HTTP_PROXY. `Connection` names what is for one hop only; what a client
names there must not be taken off on the way behind us.

Negotiate and NTLM prove who a connection's client is, not a request's. A client that uses them has connections to the
workers of its own, by the name of `OWN`: on a shared one the next client's requests would be taken for its.
"""

from __future__ import annotations

from collections.abc import Iterator

from webgarden_listener.haproxy.names import OWN
from webgarden_listener.haproxy.rules.frame import Frame

OURS = "^(x[-_](forwarded|webgarden|real[-_]ip)|forwarded$|proxy([-_]connection)?$)"


def frontend(frame: Frame) -> Iterator[str]:
    yield f"http-request del-header {OURS} -m reg"
    bound = f"{{ req.hdr(authorization) -m beg -i negotiate ntlm }} !{{ var({OWN}) -m found }}"
    yield f"http-request set-var({OWN}) uuid if {bound}"
    upgrade = "{ req.hdr(upgrade) -m found } { req.fhdr(connection) -m sub -i upgrade }"
    yield f"http-request set-var(txn.upgrade) int(1) if {upgrade}"
    yield "http-request set-header Connection upgrade if { var(txn.upgrade) -m found }"
    yield "http-request del-header Connection if { req.fhdr(connection) -m found } !{ var(txn.upgrade) -m found }"
    yield "http-request add-header X-Forwarded-Proto https if { ssl_fc }"
    yield "http-request add-header X-Forwarded-Proto http if !{ ssl_fc }"
    yield "http-request add-header X-Forwarded-Host %[req.hdr(host)] if { req.hdr(host) -m found }"
    yield "http-request add-header X-Webgarden-Site %[var(txn.site)]"


def pool(frame: Frame) -> Iterator[str]:
    yield "option forwardfor"
