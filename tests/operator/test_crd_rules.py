"""Every admission rule, both ways, against a real API server: what it refuses, in which words, and what it lets through.

A dry run is enough: it goes through defaults, schema and CEL. Unknown fields are refused as `kubectl` does it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from kubernetes import client, config

from webgarden.api.crd import schema
from webgarden.api.kinds import APPLICATION_POOL, KINDS, SITE, WEB_SERVER, Kind
from webgarden.api.resource import API_VERSION, GROUP, VERSION

Json = dict[str, Any]


class Case(NamedTuple):
    """One rule: a resource that breaks it, part of the answer, and one that keeps it."""

    sentence: str
    bad: Json
    words: str
    good: Json


def pool(name: str = "shop", **spec: Any) -> Json:  # noqa: ANN401
    return {"metadata": {"name": name}, "spec": spec}


def worker(**fields: Any) -> Json:  # noqa: ANN401
    return pool(worker=fields)


def process(**fields: Any) -> Json:  # noqa: ANN401
    return pool(processModel=fields)


def pod(**spec: Any) -> Json:  # noqa: ANN401
    return worker(template={"spec": spec})


def site(*, bindings: list[Json] | None = None, applications: list[Json] | None = None) -> Json:
    bound = [{"host": "shop.example.com"}] if bindings is None else bindings
    served = [{"path": "/", "pool": "shop"}] if applications is None else applications
    return {"metadata": {"name": "shop"}, "spec": {"bindings": bound, "applications": served}}


def hosts(*names: str, port: int = 80) -> Json:
    return site(bindings=[{"host": name, "port": port} for name in names])


def paths(*names: str) -> Json:
    return site(applications=[{"path": name, "pool": "shop"} for name in names])


def affinity(name: str) -> Json:
    return site(applications=[{"path": "/", "pool": "shop", "affinity": name}])


def app(**fields: Any) -> Json:  # noqa: ANN401
    return site(applications=[{"path": "/", "pool": "shop", "app": fields}])


def cgi(**fields: Any) -> Json:  # noqa: ANN401
    return app(kind="CGI", root="/srv", cgi=fields)


def listener(**fields: Any) -> Json:  # noqa: ANN401
    return {"metadata": {"name": "default"}, "spec": {"listener": fields}}


POOL_CASES = [
    Case("a pool's name fits a label", pool("x" * 64), "at most 63 characters", pool("x" * 63)),
    Case("the wanted state is one we know", pool(state="Paused"), "Unsupported", pool(state="Stopped")),
    Case("the start mode is one we know", pool(startMode="Eager"), "Unsupported", pool(startMode="OnDemand")),
    Case("a queue is not too short", pool(queueLength=9), "greater than or equal to 10", pool(queueLength=10)),
    Case("a queue is not too long", pool(queueLength=65536), "less than or equal to 65535", pool(queueLength=65535)),
    Case("a worker's port is a port", worker(port=0), "greater than or equal to 1", worker(port=1)),
    Case("a worker's port ends at 65535", worker(port=65536), "less than or equal to 65535", worker(port=65535)),
    Case("an image is not empty", worker(image=""), "at least 1 char", worker(image="shop:1")),
    Case(
        "a worker takes a request at a time",
        worker(maxConcurrentRequests=0),
        "greater than",
        worker(maxConcurrentRequests=1),
    ),
    Case(
        "a worker has an end", worker(maxConcurrentRequests=100001), "less than", worker(maxConcurrentRequests=100000)
    ),
    Case(
        "a variable has a name",
        worker(env=[{"value": "1"}]),
        "Required value",
        worker(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]),
    ),
    Case(
        "a variable is set once",
        worker(env=[{"name": "A"}, {"name": "A"}]),
        "Duplicate value",
        worker(env=[{"name": "A"}, {"name": "B"}]),
    ),
    Case(
        "a volume is named once",
        worker(volumes=[{"name": "a"}, {"name": "a"}]),
        "Duplicate value",
        worker(volumes=[{"name": "a", "emptyDir": {}}]),
    ),
    Case(
        "a mount has a path",
        worker(volumeMounts=[{"name": "a"}]),
        "mountPath",
        worker(volumeMounts=[{"name": "a", "mountPath": "/a", "readOnly": True}]),
    ),
    Case(
        "a path has one mount",
        worker(volumeMounts=[{"name": "a", "mountPath": "/a"}] * 2),
        "Duplicate value",
        worker(volumeMounts=[{"name": "a", "mountPath": "/a"}, {"name": "a", "mountPath": "/b"}]),
    ),
    Case(
        "a quantity is one",
        worker(resources={"limits": {"memory": "much"}}),
        "should match",
        worker(resources={"limits": {"memory": "512Mi", "cpu": 1}, "claims": [{"name": "gpu"}]}),
    ),
    Case(
        "workers of a template restart",
        pod(restartPolicy="Never"),
        "Unsupported",
        pod(restartPolicy="Always", nodeSelector={"a": "b"}),
    ),
    Case(
        "the grace period has one place",
        pod(terminationGracePeriodSeconds=5),
        "processModel.shutdownTimeLimit",
        pod(containers=[{"name": "worker", "image": "a"}]),
    ),
    Case(
        "a template's containers have names",
        pod(containers=[{"image": "a"}]),
        "Required value",
        pod(containers=[{"name": "worker"}, {"name": "log"}]),
    ),
    Case(
        "a template's containers differ",
        pod(containers=[{"name": "a"}, {"name": "a"}]),
        "Duplicate value",
        pod(containers=[{"name": "a"}, {"name": "b"}]),
    ),
    Case(
        "a template's hooks are an object",
        pod(containers=[{"name": "worker", "lifecycle": "none"}]),
        "must be of type object",
        pod(containers=[{"name": "worker", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]),
    ),
    Case(
        "a template's variables have names",
        pod(containers=[{"name": "worker", "env": [{"value": "1"}]}]),
        "Required value",
        pod(containers=[{"name": "worker", "env": [{"name": "A", "value": "1"}]}]),
    ),
    Case(
        "a template's labels are words",
        worker(template={"metadata": {"labels": "a=b"}}),
        "must be of type object",
        worker(template={"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}),
    ),
    Case(
        "a template is an object",
        worker(template="nginx"),
        "must be of type object",
        worker(template={"metadata": {"labels": {"a": "b"}}}),
    ),
    Case("an idle timeout is never negative", process(idleTimeout="-1s"), "should match", process(idleTimeout="0s")),
    Case("an idle timeout has a unit", process(idleTimeout="20"), "should match", process(idleTimeout="20m")),
    Case("an idle timeout is not a day", process(idleTimeout="1d"), "should match", process(idleTimeout="1h30m")),
    Case("an idle timeout has an end", process(idleTimeout="1000000h"), "should match", process(idleTimeout="999999h")),
    Case("a start may take a second", process(startupTimeLimit="999ms"), "at least 1s", process(startupTimeLimit="1s")),
    Case(
        "a shutdown may take a second",
        process(shutdownTimeLimit="0s"),
        "at least 1s",
        process(shutdownTimeLimit="1000ms"),
    ),
    Case("a pool may have a worker", process(maxProcesses=0), "greater than or equal to 1", process(maxProcesses=1)),
    Case(
        "a web garden has a fence", process(maxProcesses=1001), "less than or equal to 1000", process(maxProcesses=1000)
    ),
    Case("a misspelt field is refused", pool(queueLenght=10), "unknown field", pool()),
    Case("a field of the future is refused", process(pingInterval="30s"), "unknown field", process()),
]

LONG = ".".join(["x" * 63] * 4)
SITE_CASES = [
    Case("a site has a binding", site(bindings=[]), "at least 1 items", hosts("")),
    Case("a site has an application", site(applications=[]), "at least 1 items", paths("/")),
    Case("a site has a spec", {"metadata": {"name": "shop"}}, "Required value", site()),
    Case(
        "a protocol is one we speak",
        site(bindings=[{"protocol": "https"}]),
        "Unsupported",
        site(bindings=[{"protocol": "http"}]),
    ),
    Case("a host is in lower case", hosts("Shop.example.com"), "must be a DNS name", hosts("shop.example.com")),
    Case("a host has no underscore", hosts("my_shop.example.com"), "must be a DNS name", hosts("my-shop.example.com")),
    Case("a host carries no port", hosts("shop:8080"), "must be a DNS name", hosts("shop", port=8080)),
    Case("a host has no empty label", hosts("shop..example.com"), "must be a DNS name", hosts("a.b.c.example.com")),
    Case("a host does not end in a dot", hosts("shop.example.com."), "must be a DNS name", hosts("shop.example.com")),
    Case(
        "a label does not begin with a dash",
        hosts("-shop.example.com"),
        "must be a DNS name",
        hosts("s-h-o-p.example.com"),
    ),
    Case("a label is short", hosts("x" * 64), "must be a DNS name", hosts("x" * 63)),
    Case("a host is short", hosts(LONG), "Too long", hosts(LONG[3:])),
    Case("a wildcard stands before a name", hosts("*"), "must be a DNS name", hosts("*.example.com")),
    Case("a wildcard stands first", hosts("shop.*.com"), "must be a DNS name", hosts("*.com")),
    Case("a wildcard is a whole label", hosts("a*.example.com"), "must be a DNS name", hosts("*.a.example.com")),
    Case("a host is no sentence", hosts("shop\nbind"), "must be a DNS name", hosts("")),
    Case("a binding's port is a port", hosts("shop", port=0), "greater than or equal to 1", hosts("shop", port=1)),
    Case("a binding's port ends at 65535", hosts("shop", port=65536), "less than", hosts("shop", port=65535)),
    Case(
        "a host and port is bound once",
        hosts("shop", "shop"),
        "Duplicate value",
        site(bindings=[{"host": "shop"}, {"host": "shop", "port": 81}, {"port": 81}]),
    ),
    Case(
        "a default counts as bound",
        site(bindings=[{}, {"host": "", "port": 80}]),
        "Duplicate value",
        site(bindings=[{}, {"port": 81}]),
    ),
    Case("a path begins with a slash", paths("api"), "must begin with /", paths("/api")),
    Case("a path does not end with a slash", paths("/api/"), "must not end with /", paths("/")),
    Case("a path has no dot segment", paths("/a/./b"), "must not have . or ..", paths("/a/.b/c.")),
    Case("a path does not go up", paths("/a/.."), "must not have . or ..", paths("/a/...")),
    Case("a path has no empty segment", paths("/a//b"), "none of which is empty", paths("/a/b")),
    Case("a path has no blank", paths("/a b"), "may have letters", paths("/a_b~c@d+e,f=g-h.i")),
    Case("a path has no escape", paths("/a%20b"), "may have letters", paths("/a-b")),
    Case("a path has no second line", paths("/a\n"), "may have letters", paths("/a")),
    Case("a path has no query", paths("/a?b"), "may have letters", paths("/a/b")),
    Case("a path has no separator of commands", paths("/a;b"), "may have letters", paths("/a,b")),
    Case("affinity is one we know", affinity("Address"), "Unsupported value", affinity("Cookie")),
    Case("affinity may be named and be none", affinity(""), "Unsupported value", affinity("None")),
    Case("a path is not empty", paths(""), "must begin with /", paths("/")),
    Case("a path is given once", paths("/a", "/a"), "Duplicate value", paths("/a", "/a/a")),
    Case("a path is given once in any case", paths("/Api", "/aPI"), "case does not count", paths("/Api", "/Apis")),
    Case("an application has a pool", site(applications=[{"path": "/"}]), "Required value", paths("/")),
    Case("a pool has a name", site(applications=[{"path": "/", "pool": ""}]), "at least 1 char", paths("/")),
    Case("an app has a kind we know", app(kind="ISAPI", target="a:b"), "Unsupported", app(kind="WSGI", target="a:b")),
    Case(
        "WSGI needs a target",
        app(kind="WSGI", root="/srv"),
        "need a target",
        app(kind="WSGI", target="shop.wsgi:app", root="/srv"),
    ),
    Case("ASGI needs a target", app(kind="ASGI"), "need a target", app(kind="ASGI", target="shop:site.app")),
    Case(
        "a target names an object", app(kind="ASGI", target="shop"), "should match", app(kind="ASGI", target="shop:app")
    ),
    Case(
        "a factory takes no arguments",
        app(kind="WSGI", target="shop:create('x')"),
        "should match",
        app(kind="WSGI", target="shop:create()"),
    ),
    Case("Static needs a root", app(kind="Static"), "need a root", app(kind="Static", root="/srv")),
    Case("CGI needs a root", app(kind="CGI"), "need a root", app(kind="CGI", root="/srv")),
    Case(
        "CGI has no target",
        app(kind="CGI", root="/srv", target="a:b"),
        "no target",
        app(kind="CGI", root="/srv", cgi={}),
    ),
    Case(
        "how programs are run is for programs",
        app(kind="Static", root="/srv", cgi={}),
        "cgi is for the kind CGI",
        app(kind="CGI", root="/srv", cgi={"timeout": "15m"}),
    ),
    Case("a program has some time", cgi(timeout="0s"), "must be at least 1s", cgi(timeout="1s")),
    Case(
        "a handler is for an extension",
        cgi(handlers=[{"path": "cgi-bin/*", "scriptProcessor": "/bin/sh"}]),
        "should match",
        cgi(handlers=[{"path": "*.sh", "scriptProcessor": "/bin/sh"}]),
    ),
    Case(
        "a script processor has a path",
        cgi(handlers=[{"path": "*.php", "scriptProcessor": "php-cgi"}]),
        "should match",
        cgi(handlers=[{"path": "*.php", "scriptProcessor": "/usr/bin/php-cgi"}]),
    ),
    Case(
        "an extension has one handler",
        cgi(handlers=[{"path": "*.pl", "scriptProcessor": path} for path in ("/bin/a", "/bin/b")]),
        "Duplicate value",
        cgi(handlers=[{"path": path, "scriptProcessor": "/usr/bin/perl"} for path in ("*.pl", "*.cgi")]),
    ),
    Case(
        "Static has no target", app(kind="Static", root="/srv", target="a:b"), "no target", app(kind="Static", root="/")
    ),
    Case("a root is absolute", app(kind="Static", root="srv"), "should match", app(kind="Static", root="/srv")),
    Case("a field of a site is known", site(bindings=[{"tls": {}}]), "unknown field", site()),
]

SERVER_CASES = [
    Case(
        "the web server is named default",
        {"metadata": {"name": "main"}},
        "it is named default",
        {"metadata": {"name": "default"}},
    ),
    Case("a port is given once", listener(ports=[80, 80]), "Duplicate value", listener(ports=[80, 8080])),
    Case("there is a port", listener(ports=[]), "at least 1 items", listener(ports=[80])),
    Case("a port is a port", listener(ports=[0]), "greater than or equal to 1", listener(ports=[1])),
    Case("ports end at 65535", listener(ports=[65536]), "less than", listener(ports=[65535])),
    Case("there is a listener", listener(replicas=0), "greater than or equal to 1", listener(replicas=1)),
    Case("there are not too many listeners", listener(replicas=101), "less than", listener(replicas=100)),
    Case("a listener has a thread", listener(threads=0), "greater than or equal to 1", listener(threads=1)),
    Case("a listener has at most 64 threads", listener(threads=65), "less than", listener(threads=64)),
    Case(
        "a head may have some size", listener(maxHeadSize="16383"), "must be 16Ki to 1Mi", listener(maxHeadSize="16Ki")
    ),
    Case("a head is no body", listener(maxHeadSize="2Mi"), "must be 16Ki to 1Mi", listener(maxHeadSize="1Mi")),
    Case("a size may be a number", listener(maxHeadSize=1), "must be 16Ki to 1Mi", listener(maxHeadSize=65536)),
    Case("a size is a quantity", listener(maxHeadSize="much"), "should match", listener(maxHeadSize="64k")),
    Case("a head may have some lines", listener(maxHeadLines=99), "greater than", listener(maxHeadLines=100)),
    Case("a head has at most 1000 lines", listener(maxHeadLines=1001), "less than", listener(maxHeadLines=1000)),
    Case(
        "a type of service is known",
        listener(service={"type": "ExternalName"}),
        "Unsupported",
        listener(service={"type": "LoadBalancer", "annotations": {"a": "b"}}),
    ),
    Case(
        "an annotation is text",
        listener(service={"annotations": {"a": 1}}),
        "must be of type string",
        listener(service={"type": "NodePort"}),
    ),
    Case(
        "a listener's quantity is one",
        listener(resources={"requests": {"cpu": "-1"}}),
        "should match",
        listener(resources={"requests": {"cpu": "100m"}}),
    ),
]

CASES = [
    *((APPLICATION_POOL, case) for case in POOL_CASES),
    *((SITE, case) for case in SITE_CASES),
    *((WEB_SERVER, case) for case in SERVER_CASES),
]
each_case = pytest.mark.parametrize(("kind", "case"), CASES, ids=[case.sentence.replace(" ", "-") for _, case in CASES])


@pytest.fixture(scope="session")
def connection(crds: Path) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(crds)) as connected:
        yield connected


@each_case
def test_what_breaks_the_rule_is_refused(kind: Kind, case: Case, connection: client.ApiClient) -> None:
    with pytest.raises(client.ApiException) as refusal:
        dry_run(kind, case.bad, connection)
    assert refusal.value.status in (400, 422)
    assert case.words in said(refusal.value)


@each_case
def test_what_keeps_the_rule_is_accepted(kind: Kind, case: Case, connection: client.ApiClient) -> None:
    assert dry_run(kind, case.good, connection)["kind"] == kind.name


def test_every_rule_of_the_crds_has_a_case() -> None:
    """A rule that is added without a case would go unnoticed otherwise."""
    messages = {rule["message"] for kind in KINDS for rule in rules_in(schema(kind.model))}
    untested = {message for message in messages if not any(case.words in message for _, case in CASES)}
    assert not untested


def dry_run(kind: Kind, body: Json, connection: client.ApiClient) -> Json:
    whole = {"apiVersion": API_VERSION, "kind": kind.name, **body}
    where = {"namespace": "default"} if kind.namespaced else {}
    api = client.CustomObjectsApi(connection)
    create: Callable[..., Any] = (
        api.create_namespaced_custom_object if kind.namespaced else api.create_cluster_custom_object
    )
    names = {"group": GROUP, "version": VERSION, "plural": kind.plural, **where}
    return cast(Json, create(**names, body=whole, dry_run="All", field_validation="Strict"))


def said(refusal: client.ApiException) -> str:
    return str(json.loads(refusal.body or "{}").get("message", ""))


def rules_in(schema: Any) -> Iterator[Json]:  # noqa: ANN401
    if isinstance(schema, list):
        for item in schema:
            yield from rules_in(item)
    elif isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for value in schema.values():
            yield from rules_in(value)
