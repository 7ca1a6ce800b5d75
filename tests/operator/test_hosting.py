"""What sites give a pool's workers to host, as the workers find it."""

from __future__ import annotations

from tests.operator.garden import Yard
from tests.operator.world import MERGE, Body, path, until

SITE: Body = {"bindings": [{"host": "app.test"}]}


def applications(*targets: str) -> Body:
    """The spec of a site whose applications are these, in order at /0, /1 and so on."""
    given = [{"path": f"/{i}", "pool": "shop", "app": {"kind": "WSGI", "target": t}} for i, t in enumerate(targets)]
    return {**SITE, "applications": given}


def patch(yard: Yard, plural: str, spec: Body) -> None:
    yard.world.request("PATCH", path(plural, yard.namespace, "shop"), {"spec": spec}, kind=MERGE)


def files(yard: Yard) -> dict[str, str]:
    """ConfigMaps of the pool: name -> what a worker reads there."""
    found = [
        b for b in yard.objects("configmaps") if b["metadata"].get("labels", {}).get("webgarden.dev/pool") == "shop"
    ]
    return {body["metadata"]["name"]: body["data"]["applications.json"] for body in found}


def mounted(yard: Yard, worker: str) -> str:
    volumes = yard.get("pods", worker)["spec"]["volumes"]
    return next(str(v["configMap"]["name"]) for v in volumes if v["name"] == "webgarden-applications")


def test_what_the_worker_image_runs_is_in_a_file_that_the_pool_owns(yard: Yard) -> None:
    yard.create("sites", "shop", applications("shop.wsgi:application"))
    yard.pool(startMode="AlwaysRunning", worker={})
    (worker,) = yard.warm()
    (container,) = yard.get("pods", worker)["spec"]["containers"]
    environment = {e["name"]: e.get("value") for e in container["env"]}
    assert container["image"] == "worker:test"
    assert environment["WEBGARDEN_APPLICATIONS"] == "/etc/webgarden/applications/applications.json"
    assert '"target": "shop.wsgi:application"' in files(yard)[mounted(yard, worker)]
    (owner,) = yard.get("configmaps", mounted(yard, worker))["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ApplicationPool", "shop")


def test_a_site_that_gives_a_worker_nothing_to_do_leaves_it_alone(yard: Yard) -> None:
    yard.create("sites", "shop", applications("shop.wsgi:application"))
    yard.pool(startMode="AlwaysRunning", worker={})
    yard.warm()
    before = [d["metadata"]["name"] for d in yard.deployments()]
    yard.create("sites", "plain", {"bindings": [{"host": "b.test"}], "applications": [{"path": "/", "pool": "shop"}]})
    until(lambda: yard.key("plain") in yard.garden.listeners[0].sites, "the site is served")
    yard.look()
    assert [d["metadata"]["name"] for d in yard.deployments()] == before


def test_the_file_of_workers_that_are_gone_goes_with_them(yard: Yard) -> None:
    yard.create("sites", "shop", applications("shop.wsgi:application"))
    yard.pool(startMode="AlwaysRunning", worker={})
    (worker,) = yard.warm()
    old = mounted(yard, worker)
    patch(yard, "sites", applications("shop.wsgi:application", "blog.wsgi:application"))
    until(lambda: files(yard).keys().isdisjoint({old}) and bool(files(yard)), "the old file is gone")
    (name,) = files(yard)
    assert "blog.wsgi" in files(yard)[name]


def test_a_file_that_somebody_deletes_is_there_again_for_the_next_worker(yard: Yard) -> None:
    yard.create("sites", "shop", applications("shop.wsgi:application"))
    yard.pool(startMode="AlwaysRunning", worker={})
    (worker,) = yard.warm()
    name = mounted(yard, worker)
    yard.delete("configmaps", name)
    until(lambda: not files(yard), "it is gone")
    patch(yard, "applicationpools", {"processModel": {"maxProcesses": 2}})
    until(lambda: name in files(yard), "it is there again")


def test_more_applications_than_a_file_holds_are_told_of(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", worker={})
    yard.warm()
    for number in range(66):
        root = "/" + "r" * 1000
        apps = [
            {"path": f"/{i}", "pool": "shop", "app": {"kind": "Static", "root": f"{root}{i:03}"}} for i in range(16)
        ]
        yard.create("sites", f"s{number}", {"bindings": [{"host": f"s{number}.test"}], "applications": apps})
    until(lambda: yard.condition("Accepted")["status"] == "False", "it is told")
    told = yard.condition("Accepted")
    assert told["reason"] == "TemplateRefused"
    assert "a ConfigMap holds 1048576" in told["message"]
    assert yard.condition("Available")["status"] == "True"
