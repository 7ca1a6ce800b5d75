"""The configuration file of HAProxy, from the table. Pure: the same table gives the same text.

It holds the workers' servers too, so that an HAProxy that starts anew begins with them and not with the gate. What
may change while it runs is in the maps; `sections` tells what needs a reload.

Decided here
- The URI is normalised for the worker too (dot segments, needlessly encoded letters), as HTTP.sys does: a request
  is routed as what the worker will see, so `/api/../admin` and `/%61dmin` are `/admin` for both. Nothing else about
  it is filtered.
- A request that waits in the gate's hands counts against the queue limit: hence `srv_conn_free` of the gate, whose
  `maxconn` the agent keeps at one more than what it splices.
- The gate carries what it holds to the worker. HAProxy could be told to send it again instead (425 and `retry-on`), but
  it would keep a copy of every request for that, warm ones too: a tenth of its time.
- A process that finishes takes no orders any more ("Proxy is disabled"), but still gets requests from the clients whose
  connections it has. It passes them on to the process that accepts, as they came, so that drains, limits and maps are
  one process's matter. When no process follows (`last` in the map `node`), it serves them itself.
- Whoever has a connection to `keeper` keeps the process there after a reload, until its last counters have been read.
- A process that finishes closes each connection with its next answer. No `close-spread-time`: it closes idle ones, and
  a request that is under way to it then is lost (measured).
- `Reason`s are set in one variable and leave in one place, the `http-after-response` rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from webgarden_link import Pool, Worker
from webgarden_listener.haproxy.names import GATE, backend
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing, Target, endpoint, leaves

HARD_STOP = 600
"""Seconds after which a process that finishes ends whatever it still runs."""
PORTS = 65536
"""Added to the number of a port, it is the number of the socket where that port's requests are passed on."""
ANSWER = 120
"""Seconds of silence from a worker before it is given up: HTTP.sys's connection timeout."""
WORKER_OPTIONS = "check inter 300ms fall 2 rise 1 observe layer4 error-limit 3 on-error mark-down"

TERMINATIONS = (
    ("sQ", "QueueTimeout"),
    ("SC", "WorkerUnreachable"),
    ("sC", "WorkerUnreachable"),
    ("SH", "WorkerLost"),
    ("SD", "WorkerLost"),
    ("SL", "WorkerLost"),
    ("sH", "WorkerTimeout"),
    ("sD", "WorkerTimeout"),
    ("PH", "WorkerAnswer"),
    ("PR", "BadRequest"),
    ("cR", "RequestTimeout"),
    ("CQ", "ClientGone"),
    ("CH", "ClientGone"),
    ("CR", "ClientGone"),
    ("RC", "Exhausted"),
)
"""How HAProxy ended a request (the first two letters of its termination state) in our words."""

NOT_FOUND = 'content-type text/plain string "Not Found"'
UNAVAILABLE = 'content-type text/plain string "Service Unavailable"'


@dataclass(frozen=True)
class Frame:
    """What all the text below needs to know besides the table."""

    settings: Settings
    generation: str
    """Of this text, so that a process can be asked what it has loaded."""

    def map(self, name: str) -> str:
        return str(self.settings.directory.maps / f"{name}.map")


def config(frame: Frame, known: Routing, limits: Mapping[Target, int]) -> str:
    """The whole file; `limits` are those of the workers that answer and have a place free."""
    return "\n".join([*opening(frame), *pools(frame, known, limits)]) + "\n"


def opening(frame: Frame) -> Iterable[str]:
    yield from general(frame)
    yield from defaults(frame)
    yield from health(frame)
    yield from keeper(frame)
    yield from front(frame)
    for port in frame.settings.haproxy.ports:
        yield f"backend successor-{port.number} from base"
        yield f"  timeout server {HARD_STOP}s"
        yield "  http-reuse never"
        yield f"  server successor unix@{frame.settings.directory.successor(port.number)} send-proxy-v2"
    yield "backend nowhere from base"
    yield "  http-request set-var(txn.reason) str(PoolMissing)"
    yield f"  http-request deny status 503 {UNAVAILABLE}"


def general(frame: Frame) -> Iterable[str]:
    settings = frame.settings.haproxy
    yield f"# generation {frame.generation}"
    yield "global"
    yield f"  description {frame.generation}"
    yield f"  nbthread {settings.threads}"
    yield "  thread-groups 1"
    yield f"  maxconn {settings.connections}"
    yield "  no strict-limits"  # with too few file descriptors it serves fewer clients instead of none
    yield f"  hard-stop-after {HARD_STOP}s"
    yield "  expose-experimental-directives"


def defaults(frame: Frame) -> Iterable[str]:
    yield "defaults base"
    yield "  mode http"
    yield "  option abortonclose"
    yield "  option idle-close-on-response"
    yield "  option dontlognull"
    yield "  timeout connect 2s"
    yield "  timeout client 120s"
    yield f"  timeout server {ANSWER}s"
    yield "  timeout tunnel 1h"
    yield "  timeout queue 120s"
    yield "  timeout http-request 15s"
    yield f"  timeout http-keep-alive {frame.settings.haproxy.keep_alive}s"
    for status, words in ((400, "Bad Request"), (408, "Request Timeout"), (500, "Internal Server Error")):
        yield f'  http-error status {status} content-type text/plain string "{words}"'
    for status, words in ((502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")):
        yield f'  http-error status {status} content-type text/plain string "{words}"'
    yield "defaults pool from base"
    yield "  balance roundrobin"
    yield "  http-reuse always"
    yield "  option redispatch 1"
    yield "  option allbackups"
    yield "  retries 3"
    yield "  retry-on conn-failure"


def keeper(frame: Frame) -> Iterable[str]:
    yield "frontend keeper from base"
    yield f"  bind unix@{frame.settings.directory.keeper} mode 600"
    yield f"  timeout http-keep-alive {HARD_STOP}s"
    yield "  http-request return status 200"


def health(frame: Frame) -> Iterable[str]:
    yield "frontend health from base"
    yield f"  bind :{frame.settings.haproxy.health_port}"
    yield '  http-request return status 200 content-type text/plain string "ok" if { path /healthz }'
    yield (
        '  http-request return status 200 content-type text/plain string "ready" '
        f"if {{ path /readyz }} {{ str(ready),map_str({frame.map('node')},no) -m str yes }}"
    )
    yield '  http-request return status 503 content-type text/plain string "not ready" if { path /readyz }'
    yield "  http-request use-service prometheus-exporter if { path /metrics }"
    yield '  http-request return status 404 content-type text/plain string "not found"'


LOG = (
    '"%{+json}o %(time)[request_date(ms)] %(client)ci %(site)[var(txn.site)] %(method)HM %(host)[var(txn.host)] %(uri)HU '
    "%(status)ST %(reason)[var(txn.reason)] %(pool)[var(txn.pool)] %(server)s %(queue_ms)Tw %(queue_position)bq "
    '%(connect_ms)Tc %(answer_ms)Tr %(total_ms)Ta %(bytes)B %(retries)rc %(termination)ts"'
)


def front(frame: Frame) -> Iterable[str]:
    yield "frontend www from base"
    yield "  log stdout format raw local0 info"
    if not frame.settings.haproxy.log_all:
        yield "  option dontlog-normal"
    for port in frame.settings.haproxy.ports:
        yield f"  bind :{port.container} id {port.number} backlog 8192"
        successor = frame.settings.directory.successor(port.number)
        yield f"  bind unix@{successor} mode 600 accept-proxy id {PORTS + port.number} backlog 8192"
    yield f"  log-format {LOG}"
    yield from passing_on(frame)
    yield from normalising()
    yield from routing(frame)
    yield from forwarding()
    yield from refusing(frame)
    yield from reasons(frame)
    yield "  use_backend successor-%[var(txn.port)] if { var(txn.old) -m found }"
    yield "  use_backend %[var(txn.pool)]"
    yield "  default_backend nowhere"


def passing_on(frame: Frame) -> Iterable[str]:
    """What a process that finishes does with a request; it is logged where it goes to, unless it gets no answer."""
    yield f"  http-request set-var(txn.port) so_id,mod({PORTS})"
    last = f"{{ str(last),map_str({frame.map('node')},no) -m str yes }}"
    yield f"  http-request set-var(txn.old) int(1) if {{ stopping }} !{last}"
    yield "  http-request allow if { var(txn.old) -m found }"
    yield "  http-response set-log-level silent if { var(txn.old) -m found }"


def normalising() -> Iterable[str]:
    yield "  http-request normalize-uri percent-decode-unreserved if { url -m sub % }"  # before the dots: %2e%2e
    yield "  http-request normalize-uri path-strip-dot if { path -m sub /. }"
    yield "  http-request normalize-uri path-strip-dotdot full if { path -m sub /. }"


def routing(frame: Frame) -> Iterable[str]:
    yield "  http-request set-var(txn.host) req.hdr(host),host_only,rtrim(.),lower"
    at = "var(txn.host),concat(:,txn.port)"
    yield f"  http-request set-var(txn.site) {at},map_str({frame.map('hosts')})"
    yield f"  http-request set-var(txn.site) {at},map_end({frame.map('wild')}) unless {{ var(txn.site) -m found }}"
    yield "  http-request set-var(txn.path) path,lower"
    yield f"  http-request set-var(txn.pool) var(txn.site),concat(,txn.path,/),map_beg({frame.map('paths')})"
    yield f"  http-request set-var(txn.limit) var(txn.pool),map_str_int({frame.map('queues')})"


def refusing(frame: Frame) -> Iterable[str]:
    """What has no pool that takes requests. Those that have one are not looked at any further."""
    refused = "if { var(txn.reason) -m found }"
    yield "  http-request allow if { var(txn.limit) -m found }"
    yield "  http-request set-var(txn.reason) str(NoSite) unless { var(txn.site) -m found }"
    yield f"  http-request return status 404 {NOT_FOUND} {refused}"
    yield "  http-request set-var(txn.reason) str(NoApplication) unless { var(txn.pool) -m found }"
    yield f"  http-request return status 404 {NOT_FOUND} {refused}"
    yield f"  http-request set-var(txn.state) var(txn.pool),map_str({frame.map('states')},PoolMissing)"
    yield "  http-request set-var(txn.reason) var(txn.state) unless { var(txn.state) -m str Started }"
    yield f"  http-request return status 503 {UNAVAILABLE} {refused}"
    yield "  http-request set-var(txn.limit) int(1000)"  # the pool starts in this moment, and one map is behind the other


def forwarding() -> Iterable[str]:
    """What a worker learns of the client. A name with underscores is the same name to a CGI or WSGI application."""
    for prefix in ("x-forwarded", "x_forwarded", "x-webgarden", "x_webgarden"):
        yield f"  http-request del-header {prefix} -m beg"
    yield "  http-request set-header X-Forwarded-For %[src]"
    yield "  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]"
    yield "  http-request set-header X-Forwarded-Host %[req.hdr(host)]"
    yield "  http-request set-header X-Webgarden-Site %[var(txn.site)]"


def reasons(frame: Frame) -> Iterable[str]:
    """Why the listener itself answered: a header for the client, a variable for the log."""
    unknown = "!{ var(txn.reason) -m found }"
    yield "  http-response set-var(txn.answered) int(1)"
    refusal = f"{{ status 503 }} {{ srv_name -m str {GATE} }}"
    yield f"  http-response set-var(txn.reason) res.hdr(X-Webgarden-Reason) if {refusal}"
    yield "  http-after-response allow if { var(txn.answered) -m found }"
    yield (
        f"  http-after-response set-var(txn.state) var(txn.pool),map_str({frame.map('states')},PoolMissing) "
        f"if {unknown} {{ var(txn.pool) -m found }}"
    )
    yield (
        "  http-after-response set-var(txn.reason) var(txn.state) "
        f"if {unknown} {{ var(txn.state) -m found }} !{{ var(txn.state) -m str Started }}"
    )
    yield (
        "  http-after-response set-var(txn.reason) "
        f"txn.sess_term_state,map_str({frame.map('terminations')},Internal) if {unknown}"
    )
    yield "  http-after-response set-header X-Webgarden-Reason %[var(txn.reason)]"
    yield "  http-after-response set-var(txn.retry) int(1) if { status 503 }"
    yield (
        f"  http-after-response set-var(txn.retry) var(txn.pool),map_str_int({frame.map('retry')},1) "
        "if { status 503 } { var(txn.pool) -m found }"
    )
    yield (
        "  http-after-response set-header Retry-After %[var(txn.retry)] if { status 503 } { var(txn.retry) -m int gt 0 }"
    )
    if not frame.settings.haproxy.log_all:
        yield "  http-after-response do-log if { status 404 }"  # what HAProxy itself does not take for a failure


def pools(frame: Frame, known: Routing, limits: Mapping[Target, int]) -> Iterable[str]:
    for key in sorted(known.pools):
        pool = known.pools[key]
        yield from backend_of(frame, pool)
        yield from (
            f"  server {worker.name} {options(worker, limits[key, endpoint(worker)])}"
            for worker in pool.workers
            if (key, endpoint(worker)) in limits and not leaves(pool, worker)
        )


def backend_of(frame: Frame, pool: Pool) -> Iterable[str]:
    name = backend(pool.key)
    yield f"backend {name} from pool"
    yield f"  timeout queue {pool.queue_timeout}s"
    yield f"  timeout server {pool.queue_timeout + ANSWER}s"  # what waits in the gate's hands has a server already
    # Full when `queue` and what the gate holds are `limit`. It holds one at most, and its free slots tell: `1 - free`.
    near = "if { queue gt 0 } or { var(txn.limit) -m int le 1 }"  # else it cannot be
    yield f"  http-request set-var(txn.free) srv_conn_free({name}/{GATE}) {near}"
    yield "  acl full queue,add(2),sub(txn.free),sub(txn.limit) ge 1"  # a negative number would be read as a flag
    yield "  http-request set-var(txn.reason) str(QueueFull) if { var(txn.free) -m found } full"
    yield f"  http-request deny status 503 {UNAVAILABLE} if {{ var(txn.reason) -m found }}"
    yield (
        f"  server {GATE} unix@{frame.settings.directory.gate} backup maxconn 1 pool-max-conn 0 send-proxy-v2"
        " set-proxy-v2-tlv-fmt(0xE0) %[be_name] set-proxy-v2-tlv-fmt(0xE1) %[request_date(ms)]"
    )


def options(worker: Worker, limit: int) -> str:
    """A server's address and options, the same in the file and in `add server`: that one inherits no defaults."""
    address = f"[{worker.address}]" if ":" in worker.address else worker.address
    return f"{address}:{worker.port} maxconn {limit} {WORKER_OPTIONS}"
