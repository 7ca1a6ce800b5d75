"""Requests a second through the listener, beside a plain HAProxy with as many threads and one server, and beside no proxy.

The plain one is the listener's own HAProxy, of the same image, and shares connections to its server by the same rule
(`http-reuse safe`): what is left between the two are the rules.

The worker is an HAProxy that answers by itself, so that neither it nor the client (`wrk`) is what is measured. All
take turns in each round, so that a machine that is busy with something else for a while slows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench import wrk
from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row, at_least
from tests.bench.processes import sample
from tests.cluster import images
from tests.e2e.asking import Place
from tests.e2e.installation import LISTENER_PORT
from tests.e2e.kubernetes import Body, environment

from webgarden.manifests.listener import HAPROXY_RESOURCES

TITLE = "Throughput"
SECONDS = 4
FEW = 4
"""Connections that do not saturate anything, for the latency."""
PORT = 8080
RESOURCES = HAPROXY_RESOURCES
"""Of all that take part: a busy node gives its time by what pods ask for."""
BODY = "x" * 128

BACKEND = f"""
global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout connect 2s
  timeout server 60s
frontend www
  bind :{PORT}
  http-request return status 200 content-type text/plain string "{BODY}"
"""
PLAIN = """
global
  nbthread {threads}
defaults
  mode http
  timeout client 60s
  timeout connect 2s
  timeout server 60s
  http-reuse safe
frontend www
  bind :8080
  default_backend one
backend one
  server worker {address}:8080
"""
LOG = "  log stdout format raw local0 info\n  option httplog\n"


@dataclass(frozen=True)
class Turn:
    rate: float
    p50: float
    p99: float
    few_p50: float
    microseconds: float
    """CPU of the proxy for a request."""


Turns = dict[str, list[Turn]]


@dataclass(frozen=True)
class Target:
    place: Place
    pod: Body
    container: str


def run(bed: Bed, rounds: int) -> Report:
    wrk.install()
    targets, host = _targets(bed)
    usual = _turns({name: targets[name] for name in ("listener", "plain", "direct")}, host, rounds)
    with _everything_logged(bed):
        logging = {"listener": _listener(bed), "plain": targets["plain"], "logging": targets["logging"]}
        logged = _turns(logging, host, rounds)
    return _report(usual, logged)


def _turns(targets: Mapping[str, Target], host: str, rounds: int) -> Turns:
    turns: Turns = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            turns[name].append(_turn(target, host))
    return turns


@contextmanager
def _everything_logged(bed: Bed) -> Iterator[None]:
    try:
        bed.installation.install("webServer.spec.listener.accessLog=All")
        bed.installation.rolled_out("WEBGARDEN_ACCESS_LOG", "All")
        yield
    finally:
        bed.installation.install()
        bed.installation.rolled_out("WEBGARDEN_ACCESS_LOG", "Failed")


def _listener(bed: Bed) -> Target:
    pod = bed.installation.pods("listener")[0]
    return Target(Place(pod["status"]["podIP"], LISTENER_PORT), pod, "haproxy")


def _targets(bed: Bed) -> tuple[Mapping[str, Target], str]:
    tenant = bed.tenant
    tenant.apply("v1", "ConfigMap", "fast", data={"fast.cfg": BACKEND})
    worker = {
        "image": images.LISTENER,
        "command": ["haproxy", "-f", "/fast/fast.cfg"],
        "volumes": [{"name": "fast", "configMap": {"name": "fast"}}],
        "volumeMounts": [{"name": "fast", "mountPath": "/fast"}],
        "maxConcurrentRequests": 1000,
        "resources": RESOURCES,
    }
    pool = tenant.garden("fast", worker=worker, startMode="AlwaysRunning")
    name = pool.running(1)[0]
    pod = next(p for p in tenant.pods("fast") if p["metadata"]["name"] == name)
    listener = _listener(bed)
    threads = environment(listener.pod, "haproxy")["WEBGARDEN_THREADS"]
    configuration = PLAIN.format(threads=threads, address=pod["status"]["podIP"])
    plain = _plain(bed, "plain", configuration)
    logging = _plain(bed, "logging", configuration.replace("frontend www\n", f"frontend www\n{LOG}"))
    return {
        "listener": listener,
        "plain": Target(Place(plain["status"]["podIP"], PORT), plain, "haproxy"),
        "logging": Target(Place(logging["status"]["podIP"], PORT), logging, "haproxy"),
        "direct": Target(Place(pod["status"]["podIP"], PORT), pod, "worker"),
    }, pool.host


def _plain(bed: Bed, name: str, configuration: str) -> Body:
    """A pod with an HAProxy that does nothing but forward."""
    bed.tenant.apply("v1", "ConfigMap", name, data={"plain.cfg": configuration})
    container = {
        "name": "haproxy",
        "image": images.LISTENER,
        "imagePullPolicy": "IfNotPresent",
        "command": ["haproxy", "-f", "/plain/plain.cfg"],
        "volumeMounts": [{"name": "plain", "mountPath": "/plain"}],
        "resources": RESOURCES,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": "plain", "configMap": {"name": name}}]
    spec = {"containers": [container], "volumes": volumes, "securityContext": security}
    bed.tenant.apply("v1", "Pod", name, spec=spec)
    return bed.until_ready(name)


def _turn(target: Target, host: str) -> Turn:
    few = wrk.load(target.place, host, seconds=max(1, SECONDS // 2), connections=FEW)
    before = sample([target.pod])
    many = wrk.load(target.place, host, seconds=SECONDS)
    spent = sample([target.pod]).since(before, target.container)
    assert not many.failed + few.failed, f"{many.failed + few.failed} requests failed at {target.place}"
    return Turn(many.rate, many.p50, many.p99, few.p50, 1e6 * spent / many.requests)


def _ratio(turns: Turns, ours: str, other: str) -> Figure:
    return Figure.of(one.rate / two.rate for one, two in zip(turns[ours], turns[other], strict=True))


def _report(usual: Turns, logged: Turns) -> Report:
    """`logged`: turns in which the listener logged every request."""

    def row(what: str, value: Callable[[Turn], float]) -> Row:
        ours, other = (Figure.of(map(value, usual[name])) for name in ("listener", "plain"))
        return Row(what, ours, "plain HAProxy", other)

    rate = "requests a second, 64 connections"
    compared = "of a plain HAProxy's requests a second"
    everything = "the same with every request logged (`accessLog: All`)"
    rows = (
        row(rate, lambda turn: turn.rate),
        Row(compared, _ratio(usual, "listener", "plain"), goal=at_least(0.9)),
        Row(
            everything,
            _ratio(logged, "listener", "plain"),
            "plain HAProxy that logs",
            _ratio(logged, "logging", "plain"),
        ),
        Row(
            "of the requests a second without a proxy",
            _ratio(usual, "listener", "direct"),
            "plain HAProxy",
            _ratio(usual, "plain", "direct"),
        ),
        row("p99 at 64 connections, ms", lambda turn: turn.p99),
        row("p50 at 4 connections, ms", lambda turn: turn.few_p50),
        row("CPU of the proxy for a request, us", lambda turn: turn.microseconds),
    )
    how = (
        f"wrk, one thread, {SECONDS} s a turn, kept connections, {len(BODY)} bytes; one listener with its whole "
        "configuration (routing, queue limits, the log of what failed) and a worker that is an HAProxy which answers by "
        "itself; the plain HAProxy has as many threads, one server, the same image and the same `http-reuse`, and logs "
        "nothing; one that logs does so to its container's output, as the listener does. All share the machine's cores."
    )
    return Report(TITLE, how, rows, summary=(rate, compared, everything, rows[4].what, rows[6].what))
