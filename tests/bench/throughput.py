"""Requests a second through the listener, beside a plain HAProxy with as many threads and one server, and beside no proxy.

The worker is an HAProxy that answers by itself, so that neither it nor the client (`wrk`) is what is measured. All
take turns in each round, so that a machine that is busy with something else for a while slows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.bench import wrk
from tests.bench.bed import Bed, variable
from tests.bench.figures import Figure, Report, Row, at_least
from tests.bench.processes import sample
from tests.cluster import images
from tests.e2e.asking import Place
from tests.e2e.installation import LISTENER_PORT
from tests.e2e.kubernetes import Body

TITLE = "Throughput"
SECONDS = 4
FEW = 4
"""Connections that do not saturate anything, for the latency."""
PORT = 8080
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
  http-reuse always
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


@dataclass(frozen=True)
class Target:
    place: Place
    pod: Body
    container: str


def run(bed: Bed, rounds: int) -> Report:
    wrk.install()
    targets, host = _targets(bed)
    turns: dict[str, list[Turn]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            turns[name].append(_turn(target, host))
    return _report(turns)


def _targets(bed: Bed) -> tuple[Mapping[str, Target], str]:
    tenant = bed.tenant
    tenant.apply("v1", "ConfigMap", "fast", data={"fast.cfg": BACKEND})
    worker = {
        "image": images.LISTENER,
        "command": ["haproxy", "-f", "/fast/fast.cfg"],
        "volumes": [{"name": "fast", "configMap": {"name": "fast"}}],
        "volumeMounts": [{"name": "fast", "mountPath": "/fast"}],
        "maxConcurrentRequests": 1000,
    }
    pool = tenant.garden("fast", worker=worker, startMode="AlwaysRunning")
    name = pool.running(1)[0]
    pod = next(p for p in tenant.pods("fast") if p["metadata"]["name"] == name)
    listener = bed.installation.pods("listener")[0]
    threads = variable(listener, "haproxy", "WEBGARDEN_THREADS")
    configuration = PLAIN.format(threads=threads, address=pod["status"]["podIP"])
    plain = _plain(bed, "plain", configuration)
    logging = _plain(bed, "logging", configuration.replace("frontend www\n", f"frontend www\n{LOG}"))
    return {
        "listener": Target(Place(listener["status"]["podIP"], LISTENER_PORT), listener, "haproxy"),
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


def _report(turns: Mapping[str, list[Turn]]) -> Report:
    def figure(name: str, value: Callable[[Turn], float]) -> Figure:
        return Figure.of(map(value, turns[name]))

    def row(what: str, value: Callable[[Turn], float]) -> Row:
        return Row(what, figure("listener", value), "plain HAProxy", figure("plain", value))

    def ratio(to: str) -> Figure:
        pairs = zip(turns["listener"], turns[to], strict=True)
        return Figure.of(ours.rate / other.rate for ours, other in pairs)

    rate = "requests a second, 64 connections"
    compared = "of a plain HAProxy's requests a second"
    logged = "of those of a plain HAProxy that logs to its container's output"
    rows = (
        row(rate, lambda turn: turn.rate),
        Row(compared, ratio("plain"), goal=at_least(0.8)),
        Row(logged, ratio("logging")),
        Row(
            "of the requests a second without a proxy",
            ratio("direct"),
            "plain HAProxy",
            Figure.of(p.rate / d.rate for p, d in zip(turns["plain"], turns["direct"], strict=True)),
        ),
        row("p99 at 64 connections, ms", lambda turn: turn.p99),
        row("p50 at 4 connections, ms", lambda turn: turn.few_p50),
        row("CPU of the proxy for a request, us", lambda turn: turn.microseconds),
    )
    how = (
        f"wrk, one thread, {SECONDS} s a turn, kept connections, {len(BODY)} bytes; one listener with its whole "
        "configuration (routing, queue limits, access log) and a worker that is an HAProxy which answers by itself; the "
        "plain HAProxy has as many threads, one server and the same image; all share the machine's cores."
    )
    return Report(TITLE, how, rows, summary=(rate, compared, logged, rows[4].what, rows[6].what))
