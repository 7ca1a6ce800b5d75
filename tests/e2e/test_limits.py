"""A full queue (A12), and workers that cannot start (A14): refused soon, with the reason, and nobody else feels it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.e2e.asking import Place, at_once
from tests.e2e.installation import LISTENER_PORT
from tests.e2e.tenant import ABRUPT, Pool, Tenant
from tests.e2e.traffic import traffic


def test_a_full_queue_refuses_at_once_and_other_pools_feel_nothing(tenant: Tenant) -> None:
    full = tenant.garden("full", queueLength=10, worker={"maxConcurrentRequests": 1}, startMode="AlwaysRunning")
    other = tenant.garden("other", startMode="AlwaysRunning")
    full.running(1)
    other.running(1)
    listeners = tenant.installation.pods("listener")
    one = Place(listeners[0]["status"]["podIP"], LISTENER_PORT)
    share = 10 // len(listeners)
    with traffic(other.clients(rate=100)) as load:
        load.answered(50)
        answers = [f.result(90) for f in at_once(40, one, full.host, "/sleep?s=2", patience=90)]
        load.answered(50)
        result = load.end()
    served = [a for a in answers if a.status == 200]
    refused = sorted((a for a in answers if a.status == 503), key=lambda a: a.seconds)
    print(f"{len(served)} served, {len(refused)} refused; p50 {_median(refused):.1f} ms, last {refused[-1]}")
    assert len(served) + len(refused) == 40
    # One runs, and this listener's share of the queue waits: or one more, since HAProxy's threads look at the same moment.
    assert len(served) in (1 + share, 2 + share)
    assert {(a.reason, a.headers.get("retry-after", "")[:1].isdigit()) for a in refused} == {("QueueFull", True)}
    assert refused[-1].seconds < 2
    assert result.failed == 0
    full.until(lambda: full.status["queue"]["rejected"] == len(refused), "the rejected to be counted")


def _median(answers: list[Any]) -> float:
    return float(answers[len(answers) // 2].seconds * 1000)


@dataclass(frozen=True)
class Obstacle:
    """Something that keeps a worker from starting: how it is put there, what the condition must say, the repair."""

    worker: Mapping[str, Any]
    words: str
    repair: Mapping[str, Any]
    reason: str = "StartupTimeLimit"


OBSTACLES = {
    "image": Obstacle({"image": "localhost/no-such-image:1"}, "Image", {"image": None}),
    "schedule": Obstacle(
        {"resources": {"requests": {"cpu": "500"}}}, "Insufficient cpu", {"resources": {"requests": {"cpu": "10m"}}}
    ),
    "account": Obstacle(
        {"template": {"spec": {"serviceAccountName": "nobody"}}},
        'serviceaccount "nobody" not found',
        {"template": None},
    ),
    "crash": Obstacle({"command": ["sh", "-c", "echo no cheese; exit 3"]}, "exit code 3", ABRUPT),
    "deaf": Obstacle({"command": ["sleep", "1000"]}, "did not answer on its port", ABRUPT),
    "refused": Obstacle(
        {
            "template": {
                "spec": {"containers": [{"name": "worker", "volumeMounts": [{"name": "x", "mountPath": "/x"}]}]}
            }
        },
        "volumeMounts",
        {"template": None},
        reason="TemplateRefused",
    ),
    "privileged": Obstacle(
        {"template": {"spec": {"hostNetwork": True}}}, 'violates PodSecurity "restricted', {"template": None}
    ),
}


def test_whatever_keeps_a_worker_from_starting_is_named_and_works_again_after_its_repair(tenant: Tenant) -> None:
    limits = {"startupTimeLimit": "8s"}
    pools = {name: tenant.garden(name, worker=o.worker, model=limits) for name, o in OBSTACLES.items()}
    with ThreadPoolExecutor(len(pools)) as threads:
        said = list(threads.map(_obstructed, pools.values(), OBSTACLES.values()))
        print("\n".join(said))
        _each(threads, _repaired, pools.values(), OBSTACLES.values())


def _each(threads: ThreadPoolExecutor, do: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401
    for _ in threads.map(do, *arguments):
        pass


def _obstructed(pool: Pool, obstacle: Obstacle) -> str:
    """The first request waits for the limit, the next is refused while the pool is left alone."""
    first = pool.ask(patience=60)
    assert (first.status, first.reason) == (503, obstacle.reason), f"{pool.name}: {first}"
    condition = pool.until(lambda: _named(pool, obstacle), f"{pool.name} to name {obstacle.words}", seconds=30)
    began = time.monotonic()
    again = pool.ask(patience=60)
    waited = time.monotonic() - began
    assert again.status == 503, f"{pool.name}: {again}"
    return f"{pool.name}: {first}; then {again} ({waited:.2f} s); {condition['reason']}: {condition['message'][:140]}"


def _named(pool: Pool, obstacle: Obstacle) -> Mapping[str, str] | None:
    found = pool.condition("Ready")
    return found if found["status"] == "False" and obstacle.words in found["message"] else None


def _repaired(pool: Pool, obstacle: Obstacle) -> None:
    pool.change({"worker": dict(obstacle.repair)})
    pool.until(lambda: pool.ask(patience=60).status == 200, f"{pool.name} to serve after its repair", seconds=60)
    pool.until(lambda: pool.condition("Ready")["status"] == "True", f"{pool.name} to be Ready")


def test_a_quota_is_named_and_the_pool_backs_off_until_there_is_room(tenant: Tenant) -> None:
    tenant.apply("v1", "ResourceQuota", "none", spec={"hard": {"pods": "0"}})
    pool = tenant.garden(model={"startupTimeLimit": "5s"})
    first = pool.ask()
    assert (first.status, first.reason) == (503, "StartupTimeLimit"), str(first)
    pause = int(first.headers["retry-after"])
    refused = pool.ask()
    pool.until(lambda: "exceeded quota" in pool.condition("Ready")["message"], "the quota to be named")
    failures = [f["kind"] for f in pool.status["failures"]]
    print(f"{first}; again: {refused}; {failures}; {pool.condition('Ready')['message']}")
    assert 1 <= pause <= 10
    assert refused.status == 503 and refused.seconds < 3, "it is left alone for now, and says so at once"
    assert failures == ["StartupTimeLimit"], "one failed start, however often the pod could not be created"
    tenant.installation.kubernetes.delete("ResourceQuota", "none", tenant.namespace)
    pool.until(lambda: pool.ask().status == 200, "the pool to serve once there is room", seconds=90)
    pool.until(lambda: pool.condition("Degraded")["status"] == "False", "the failure to be over")
