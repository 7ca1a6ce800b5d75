"""Resources: wishes that take effect (state, scale, start mode), that clash or make no sense (A22), and their end (A23)."""

from __future__ import annotations

import pytest
from tests.e2e.asking import Answer, ask, at_once
from tests.e2e.kubernetes import ApiError, condition
from tests.e2e.tenant import VERSION, Pool, Tenant
from tests.e2e.traffic import traffic
from tests.e2e.waiting import until


def test_a_stopped_pool_answers_503_and_a_started_one_serves_again(tenant: Tenant) -> None:
    pool = tenant.garden()
    assert pool.ask().status == 200
    pool.change({"state": "Stopped"})
    pool.asleep()
    refused = pool.until(lambda: _refused(pool), "the pool to be refused")
    assert refused.reason == "Disabled"
    assert pool.status["state"] == "Stopped"
    pool.change({"state": "Started"})
    pool.until(lambda: pool.ask().status == 200, "the pool to serve again")


def _refused(pool: Pool) -> Answer | None:
    answer = pool.ask()
    return answer if answer.status == 503 else None


def test_kubectl_scale_sets_the_size_of_the_garden_and_shrinks_it_without_loss(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    pool.running(1)
    scale = ("scale", "apppool/garden", f"--namespace={tenant.namespace}")
    with traffic(pool.clients(connections=4, rate=80), pool.clients(method="POST", rate=80)) as load:
        load.answered(40)
        tenant.installation.kubectl(*scale, "--replicas=3")
        pool.running(3)
        load.answered(100)
        tenant.installation.kubectl(*scale, "--replicas=1")
        pool.running(1, seconds=90)
        load.answered(40)
        result = load.end()
    assert result.failed == 0
    assert len(result.processes) == 3


def test_an_always_running_pool_has_its_workers_before_anybody_asks(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2, "idleTimeout": "2s"})
    pool.running(2)
    assert pool.status["state"] == "Started"


def test_a_worker_that_crashes_is_counted_told_and_replaced_at_once(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    (old,) = pool.running(1)
    answer = pool.ask("/crash")
    assert (answer.status, answer.reason) == (502, "WorkerLost")
    new = pool.until(lambda: [n for n in pool.workers() if n != old], "another worker")
    failures = pool.until(lambda: pool.status["failures"], "the failure to be counted")
    event = pool.until(lambda: tenant.events("WorkerCrashed"), "the Event")[0]
    print(f"{old} -> {new}; {failures}; {event['message']}")
    assert [(f["worker"], f["kind"]) for f in failures] == [(old, "Crash")]
    assert event["metadata"]["annotations"]["webgarden.dev/was-event-id"] == "5009"
    assert "exit code 7" in event["message"]
    assert pool.ask().status == 200
    assert len(tenant.events("WorkerCrashed")) == 1


def test_of_two_sites_that_claim_a_host_the_older_one_has_it_until_it_goes(tenant: Tenant) -> None:
    first = tenant.garden("first")
    second = tenant.garden("second")
    tenant.site("first", host="claimed.test", name="older")
    until(lambda: condition(tenant.get("Site", "older"), "Accepted")["status"] == "True", "the older one", seconds=20)
    tenant.site("second", host="claimed.test", name="younger")
    refused = until(lambda: _not_accepted(tenant, "younger"), "the younger one to be refused", seconds=20)
    print(refused)
    assert refused.endswith(f"{tenant.namespace}/older")
    tenant.told()
    served = ask(first.place, "claimed.test", "/process").body.decode()
    assert served.startswith("first-"), served
    tenant.installation.kubernetes.delete("Site", "older", tenant.namespace)
    until(lambda: condition(tenant.get("Site", "younger"), "Accepted")["status"] == "True", "the heir", seconds=20)
    tenant.told()
    assert ask(second.place, "claimed.test", "/process").body.decode().startswith("second-")


def _not_accepted(tenant: Tenant, site: str) -> str:
    found = condition(tenant.get("Site", site), "Accepted")
    return str(found["message"]) if found["status"] == "False" else ""


def test_a_site_that_names_an_absent_pool_serves_its_other_paths(tenant: Tenant) -> None:
    tenant.pool()
    host = tenant.host("garden")
    applications = [{"path": "/", "pool": "garden", "app": APP}, {"path": "/absent", "pool": "nobody"}]
    tenant.apply(VERSION, "Site", "garden", spec={"bindings": [{"host": host}], "applications": applications})
    until(
        lambda: condition(tenant.get("Site", "garden"), "Ready")["reason"] == "PoolMissing", "PoolMissing", seconds=20
    )
    tenant.told()
    pool = Pool(tenant, "garden")
    missing, served = pool.ask("/absent"), pool.ask("/")
    print(f"{missing}; {served}")
    assert (missing.status, missing.reason) == (503, "PoolMissing")
    assert served.status == 200
    tenant.pool("nobody", worker={"command": ["python", "/app/abrupt.py"]})
    until(
        lambda: condition(tenant.get("Site", "garden"), "Ready")["status"] == "True", "the pool to be seen", seconds=20
    )
    tenant.told()
    assert pool.ask("/absent").status == 200


APP = {"kind": "ASGI", "target": "garden:app", "root": "/app"}


def test_what_makes_no_sense_is_refused_and_the_others_go_on(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    pool.running(1)
    with traffic(pool.clients(rate=50)) as load:
        load.answered(20)
        with pytest.raises(ApiError, match="queueLength"):
            tenant.pool("short", queueLength=1)
        with pytest.raises(ApiError, match="DNS name"):
            tenant.site("garden", host="no_host", name="odd")
        with pytest.raises(ApiError, match="there is one WebServer"):
            web_server = {"apiVersion": VERSION, "kind": "WebServer", "metadata": {"name": "second"}, "spec": {}}
            tenant.installation.kubernetes.apply(web_server)
        mount = {"name": "worker", "volumeMounts": [{"name": "absent", "mountPath": "/absent"}]}
        broken = tenant.pool("broken", worker={"template": {"spec": {"containers": [mount]}}})
        broken.until(lambda: broken.condition("Accepted")["status"] == "False", "the template to be refused")
        load.answered(50)
        result = load.end()
    print(broken.condition("Accepted")["message"])
    assert result.failed == 0


def test_a_deleted_pool_answers_503_and_leaves_nothing(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    (long,) = at_once(1, pool.place, pool.host, "/sleep?s=12")
    pool.until(lambda: any(w["inFlight"] for w in pool.status["workers"]), "the request to be in flight")
    pool.recycle()
    pool.until(lambda: pool.condition("Progressing")["reason"] == "Recycling", "a recycle in the middle of it")
    tenant.installation.kubernetes.delete("ApplicationPool", "garden", tenant.namespace)
    until(lambda: pool.ask().reason == "PoolMissing", "the listeners to know", seconds=20)
    until(lambda: not tenant.pods("garden"), "the pods to be gone", seconds=90)
    print(f"the request in flight: {long.result(60)}")
    assert long.result(60).status in (200, 502)
    until(lambda: not _left(tenant, "Deployment", "ReplicaSet"), "everything of the pool to be gone", seconds=30)
    reason = until(lambda: condition(tenant.get("Site", "garden"), "Ready")["reason"], "the site's reason", seconds=20)
    assert reason == "PoolMissing"


def test_pools_and_sites_that_come_and_go_cost_the_others_no_request(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    pool.running(1)
    slow, fast = pool.clients(connections=20, rate=100), pool.clients(connections=2)
    with traffic(slow, fast, pool.clients(method="POST", rate=50), pool.clients(keep_alive=False, rate=50)) as load:
        load.answered(100)
        for number in range(8):
            name = f"passing-{number}"
            assert tenant.garden(name).ask().status == 200
            tenant.installation.kubernetes.delete("Site", name, tenant.namespace)
            tenant.installation.kubernetes.delete("ApplicationPool", name, tenant.namespace)
        tenant.told()
        load.answered(100)
        result = load.end()
    assert result.failed == 0


def test_a_deleted_site_is_no_longer_known_and_its_pool_stays(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    pool.running(1)
    tenant.installation.kubernetes.delete("Site", "garden", tenant.namespace)
    until(lambda: pool.ask().reason == "NoSite", "the listeners to forget it", seconds=20)
    assert pool.ask().status == 404
    tenant.site("garden")
    pool.until(lambda: pool.ask().status == 200, "the site to be served again")


def test_a_deleted_namespace_goes_with_everything_in_it(tenant: Tenant) -> None:
    other = Tenant.create(tenant.installation)
    pool = other.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    at_once(2, pool.place, pool.host, "/sleep?s=3")
    pool.recycle()
    other.delete()
    until(
        lambda: tenant.installation.kubernetes.get("Namespace", other.namespace) is None,
        "the namespace to be gone",
        seconds=150,
        seen=other.describe,
    )
    until(lambda: pool.ask().reason == "NoSite", "the listeners to forget it", seconds=20)


def _left(tenant: Tenant, *kinds: str) -> list[str]:
    kubernetes = tenant.installation.kubernetes
    return [f"{kind} {body['metadata']['name']}" for kind in kinds for body in kubernetes.list(kind, tenant.namespace)]
