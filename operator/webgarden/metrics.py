"""The operator's own metrics, for Prometheus. Names and units follow its conventions; no label grows with the cluster."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

QUEUE = Gauge("webgarden_workqueue_depth", "Keys that wait for a look.", registry=REGISTRY)
RECONCILES = Counter(
    "webgarden_reconciles_total", "Looks at resources, by kind and result.", ["kind", "result"], registry=REGISTRY
)
SECONDS = Histogram(
    "webgarden_reconcile_seconds",
    "How long a look takes.",
    ["kind"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    registry=REGISTRY,
)
LISTENERS = Gauge("webgarden_link_listeners", "Listeners that are connected.", registry=REGISTRY)
LEADER = Gauge("webgarden_leader", "1 while this replica leads.", registry=REGISTRY)
WATCHED = Gauge("webgarden_objects", "Objects in the store, by kind.", ["kind"], registry=REGISTRY)
